"""Scheduling: each pod that waits gets the node that suits it best, or is told why there is none.

``summary`` is what is known of nodes and their pods, kept up to date change by change; ``draft`` is what
one plan puts on top of it.  A plan goes through the waiting pods by priority and age.  ``filters`` say which
nodes are possible and why others are not, ``scores`` which is best, ``preemption`` who goes when none is.
"""
