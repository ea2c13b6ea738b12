"""Who belongs to whom: owners and members, and what points at an object by name or by labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minikctl.model import selectors

Object = Mapping[str, Any]


class Graph:
    """Objects of a namespace (and of the cluster), with the ways between them."""

    def __init__(self, objects: Sequence[Object]) -> None:
        self.objects = list(objects)
        self._by_uid = {each["metadata"].get("uid"): each for each in self.objects}
        self._members: dict[str, list[Object]] = {}
        for each in self.objects:
            for owner in each["metadata"].get("ownerReferences") or ():
                self._members.setdefault(owner["uid"], []).append(each)

    def members(self, obj: Object) -> list[Object]:
        """Return what the object owns, by kind and name."""
        found = self._members.get(obj["metadata"].get("uid"), [])
        return sorted(found, key=lambda each: (each["kind"], each["metadata"]["name"]))

    def owner(self, obj: Object) -> Object | None:
        """Return the controller of the object, or else its first owner."""
        references = obj["metadata"].get("ownerReferences") or ()
        known = [each for each in references if each["uid"] in self._by_uid]
        known.sort(key=lambda each: not each.get("controller"))
        return self._by_uid[known[0]["uid"]] if known else None

    def pointing_at(self, obj: Object) -> list[tuple[Object, str]]:
        """Return what points at the object, each with how: ``selects``, ``routes to``, ``mounts`` …"""
        found = []
        for each in self.objects:
            if are_one(each, obj):
                continue
            for kind, name, word in references(each):
                if kind == obj["kind"] and name == obj["metadata"]["name"] and _near(each, obj):
                    found.append((each, word))
                    break
            else:
                word = _selecting(each, obj)
                if word:
                    found.append((each, word))
        return sorted(found, key=lambda pair: (pair[0]["kind"], pair[0]["metadata"]["name"]))


def are_one(one: Object, other: Object) -> bool:
    """Tell whether both are the same object, also on a server that gives no uids."""
    uids = [each["metadata"].get("uid") for each in (one, other)]
    if any(uids):
        return bool(uids[0] == uids[1])
    return (one["kind"], one["metadata"]["name"]) == (other["kind"], other["metadata"]["name"]) and _near(
        one, other
    )


def _near(one: Object, other: Object) -> bool:
    places = [each["metadata"].get("namespace") for each in (one, other)]
    return places[0] == places[1] or None in places


def _selecting(one: Object, obj: Object) -> str:
    """Return how ``one`` chooses a pod (or a template's pods) by labels, "" if it does not."""
    if not _near(one, obj):
        return ""
    labels = _pod_labels(obj)
    if labels is None:
        return ""
    spec = one.get("spec") or {}
    kind = one["kind"]
    if kind == "Service":
        chosen = spec.get("selector")
        return "selects" if chosen and selectors.of_map(chosen).matches(labels) else ""
    if kind == "NetworkPolicy":
        return "applies to" if selectors.of(spec.get("podSelector") or {}).matches(labels) else ""
    if kind == "PodDisruptionBudget" and spec.get("selector"):
        return "protects" if selectors.of(spec["selector"]).matches(labels) else ""
    return ""


def _pod_labels(obj: Object) -> Mapping[str, str] | None:
    if obj["kind"] == "Pod":
        return obj["metadata"].get("labels") or {}
    template = (obj.get("spec") or {}).get("template")
    if not isinstance(template, Mapping) or obj["kind"] in ("Job", "CronJob"):
        return None
    return (template.get("metadata") or {}).get("labels") or {}


def references(obj: Object) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, name, how) of what the object names."""
    spec = obj.get("spec") or {}
    match obj["kind"]:
        case "Ingress":
            for name in _backends(spec):
                yield "Service", name, "routes to"
            for each in spec.get("tls") or ():
                if each.get("secretName"):
                    yield "Secret", each["secretName"], "serves with"
        case "HorizontalPodAutoscaler":
            target = spec.get("scaleTargetRef") or {}
            yield str(target.get("kind")), str(target.get("name")), "scales"
        case "RoleBinding" | "ClusterRoleBinding":
            role = obj.get("roleRef") or {}
            yield str(role.get("kind")), str(role.get("name")), "grants"
            for each in obj.get("subjects") or ():
                yield str(each.get("kind")), str(each.get("name")), "is for"
        case "PersistentVolumeClaim":
            if spec.get("volumeName"):
                yield "PersistentVolume", spec["volumeName"], "is bound to"
        case "Pod":
            yield from _of_pod(spec)
        case _ if isinstance(spec.get("template"), Mapping):
            yield from _of_pod(spec["template"].get("spec") or {})


def _backends(spec: Object) -> Iterator[str]:
    backends = [spec.get("defaultBackend") or {}]
    for rule in spec.get("rules") or ():
        backends += [path.get("backend") or {} for path in (rule.get("http") or {}).get("paths") or ()]
    for backend in backends:
        name = (backend.get("service") or {}).get("name")
        if name:
            yield name


def _of_pod(spec: Object) -> Iterator[tuple[str, str, str]]:
    for volume in spec.get("volumes") or ():
        for part in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            if part.get("configMap"):
                yield "ConfigMap", str(part["configMap"].get("name")), "mounts"
            if part.get("secret"):
                yield "Secret", str(part["secret"].get("secretName") or part["secret"].get("name")), "mounts"
        if volume.get("persistentVolumeClaim"):
            yield "PersistentVolumeClaim", str(volume["persistentVolumeClaim"].get("claimName")), "mounts"
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for each in container.get("envFrom") or ():
            for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if each.get(key):
                    yield kind, str(each[key].get("name")), "reads"
        for each in container.get("env") or ():
            source = each.get("valueFrom") or {}
            for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if source.get(key):
                    yield kind, str(source[key].get("name")), "reads"
    for each in spec.get("imagePullSecrets") or ():
        yield "Secret", str(each.get("name")), "pulls with"
    yield "ServiceAccount", str(spec.get("serviceAccountName") or "default"), "runs as"


def state(obj: Object) -> str:
    """Return how the object is, in a word or two; "" where its kind has no state."""
    status, spec = obj.get("status") or {}, obj.get("spec") or {}
    match obj["kind"]:
        case "Pod":
            return _pod_state(obj)
        case "Deployment" | "ReplicaSet" | "StatefulSet" | "ReplicationController":
            return f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)} ready"
        case "DaemonSet":
            return f"{status.get('numberReady', 0)}/{status.get('desiredNumberScheduled', 0)} ready"
        case "Job":
            if any(c["type"] == "Failed" and c["status"] == "True" for c in status.get("conditions") or ()):
                return "Failed"
            return f"{status.get('succeeded', 0)}/{spec.get('completions', 1)} completed"
        case "PersistentVolumeClaim" | "PersistentVolume" | "Namespace":
            return str(status.get("phase", ""))
        case "Service":
            return str(spec.get("type", ""))
        case _:
            return ""


def _pod_state(pod: Object) -> str:
    from minikctl.model import podstatus

    return podstatus.reason(dict(pod))


def is_bad(text: str) -> bool:
    """Tell whether the state is one that somebody should look at."""
    have, slash, wanted = text.partition(" ")[0].partition("/")
    if slash and have.isdecimal() and wanted.isdecimal():
        return int(have) < int(wanted)
    good = ("", "Running", "Succeeded", "Completed", "Bound", "Active", "Available")
    return text not in good and text not in ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
