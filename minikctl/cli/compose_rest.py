"""What of a Compose file is said instead of taken over, and the further names of a service.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from minikctl.cli.compose_files import name_of
from minikctl.model import names

DEPLOY = ("replicas", "resources")
RESOURCES = {"limits": ("cpus", "memory"), "reservations": ("cpus", "memory")}
PARTS = {
    "ports": ("target", "published", "protocol", "name", "mode"),
    "volumes": ("type", "source", "target", "read_only", "volume", "bind", "tmpfs", "image"),
    "volumes.volume": ("nocopy", "subpath"),
    "volumes.bind": ("create_host_path",),
    "volumes.tmpfs": ("size",),
    "volumes.image": ("subpath",),
    "networks": ("aliases", "priority", "gw_priority", "interface_name"),
    "depends_on": ("condition", "required"),
    "healthcheck": ("test", "interval", "timeout", "retries", "start_period", "disable"),
    "build": ("context", "dockerfile"),
}
"""What is understood of the parts of a service's fields, or has no effect that one could miss."""
ONCE = ("no", "false", "none")
"""What ``restart`` and ``restart_policy`` say of containers that are not started again."""


def of_file(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield remarks on the volumes and networks that the file declares."""
    for section, taken in (("volumes", ("name", "labels")), ("networks", ("name", "labels", "driver"))):
        for name, given in (found.get(section) or {}).items():
            for key in given or ():
                if key not in taken:
                    yield f"{section}.{name}.{key}: {_why(section, key)}"


def _why(section: str, key: str) -> str:
    if (section, key) == ("networks", "internal"):
        return "not taken over: pods reach whatever a NetworkPolicy does not forbid"
    if (section, key) == ("volumes", "external"):
        return "not taken over: a new, empty volume is claimed"
    return "not taken over"


def of_service(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield remarks on the parts of what else is taken over of a service."""
    deploy = given.get("deploy") or {}
    for key in deploy:
        policy = deploy[key] if key == "restart_policy" else {}
        if key not in DEPLOY and not (policy and policy.get("condition", "any") in ("any", *ONCE)):
            yield f"deploy.{key}: not taken over"
    for part, wanted in (deploy.get("resources") or {}).items():
        for key in wanted or ():
            if key not in RESOURCES.get(part, ()):
                yield f"deploy.resources.{part}.{key}: not taken over"
    for section in ("secrets", "configs"):
        for entry in given.get(section) or ():
            for key in ("uid", "gid", "mode") if isinstance(entry, Mapping) else ():
                if key in entry:
                    yield f"{section}.{entry.get('source')}.{key}: not taken over: everybody may read it"
    yield from dict.fromkeys(_of_parts(given))
    for key in labels(given):
        if list(names.qualified_name(key)):
            yield f"labels.{key}: not taken over: no name that Kubernetes takes"


def _of_parts(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield a remark on each part of a field that is not understood."""
    for field, taken in PARTS.items():
        outer, _, inner = field.partition(".")
        found = given.get(outer)
        if isinstance(found, Mapping) and outer not in ("healthcheck", "build"):
            entries = [(f"{outer}.{name}", entry) for name, entry in found.items()]
        else:
            entries = [(outer, entry) for entry in (found if isinstance(found, list) else [found])]
        for place, entry in entries:
            part = (entry.get(inner) if inner else entry) if isinstance(entry, Mapping) else None
            for key in part if isinstance(part, Mapping) else ():
                if key not in taken:
                    yield (
                        f"{place}.{inner}.{key}: not taken over"
                        if inner
                        else f"{place}.{key}: not taken over"
                    )


def labels(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the labels and annotations of a service."""
    found: dict[str, Any] = {}
    for field in ("labels", "annotations"):
        entries = given.get(field) or ()
        pairs = (str(entry).partition("=") for entry in entries) if not isinstance(entries, Mapping) else ()
        found |= entries if isinstance(entries, Mapping) else {key: value for key, _, value in pairs}
    return found


def aliases(name: str, given: Mapping[str, Any]) -> list[str]:
    """Return the names, other than its own, at which others find a service."""
    found = [given.get("container_name")]
    networks = given.get("networks")
    if isinstance(networks, Mapping):
        found += [alias for entry in networks.values() for alias in (entry or {}).get("aliases") or ()]
    made = [name_of(str(alias)) for alias in found if alias]
    return [alias for alias in dict.fromkeys(made) if alias and alias != name]


def ends(services: Mapping[str, Any]) -> set[str]:
    """Return the services that come to an end: others wait for that, or they are not started again and serve nobody."""
    found = set()
    for name, given in services.items():
        policy = ((given.get("deploy") or {}).get("restart_policy") or {}).get("condition")
        is_once = str(given["restart"]).lower() in ONCE if "restart" in given else policy == "none"
        if is_once and not given.get("ports"):
            found.add(str(name))
        waits = given.get("depends_on")
        for other, entry in waits.items() if isinstance(waits, Mapping) else ():
            if (entry or {}).get("condition") == "service_completed_successfully":
                found.add(str(other))
    return found
