"""NodeRestriction: a node's credentials write only to that node, its pods, its Lease and its CSINode."""

from __future__ import annotations

from typing import ClassVar

from minikctl.apiserver.admission.chain import Operation, Plugin, Request
from minikctl.apiserver.admission.world import World
from minikctl.apiserver.auth import User
from minikctl.model import kinds, objects
from minikctl.model.objects import Object

_GROUP, _PREFIX = "system:nodes", "system:node:"
_MIRROR = "kubernetes.io/config.mirror"
_LEASES = "kube-node-lease"
_OWN_LABELS = (
    "kubernetes.io/hostname",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
)
_OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")


def node_of(user: User) -> str | None:
    """Return the name of the node that the user is, None for anybody else."""
    if _GROUP in user.groups and user.name.startswith(_PREFIX):
        return user.name.removeprefix(_PREFIX)
    return None


class NodeRestriction(Plugin):
    """Judges the writes of nodes; the control plane's own parts are no nodes."""

    name = "NodeRestriction"
    operations: ClassVar[frozenset[Operation]] = frozenset(("CREATE", "UPDATE", "DELETE"))
    resources = frozenset(("pods", "nodes", "leases.coordination.k8s.io", "csinodes.storage.k8s.io"))
    subresources = None
    changes = False

    def __init__(self, world: World) -> None:
        self._world = world

    async def validate(self, request: Request) -> None:
        """Refuse what is another node's."""
        node = node_of(request.user)
        if node is None:
            return
        match request.resource:
            case "pods":
                self._pod(request, node)
            case "nodes":
                _node(request, node)
            case "leases.coordination.k8s.io":
                _lease(request, node)
            case _:
                if request.name != node:
                    raise request.refusal("can only access CSINode with the same name as the requesting node")

    def _pod(self, request: Request, node: str) -> None:
        operation, part = request.operation, request.part
        if part == "eviction":
            _own(request, self._world.get(kinds.POD, request.namespace, request.name), node, "evict pods")
        elif operation == "DELETE":
            _own(request, request.old, node, "delete pods")
        elif part == "status":
            _own(request, request.old, node, "update pod status for pods")
            if objects.labels(request.old or {}) != objects.labels(request.new):
                raise request.refusal(f'node "{node}" cannot update labels through pod status')
        elif operation == "CREATE" and not part:
            if _MIRROR not in objects.annotations(request.new):
                text = f'pod does not have "{_MIRROR}" annotation, node "{node}" can only create mirror pods'
                raise request.refusal(text)
            _own(request, request.new, node, "create pods")
        else:
            raise request.refusal(f'unexpected operation "{operation}"')


def _own(request: Request, pod: Object | None, node: str, what: str) -> None:
    if pod is None or objects.spec(pod).get("nodeName") != node:
        raise request.refusal(f'node "{node}" can only {what} with spec.nodeName set to itself')


def _node(request: Request, node: str) -> None:
    if request.name != node:
        raise request.refusal(f'node "{node}" is not allowed to modify node "{request.name}"')
    if request.operation == "DELETE":
        return
    old = request.old or {}
    if request.old is not None and objects.spec(old).get("taints") != objects.spec(request.new).get("taints"):
        raise request.refusal(f'node "{node}" is not allowed to modify taints')
    foreign = sorted(_foreign_labels(objects.labels(old), objects.labels(request.new)))
    if foreign:
        verb = "modify" if request.old is not None else "set"
        raise request.refusal(f'node "{node}" is not allowed to {verb} labels: {", ".join(foreign)}')


def _foreign_labels(old: Object, new: Object) -> set[str]:
    """Return the changed labels that only others may set on a node."""
    changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    return {key for key in changed if _is_kubernetes(key) and not _is_own(key)}


def _is_kubernetes(key: str) -> bool:
    domain = key.partition("/")[0] if "/" in key else ""
    return any(domain == each or domain.endswith(f".{each}") for each in ("kubernetes.io", "k8s.io"))


def _is_own(key: str) -> bool:
    domain = key.partition("/")[0]
    return key in _OWN_LABELS or any(domain == each or domain.endswith(f".{each}") for each in _OWN_DOMAINS)


def _lease(request: Request, node: str) -> None:
    if request.namespace == _LEASES and request.name != node:
        raise request.refusal("can only access lease with the same name as the requesting node")
