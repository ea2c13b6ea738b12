"""What is told to whoever writes a pod or a template of pods, without refusing it.

The rules, their order and words are those of Kubernetes' pkg/api/pod/warnings.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from minikctl.model.validation.storage_warnings import fractions, node_label, selector_term, shown_as

Made = Mapping[str, Any]

ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'v1.11+; use the "sysctls" field instead',
}
VOLUMES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP = "container.seccomp.security.alpha.kubernetes.io/"
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_BYTES = ("memory", "ephemeral-storage")
_REQUIRED, _PREFERRED = (f"{one}DuringSchedulingIgnoredDuringExecution" for one in ("required", "preferred"))


def warnings(pod: Made, path: str = "") -> Iterator[str]:
    """Yield the warnings of a pod, or of the template at that path; it is a valid one."""
    spec, where = pod.get("spec") or {}, f"{path}.spec" if path else "spec"
    notes = (pod.get("metadata") or {}).get("annotations") or {}
    noted = f"{path}.metadata.annotations" if path else "metadata.annotations"
    yield from _scheduling(spec, where)
    for name, text in ANNOTATIONS.items():
        if name in notes:
            yield f"{noted}[{name}]: non-functional in {text}"
    yield from _volumes(spec, where)
    yield from _repeated(spec.get("hostAliases") or (), "ip", f"{where}.hostAliases")
    secrets = spec.get("imagePullSecrets") or ()
    yield from _repeated(secrets, "name", f"{where}.imagePullSecrets")
    for index, one in enumerate(secrets):
        if not one.get("name"):
            yield f'{where}.imagePullSecrets[{index}].name: invalid empty name ""'
    yield from fractions(spec.get("overhead") or {}, _BYTES, f"{where}.overhead")
    security = spec.get("securityContext") or {}
    if SECCOMP_POD in notes and not security.get("seccompProfile"):
        yield f'{noted}[{SECCOMP_POD}]: non-functional in v1.27+; use the "seccompProfile" field instead'
    containers = list(_containers(spec, where))
    for place, one in containers:
        yield from _profiles(one, notes, noted, bool(path) and not security.get("appArmorProfile"))
        yield from _sizes(one, place)
        yield from _hidden(one.get("env") or (), f"{place}.env")
    yield from _ports(containers)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        text = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{where}.terminationGracePeriodSeconds: {text}"
    yield from _affinities(spec, where)


def _containers(spec: Made, where: str) -> Iterator[tuple[str, Made]]:
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for index, one in enumerate(spec.get(group) or ()):
            yield f"{where}.{group}[{index}]", one


def _scheduling(spec: Made, where: str) -> Iterator[str]:
    for key in sorted(spec.get("nodeSelector") or ()):
        if text := node_label(key):
            yield f"{where}.nodeSelector[{key}]: {text}"
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    base = f"{where}.affinity.nodeAffinity"
    for index, term in enumerate((affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or ()):
        yield from selector_term(term, f"{base}.{_REQUIRED}.nodeSelectorTerms[{index}]")
    for index, term in enumerate(affinity.get(_PREFERRED) or ()):
        yield from selector_term(term.get("preference") or {}, f"{base}.{_PREFERRED}[{index}].preference")
    for index, one in enumerate(spec.get("topologySpreadConstraints") or ()):
        place = f"{where}.topologySpreadConstraints[{index}]"
        if text := node_label(one.get("topologyKey", "")):
            yield f"{place}.topologyKey: {one['topologyKey']} is {text}"
        yield from _selects(one, place)


def _selects(term: Made, place: str) -> Iterator[str]:
    if term.get("labelSelector") is None:
        yield f"{place}.labelSelector: a null labelSelector results in matching no pod"


def _affinities(spec: Made, where: str) -> Iterator[str]:
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = (spec.get("affinity") or {}).get(kind) or {}
        for index, term in enumerate(terms.get(_REQUIRED) or ()):
            yield from _selects(term, f"{where}.affinity.{kind}.{_REQUIRED}[{index}]")
        for index, term in enumerate(terms.get(_PREFERRED) or ()):
            place = f"{where}.affinity.{kind}.{_PREFERRED}[{index}].podAffinityTerm"
            yield from _selects(term.get("podAffinityTerm") or {}, place)


def _volumes(spec: Made, where: str) -> Iterator[str]:
    volumes = spec.get("volumes") or ()
    for index, one in enumerate(volumes):
        for plugin, text in VOLUMES.items():
            if one.get(plugin) is not None:
                yield f"{where}.volumes[{index}].{shown_as(plugin)}: {text}"
        claim = ((one.get("ephemeral") or {}).get("volumeClaimTemplate") or {}).get("spec") or {}
        base = f"{where}.volumes[{index}].ephemeral.volumeClaimTemplate.spec.resources"
        for side in ("requests", "limits"):
            found = (claim.get("resources") or {}).get(side) or {}
            yield from fractions(found, ("storage",), f"{base}.{side}")
    for one in volumes:
        yield from _overlaps(one)


_SOURCES: dict[str, Callable[[Made], str]] = {
    "configMap": lambda one: f'ConfigMap "{one.get("name", "")}"',
    "secret": lambda one: f'Secret "{one.get("secretName", one.get("name", ""))}"',
    "downwardAPI": lambda _: "DownwardAPI",
}


def _overlaps(volume: Made) -> Iterator[str]:
    """Yield where one file of a volume would be in the place of another, or of its directory."""
    name = f'volume "{volume.get("name", "")}"'
    for source, title in _SOURCES.items():
        found = volume.get(source)
        if found and found.get("items") is not None:
            yield from _collisions(_paths(found), f"{name} ({title(found)}): overlapping paths")
    taken: set[str] = set()
    for part in (volume.get("projected") or {}).get("sources") or ():
        if not part:
            yield f"{name} (Projected) has no sources provided"
            continue
        paths, shown = _projected(part)
        told = f"{name} (Projected {shown}): overlapping paths"
        yield from _collisions(paths, told)
        if paths:
            yield from _collisions(sorted([*set(paths), *taken]), told)
            taken |= set(paths)


def _projected(source: Made) -> tuple[list[str], str]:
    for kind, title in _SOURCES.items():
        found = source.get(kind)
        if found and found.get("items") is not None:
            return _paths(found), title(found)
    if token := source.get("serviceAccountToken"):
        return [token.get("path", "")], "ServiceAccountToken"
    if bundle := source.get("clusterTrustBundle"):
        named = bundle.get("name") or bundle.get("signerName", "")
        return [bundle.get("path", "")], f'ClusterTrustBundle "{named}"'
    return [], ""


def _paths(source: Made) -> list[str]:
    return [str(one.get("path", "")) for one in source["items"]]


def _collisions(paths: Iterable[str], told: str) -> Iterator[str]:
    seen: list[str] = []
    for one in (path.rstrip("/") for path in paths):
        other = next((each for each in seen if one and each and _meet(each, one)), "")
        if other:
            yield f'{told}: "{one}" with "{other}"'
        seen.append(one)


def _meet(one: str, other: str) -> bool:
    return f"{one}/".startswith(other) or f"{other}/".startswith(one)


def _repeated(items: Sequence[Made], key: str, where: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, one in enumerate(items):
        value = str(one.get(key, ""))
        if value in seen:
            yield f'{where}[{index}].{key}: duplicate {key} "{value}"'
        seen.add(value)


def _profiles(container: Made, notes: Made, noted: str, by_template: bool) -> Iterator[str]:
    """Yield what annotations for a container mean no more; a pod's are put into fields for AppArmor."""
    security, name = container.get("securityContext") or {}, container.get("name", "")
    if SECCOMP + name in notes and not security.get("seccompProfile"):
        yield f'{noted}[{SECCOMP}{name}]: non-functional in v1.27+; use the "seccompProfile" field instead'
    if by_template and APPARMOR + name in notes and not security.get("appArmorProfile"):
        yield f'{noted}[{APPARMOR}{name}]: deprecated since v1.30; use the "appArmorProfile" field instead'


