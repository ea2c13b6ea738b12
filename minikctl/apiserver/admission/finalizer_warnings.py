"""Warnings about finalizers of custom objects, which may be called anything."""

from __future__ import annotations

from typing import ClassVar

from minikctl.apiserver.admission.chain import Operation, Plugin, Request
from minikctl.model import metadata, names, objects


class FinalizerWarnings(Plugin):
    """Refuses nothing; for custom kinds only, since others refuse what is warned of here."""

    name = "FinalizerWarnings"
    operations: ClassVar[frozenset[Operation]] = frozenset(("CREATE", "UPDATE"))
    changes = False

    def concerns(self, request: Request) -> bool:
        """Tell whether the kind is a custom one."""
        return request.kind.is_custom and super().concerns(request)

    async def validate(self, request: Request) -> None:
        """Add a warning for each finalizer that is new and does not say whose it is."""
        before = objects.meta(request.old or {}).get("finalizers") or ()
        held = objects.meta(request.new).get("finalizers") or ()
        for finalizer in sorted(set(held).difference(before)):
            faults = names.qualified_name(finalizer)
            if metadata.is_unqualified(finalizer):
                faults = [*faults, _PREFER]
            request.warnings.extend(f'metadata.finalizers: "{finalizer}": {fault}' for fault in faults)


_PREFER = (
    "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other "
    "finalizer writers"
)
