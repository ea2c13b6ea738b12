"""Service: one stable address for the pods that a selector finds."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells, names, objects, selectors
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import service


def balancer_addresses(obj: Object) -> list[str]:
    """Return the addresses, or host names, in status.loadBalancer."""
    found = cells.at(obj, "status.loadBalancer.ingress") or ()
    return [each.get("ip") or each.get("hostname") or "" for each in found]


def _external(obj: Object, _now: datetime) -> str:
    spec = objects.spec(obj)
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    balanced = spec.get("type") == "LoadBalancer"
    found = [*(balancer_addresses(obj) if balanced else ()), *(spec.get("externalIPs") or ())]
    return cells.joined(found, "<pending>" if balanced else cells.NONE)


def _ports(obj: Object, _now: datetime) -> str:
    found = []
    for port in objects.spec(obj).get("ports") or ():
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        found.append(f"{port.get('port')}{node_port}/{port.get('protocol', 'TCP')}")
    return cells.joined(found)


def _selector(obj: Object, _now: datetime) -> str:
    return str(selectors.of_map(objects.spec(obj).get("selector"))) or cells.NONE


KIND = Kind(
    "",
    "v1",
    "Service",
    "services",
    first_status={"loadBalancer": {}},
    short_names=("svc",),
    categories=("all",),
    subresources=frozenset({"status"}),
    name_rule=names.dns_1035_label,
    default=service.default,
    validate=service.validate,
    selectable=cells.selectable("spec.clusterIP", "spec.type"),
    columns=(
        cells.NAME,
        Column("Type", cells.text("spec.type")),
        Column("Cluster-IP", cells.text("spec.clusterIP", cells.NONE)),
        Column("External-IP", _external),
        Column("Port(s)", _ports),
        cells.AGE,
        Column("Selector", _selector, priority=1),
    ),
)
