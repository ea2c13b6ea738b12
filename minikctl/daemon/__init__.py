"""The control plane's process: the only place that builds real drivers.

``python -m minikctl.daemon --cluster NAME`` runs it; ``client.launcher`` starts it for the CLI.
"""
