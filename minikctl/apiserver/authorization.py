"""Who may do what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from minikctl.apiserver.attributes import Attributes
from minikctl.apiserver.auth import User


@dataclass(frozen=True)
class Decision:
    """Whether it is allowed, and what there is to say about it."""

    allowed: bool
    reason: str = ""


Authorize = Callable[[User, Attributes], Decision]

ALLOWED, REFUSED = Decision(True), Decision(False)
