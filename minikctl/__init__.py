"""minikctl: Kubernetes manifests on plain Docker containers."""

__version__ = "0.1.0"