def _sizes(container: Made, place: str) -> Iterator[str]:
    resources = container.get("resources") or {}
    for name in _BYTES:
        for side in ("limits", "requests"):
            yield from fractions(resources.get(side) or {}, (name,), f"{place}.resources.{side}")


def _hidden(variables: Sequence[Made], place: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, one in enumerate(variables):
        name, value = one.get("name", ""), str(one.get("value") or "")
        reference = f"$({name})"
        builds_on = reference in value and value != reference and one.get("valueFrom") is None
        if name in seen and not builds_on:
            text = f'hides previous definition of "{name}", which may be dropped when using apply'
            yield f"{place}[{index}]: {text}"
        seen.add(name)


def _ports(containers: Sequence[tuple[str, Made]]) -> Iterator[str]:
    known: dict[tuple[Any, Any], list[tuple[str, Made]]] = {}
    for place, container in containers:
        for index, one in enumerate(container.get("ports") or ()):
            here = f"{place}.ports[{index}]"
            if one.get("hostIP") and not one.get("hostPort"):
                yield f"{here}: hostIP set without hostPort: {_struct(one)}"
            others = known.setdefault((one.get("containerPort"), one.get("protocol", "TCP")), [])
            for where, other in others:
                if text := _clash(one, other):
                    yield f"{here}: {text} port definition with {where}"
            others.append((here, one))


def _clash(one: Made, other: Made) -> str:
    (address, port), (address_2, port_2) = (
        (str(each.get("hostIP") or ""), int(each.get("hostPort") or 0)) for each in (one, other)
    )
    if (address, port) == (address_2, port_2):
        return "duplicate"
    if not port or not port_2:
        return "overlapping"
    return "dangerously ambiguous" if port == port_2 and bool(address) != bool(address_2) else ""


def _struct(port: Made) -> str:
    """Return the port as Go prints a struct."""
    fields = {"Name": "name", "HostPort": "hostPort", "ContainerPort": "containerPort"}
    shown = [f"{title}:{port.get(name, '' if title == 'Name' else 0)}" for title, name in fields.items()]
    shown += [f"Protocol:{port.get('protocol', 'TCP')}", f"HostIP:{port['hostIP']}"]
    return "{" + " ".join(shown) + "}"
