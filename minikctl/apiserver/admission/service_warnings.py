"""Warnings about Services, for whoever writes them."""

from __future__ import annotations

from typing import ClassVar

from minikctl.apiserver.admission.chain import Operation, Plugin, Request
from minikctl.model.validation import service_warnings


class ServiceWarnings(Plugin):
    """Refuses nothing."""

    name = "ServiceWarnings"
    operations: ClassVar[frozenset[Operation]] = frozenset(("CREATE", "UPDATE"))
    resources = frozenset(("services",))
    changes = False

    async def validate(self, request: Request) -> None:
        """Add the warnings, once each."""
        told = request.warnings
        told.extend(each for each in service_warnings.warnings(request.new) if each not in told)
