"""The container network interface as data: configurations, what plugins are told, what they answer."""
