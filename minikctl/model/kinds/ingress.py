"""Ingress: HTTP routes from outside to Services; both v1beta1 versions are views of networking.k8s.io/v1."""

from __future__ import annotations

import functools
from datetime import datetime

from minikctl.model import cells, conversion, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.kinds.service import balancer_addresses
from minikctl.model.objects import Object
from minikctl.model.validation import ingress

_INSTEAD = "unavailable in v1.22+; use networking.k8s.io/v1 Ingress"


def _hosts(obj: Object, _now: datetime) -> str:
    rules = objects.spec(obj).get("rules") or ()
    named = [rule["host"] for rule in rules if rule.get("host")]
    return cells.limited(named, len(rules)) if named else "*"


def _ports(obj: Object, _now: datetime) -> str:
    # Where its proxy could not have the usual ports, the status tells which it has instead.
    entries = (objects.status(obj).get("loadBalancer") or {}).get("ingress") or ()
    told = [str(port.get("port")) for entry in entries for port in entry.get("ports") or ()]
    found = told or ["80", "443"]
    return ", ".join(found if objects.spec(obj).get("tls") else found[:1])


_ingress = functools.partial(
    Kind,
    kind="Ingress",
    plural="ingresses",
    short_names=("ing",),
    subresources=frozenset({"status"}),
    has_generation=True,
)
_view = functools.partial(
    _ingress,
    storage=("networking.k8s.io", "v1"),
    to_storage=conversion.ingress_to_v1,
    validate=ingress.validate_as(conversion.ingress_to_v1),
)

KIND = _ingress(
    "networking.k8s.io",
    "v1",
    first_status={"loadBalancer": {}},
    validate=ingress.validate,
    columns=(
        cells.NAME,
        Column("Class", cells.text("spec.ingressClassName", cells.NONE)),
        Column("Hosts", _hosts),
        Column("Address", lambda obj, _now: ",".join(balancer_addresses(obj))),
        Column("Ports", _ports),
        cells.AGE,
    ),
)
KIND_V1BETA1 = _view(
    "networking.k8s.io",
    "v1beta1",
    from_storage=functools.partial(conversion.ingress_to_v1beta1, "networking.k8s.io/v1beta1"),
    deprecation=f"networking.k8s.io/v1beta1 Ingress is deprecated in v1.19+, {_INSTEAD}",
)
KIND_EXTENSIONS = _view(
    "extensions",
    "v1beta1",
    from_storage=functools.partial(conversion.ingress_to_v1beta1, "extensions/v1beta1"),
    deprecation=f"extensions/v1beta1 Ingress is deprecated in v1.14+, {_INSTEAD}",
)
