"""What ``debug`` makes: a container beside those of a pod, a changed copy of a pod, a pod that sees its node.

Nothing here asks a server.  Profiles are those of kubectl (KEP-1441).
"""

from __future__ import annotations

from minikctl import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from minikctl.cli.debug import DebugOptions

    Object = dict[str, Any]

PROFILES = ("legacy", "general", "baseline", "restricted", "netadmin", "sysadmin")
MANAGED = {"app.kubernetes.io/managed-by": "kubectl-debug"}
_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_SECURITY: Mapping[str, Object] = {
    "general": {"capabilities": {"add": ["SYS_PTRACE"]}},
    "restricted": _RESTRICTED,
    "netadmin": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
    "sysadmin": {"privileged": True},
}
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def container(name: str, options: DebugOptions) -> Object:
    """Return the container that looks around, as the flags say."""
    image, words, env, pull = options.image, options.command, options.env, options.pull
    found: Object = {"name": name, "resources": {}, "terminationMessagePolicy": "File"}
    if image:
        found["image"] = image
    if pull:
        found["imagePullPolicy"] = pull
    if words:
        found["args" if options.only_arguments else "command"] = list(words)
    if env:
        pairs = [entry.partition("=") for entry in env]
        found["env"] = [{"name": key, "value": value} for key, _, value in pairs]
    if options.stdin:
        found["stdin"] = True
    if options.tty:
        found["tty"] = True
    return found


def merged(found: Object, custom: Mapping[str, Any]) -> Object:
    """Return the container with what a file says of containers put in."""
    return {
        **found,
        **{key: value for key, value in custom.items() if key not in ("name", "image", "command")},
    }


def secured(found: Object, profile: str, *, on_node: bool = False) -> Object:
    """Return the container as the profile allows it."""
    if on_node and profile == "general":
        return found  # it sees the node through its namespaces, and needs no more
    security = _SECURITY.get(profile)
    return {**found, "securityContext": security} if security else found


def copied(
    pod: Object,
    name: str,
    *,
    keeps: Sequence[str] = (),
    same_node: bool = False,
    share: bool = True,
) -> Object:
    """Return a pod like that one, without what makes it one of a workload's.

    ``keeps``: what is kept that a copy otherwise loses: labels, annotations, initContainers and probes.
    """
    spec = {key: value for key, value in pod["spec"].items() if key not in ("ephemeralContainers",)}
    if not same_node:
        spec.pop("nodeName", None)
    if "initContainers" not in keeps:
        spec.pop("initContainers", None)
    spec["shareProcessNamespace"] = share
    spec["containers"] = [
        {key: value for key, value in each.items() if key not in PROBES or key in keeps}
        for each in spec["containers"]
    ]
    metadata: Object = {"name": name, "namespace": pod["metadata"]["namespace"]}
    for part in ("labels", "annotations"):
        if part in keeps and pod["metadata"].get(part):
            metadata[part] = pod["metadata"][part]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def with_images(pod: Object, images: Sequence[str]) -> Object:
    """Return the pod with other images: ``NAME=IMAGE``, or ``*=IMAGE`` for all."""
    wanted: dict[str, str] = {}
    for entry in images:
        name, equals, image = entry.partition("=")
        if not equals or not image:
            raise errors.UsageError(f'error: invalid format for --set-image: "{entry}"')
        wanted[name] = image
    groups = ("containers", "initContainers")
    spec = dict(pod["spec"])
    for group in groups:
        if spec.get(group):
            spec[group] = [
                {**each, "image": wanted.get(each["name"], wanted.get("*", each["image"]))}
                for each in spec[group]
            ]
    return {**pod, "spec": spec}


def on_node(node: str, name: str, looking: Object, profile: str) -> Object:
    """Return the pod that sees the node: its file system at /host and, if allowed, its namespaces."""
    spec: Object = {
        "containers": [looking],
        "nodeName": node,
        "restartPolicy": "Never",
        "tolerations": [{"operator": "Exists"}],
    }
    if profile not in ("baseline", "restricted"):
        spec |= {"hostIPC": profile != "netadmin", "hostNetwork": True, "hostPID": True}
        if profile != "netadmin":
            looking["volumeMounts"] = [{"mountPath": "/host", "name": "host-root"}]
            spec["volumes"] = [{"hostPath": {"path": "/"}, "name": "host-root"}]
    metadata = {"name": name, "labels": MANAGED}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
