"""Why something of the network does not work: the chain that leads to it, link by link."""
