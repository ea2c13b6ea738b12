"""Warnings about what is written, as the strategies of Kubernetes' own registries give them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

from minikctl.apiserver.admission.chain import Operation, Plugin, Request
from minikctl.model import names, objects
from minikctl.model.objects import Object
from minikctl.model.validation import pod_warnings, service_warnings, storage_warnings

INGRESS_CLASS = "kubernetes.io/ingress.class"
_SURPRISE = "which can result in surprising behavior; a DNS label is recommended"


def _template(found: Object) -> Iterator[str]:
    yield from pod_warnings.warnings(objects.spec(found).get("template") or {}, "spec.template")


def _stateful_set(found: Object) -> Iterator[str]:
    yield from _template(found)
    for index, claim in enumerate(objects.spec(found).get("volumeClaimTemplates") or ()):
        yield from storage_warnings.of_claim_spec(objects.spec(claim), f"spec.volumeClaimTemplates[{index}]")


def _cron_job(found: Object) -> Iterator[str]:
    job = (objects.spec(found).get("jobTemplate") or {}).get("spec") or {}
    yield from pod_warnings.warnings(job.get("template") or {}, "spec.jobTemplate.spec.template")


def _pod_template(found: Object) -> Iterator[str]:
    yield from pod_warnings.warnings(found.get("template") or {}, "template")


def _ingress(found: Object) -> Iterator[str]:
    if INGRESS_CLASS in objects.annotations(found) and objects.spec(found).get("ingressClassName") is None:
        yield f"annotation \"{INGRESS_CLASS}\" is deprecated, please use 'spec.ingressClassName' instead"


def _name(found: Object, use: str) -> Iterator[str]:
    faults = names.dns_label(objects.name(found))
    if use and faults:
        # A name that is stored is a subdomain at least: what is wrong with it but its length are dots.
        told = ["must not contain dots" if "RFC 1123" in one else one for one in faults]
        yield f"metadata.name: this is used in {use}, {_SURPRISE}: [{' '.join(told)}]"


_PODS = "Pod names and hostnames"
_NAMED = {
    "pods": "the Pod's hostname",
    "deployments.apps": _PODS,
    "replicasets.apps": _PODS,
    "replicationcontrollers": _PODS,
    "jobs.batch": _PODS,
    "cronjobs.batch": _PODS,
}
"""What names are used in; they are told of at creation."""
_CREATED: dict[str, Callable[[Object], Iterator[str]]] = {
    "pods": pod_warnings.warnings,
    "ingresses.networking.k8s.io": _ingress,
}
"""Who is warned of these at creation only."""
_SPECIFIED: dict[str, Callable[[Object], Iterator[str]]] = {
    "deployments.apps": _template,
    "replicasets.apps": _template,
    "replicationcontrollers": _template,
    "daemonsets.apps": _template,
    "statefulsets.apps": _stateful_set,
    "jobs.batch": _template,
    "cronjobs.batch": _cron_job,
    "podtemplates": _pod_template,
}
"""And of these whenever they ask for something else."""
_ALWAYS: dict[str, Callable[[Object], Iterator[str]]] = {
    "services": service_warnings.warnings,
    "persistentvolumes": storage_warnings.of_volume,
    "persistentvolumeclaims": storage_warnings.of_claim,
}


class ObjectWarnings(Plugin):
    """Refuses nothing."""

    name = "ObjectWarnings"
    operations: ClassVar[frozenset[Operation]] = frozenset(("CREATE", "UPDATE"))
    resources = frozenset((*_CREATED, *_SPECIFIED, *_ALWAYS))
    changes = False

    async def validate(self, request: Request) -> None:
        """Add the warnings, once each."""
        told, of = request.warnings, _ALWAYS.get(request.resource)
        if request.operation == "CREATE":
            of = of or _CREATED.get(request.resource) or _SPECIFIED.get(request.resource)
            told.extend(_name(request.new, _NAMED.get(request.resource, "")))
        elif of is None and request.old is not None and _asks(request.new) != _asks(request.old):
            of = _SPECIFIED.get(request.resource)
        told.extend(each for each in (of(request.new) if of else ()) if each not in told)


def _asks(found: Object) -> object:
    return found.get("spec") or found.get("template")
