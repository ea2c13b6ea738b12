"""Failures of node actions that carry the reason under which a pod's status shows them."""

from __future__ import annotations

from minikctl import errors


class NodeFailure(errors.DriverError):
    """An action failed; ``reason`` is a container state's reason such as ErrImagePull."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
