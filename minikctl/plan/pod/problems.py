"""What a planner finds wrong with a container before it can be made."""

from __future__ import annotations


class ConfigError(Exception):
    """The container cannot be made from what there is: the message is kubelet's, the reason its state's."""

    def __init__(self, message: str, reason: str = "CreateContainerConfigError") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
