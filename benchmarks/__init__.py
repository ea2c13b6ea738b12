"""Benchmarks: what minikctl costs beside the bare thing, measured side by side in one run."""
