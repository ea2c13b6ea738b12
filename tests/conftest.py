"""What all tests have in common."""

from __future__ import annotations

import os

# What the shell of whoever runs the tests says of clusters is not about the clusters of tests.
for name in ("MINIKCTL_CLUSTER", "KUBERC"):
    os.environ.pop(name, None)
