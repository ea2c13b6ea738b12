"""Fields that are accepted but not enforced on this node, and the Warning that names them."""

from __future__ import annotations

from collections.abc import Iterator

from minikctl.model import podresources
from minikctl.model.containers import LOW_PORTS, NO_SCTP
from minikctl.model.objects import Object
from minikctl.plan.pod import events, sandbox
from minikctl.plan.pod.draft import Draft
from minikctl.plan.pod.state import PodState

REASON = "NotEnforced"
_POD_FIELDS = ("overhead", "schedulingGroup")
_CONTEXT_FIELDS = ("seLinuxChangePolicy", "seLinuxOptions", "windowsOptions")
_CONTAINER_FIELDS = ("volumeDevices",)


_RESOURCES = ("cpu", "memory", "ephemeral-storage")


def report(state: PodState, draft: Draft) -> None:
    """Report the fields, if the pod has any, and what its resolver cannot be told."""
    found = sorted(set(fields(state)))
    if found:
        message = f"Accepted but not enforced on this node: {', '.join(found)}"
        draft.report("fidelity", events.warning(state.pod, REASON, message))
    lost = [] if state.host_network else sandbox.unpublished_ports(state)
    lowest = state.view.node.lowest_port
    for why, found_lost in (
        (NO_SCTP, [port for port in lost if port.host_port >= lowest]),
        (LOW_PORTS.format(lowest=lowest), [port for port in lost if port.host_port < lowest]),
    ):
        if found_lost:
            ports = ", ".join(f"{port.host_port}/{port.protocol.upper()}" for port in found_lost)
            message = f"hostPort {ports} is not published: {why}; pods reach it at the pod's address"
            draft.report(f"host ports {why}", events.warning(state.pod, REASON, message))
    for number, message in enumerate(sandbox.resolution(state).warnings):
        draft.report(f"dns {number}", events.warning(state.pod, "DNSConfigForming", message))


def fields(state: PodState) -> Iterator[str]:
    """Yield the paths of what this node does not enforce."""
    spec = state.spec
    yield from (f"spec.{field}" for field in _POD_FIELDS if spec.get(field))
    if len(state.all) > 1 and podresources.of_pod(spec, "limits"):
        # Each container is held to them; the engine has no group for the pod.
        yield "the sum of spec.resources.limits over all containers"
    if spec.get("hostUsers") is False:
        yield "spec.hostUsers"
    yield from _context(spec.get("securityContext") or {}, "spec.securityContext")
    for volume in spec.get("volumes") or ():
        yield from _volume(volume, bool(state.view.node.memory_dir))
    for container in state.all:
        path = events.container_path(container.name, container.role)
        yield from _container(container.spec, path)
        if not state.view.node.has_cgroups and (container.spec.get("resources") or {}).get("limits"):
            yield f"{path}.resources.limits"


def _context(context: Object, path: str) -> Iterator[str]:
    yield from (f"{path}.{field}" for field in _CONTEXT_FIELDS if context.get(field))
    if (context.get("appArmorProfile") or {}).get("type") == "Localhost":
        yield f"{path}.appArmorProfile"
    if (context.get("procMount") or "Default") != "Default":
        yield f"{path}.procMount"


def _volume(volume: Object, has_memory: bool) -> Iterator[str]:
    path, scratch = f"spec.volumes{{{volume.get('name')}}}", volume.get("emptyDir") or {}
    medium = scratch.get("medium") or ""
    if medium and not (medium == "Memory" and has_memory):
        yield f"{path}.emptyDir.medium"


def _container(container: Object, path: str) -> Iterator[str]:
    yield from (f"{path}.{field}" for field in _CONTAINER_FIELDS if container.get(field))
    yield from _context(container.get("securityContext") or {}, f"{path}.securityContext")
    for side in ("requests", "limits"):
        amounts = (container.get("resources") or {}).get(side) or {}
        yield from (f"{path}.resources.{side}.{name}" for name in amounts if name not in _RESOURCES)
    if any(rule.get("action") != "Restart" for rule in container.get("restartPolicyRules") or ()):
        yield f"{path}.restartPolicyRules.action"
