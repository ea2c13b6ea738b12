"""What the server adds to new objects, or refuses, by looking at other objects."""

from __future__ import annotations

from typing import Any

from minikctl import errors
from minikctl.apiserver import cache, feed
from minikctl.model import kinds, objects
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object

IS_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
OLD_CLASS = "kubernetes.io/ingress.class"

SYSTEM_PRIORITIES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}

_EVICTING_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_EVICTION_SECONDS = 300


class Admission:
    """Decides on creates with the present state at hand."""

    def __init__(self, source: feed.Feed) -> None:
        self._feed = source

    def namespace(self, kind: Kind, namespace: str, name: str) -> None:
        """Refuse an object whose namespace is not there or is on its way out."""
        found = self._feed.collection(kinds.NAMESPACE).get(("", namespace))
        if found is None:
            raise errors.not_found("namespaces", "", namespace)
        if objects.is_deleting(found.object) or objects.status(found.object).get("phase") == "Terminating":
            refusal = errors.forbidden(
                kind.plural,
                kind.group,
                name,
                f"unable to create new content in namespace {namespace} because it is being terminated",
            )
            refusal.details["causes"] = [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ]
            raise refusal

    def create(self, kind: Kind, obj: Object) -> None:
        """Complete a new object in place, or refuse it."""
        if kind.builtin == "Pod":
            self._pod(obj)
        elif kind.builtin == "Ingress":
            self._ingress(obj)

    def _pod(self, pod: Object) -> None:
        spec = pod.get("spec")
        if not isinstance(spec, dict):
            return
        self._service_account(pod, spec)
        _priority(pod, spec)
        _tolerations(spec)

    def _service_account(self, pod: Object, spec: dict[str, Any]) -> None:
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        namespace = objects.namespace(pod)
        # "default" is made for each namespace by a controller: a pod that is quicker need not wait for it.
        if name != "default" and self._feed.collection(kinds.SERVICE_ACCOUNT).get((namespace, name)) is None:
            cause = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            raise errors.forbidden("pods", "", objects.name(pod), cause)

    def _ingress(self, ingress: Object) -> None:
        spec = ingress.setdefault("spec", {})
        if not isinstance(spec, dict) or spec.get("ingressClassName") is not None:
            return
        if OLD_CLASS in objects.annotations(ingress):
            return
        default = default_ingress_class(self._feed.collection(kinds.INGRESS_CLASS).entries())
        if default:
            spec["ingressClassName"] = default


def default_ingress_class(classes: list[cache.Entry]) -> str:
    """Return the name of the class that is marked as default: the newest, of several; "" for none."""
    marked = [
        each.object for each in classes if objects.annotations(each.object).get(IS_DEFAULT_CLASS) == "true"
    ]
    if not marked:
        return ""
    newest = max(objects.meta(each).get("creationTimestamp") or "" for each in marked)
    return min(objects.name(each) for each in marked if objects.meta(each).get("creationTimestamp") == newest)


def _priority(pod: Object, spec: dict[str, Any]) -> None:
    name = spec.get("priorityClassName") or ""
    if name and name not in SYSTEM_PRIORITIES:
        cause = f"no PriorityClass with name {name} was found"
        raise errors.forbidden("pods", "", objects.name(pod), cause)
    value = SYSTEM_PRIORITIES.get(name, 0)
    if spec.get("priority") not in (None, value):
        cause = (
            f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
            f"priority admission controller computed {value} from the given PriorityClass name"
        )
        raise errors.forbidden("pods", "", objects.name(pod), cause)
    spec["priority"] = value
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")


def _tolerations(spec: dict[str, Any]) -> None:
    given = spec.get("tolerations") or []
    if not isinstance(given, list):
        return
    for taint in _EVICTING_TAINTS:
        if not any(_tolerates(each, taint) for each in given if isinstance(each, dict)):
            extra = {"key": taint, "operator": "Exists", "effect": "NoExecute"}
            given.append({**extra, "tolerationSeconds": _EVICTION_SECONDS})
    spec["tolerations"] = given


def _tolerates(toleration: dict[str, Any], taint: str) -> bool:
    return toleration.get("key") in (taint, None, "") and toleration.get("effect") in ("NoExecute", None, "")
