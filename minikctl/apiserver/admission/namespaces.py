"""NamespaceLifecycle: nothing is made in a namespace that is not there or on its way out."""

from __future__ import annotations

from minikctl import errors
from minikctl.apiserver.admission.chain import Plugin, Request
from minikctl.apiserver.admission.world import World
from minikctl.model import kinds, objects


class NamespaceLifecycle(Plugin):
    """Looks up the namespace of what is created."""

    name = "NamespaceLifecycle"
    changes = False

    def __init__(self, world: World) -> None:
        self._world = world

    async def mutate(self, request: Request) -> None:
        """Refuse the request if its namespace cannot take it."""
        if not request.kind.namespaced:
            return
        found = self._world.get(kinds.NAMESPACE, "", request.namespace)
        if found is None:
            raise errors.not_found("namespaces", "", request.namespace)
        if objects.is_deleting(found) or objects.status(found).get("phase") == "Terminating":
            raise _terminating(request)


def _terminating(request: Request) -> errors.StatusError:
    namespace = request.namespace
    refusal = request.refusal(
        f"unable to create new content in namespace {namespace} because it is being terminated"
    )
    refusal.details["causes"] = [
        {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
    ]
    return refusal
