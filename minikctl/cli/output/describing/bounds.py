"""What bounds others: budgets of disruption, scaling, network policies, quotas, ranges and priorities."""

from __future__ import annotations

from typing import Any

from minikctl.cli.output.describing import common, quotas
from minikctl.cli.output.describing.sheet import Sheet
from minikctl.model import objects

Object = dict[str, Any]

MARGIN = "    "


def disruption_budget(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a PodDisruptionBudget."""
    spec, status = objects.spec(obj), objects.status(obj)
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Namespace:", objects.namespace(obj))
    if spec.get("minAvailable") is not None:
        sheet.row(0, "Min available:", spec["minAvailable"])
    elif spec.get("maxUnavailable") is not None:
        sheet.row(0, "Max unavailable:", spec["maxUnavailable"])
    selector = spec.get("selector")
    sheet.row(0, "Selector:", "<unset>" if selector is None else common.selector(selector))
    sheet.row(0, "Status:")
    for title, field in (
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ):
        sheet.row(2, f"{title}:", status.get(field, 0))
    common.events(sheet, obj, reader)


def priority_class(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a PriorityClass."""
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Value:", obj.get("value", 0))
    sheet.row(0, "GlobalDefault:", str(bool(obj.get("globalDefault"))).lower())
    sheet.row(0, "PreemptionPolicy:", obj.get("preemptionPolicy") or "PreemptLowerPriority")
    sheet.row(0, "Description:", obj.get("description", ""))
    sheet.row(0, "Annotations:", common.plain_selector(objects.annotations(obj)))
    common.events(sheet, obj, reader)


def quota(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a ResourceQuota."""
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Namespace:", objects.namespace(obj))
    quotas.scopes(sheet, obj, 0, " ")
    sheet.row(0, "Resource", "Used", "Hard")
    sheet.row(0, "--------", "----", "----")
    quotas.used(sheet, obj, 0)


def limit_range(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a LimitRange."""
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Namespace:", objects.namespace(obj))
    sheet.row(0, "Type", *quotas.TITLES)
    sheet.row(0, "----", *("-" * len(title) for title in quotas.TITLES))
    quotas.limits(sheet, obj, "")


def network_policy(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a NetworkPolicy."""
    spec = objects.spec(obj)
    created = str(objects.meta(obj).get("creationTimestamp") or "")
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Namespace:", objects.namespace(obj))
    sheet.row(0, "Created on:", created.replace("T", " ").replace("Z", " +0000 UTC"))
    common.marks(sheet, obj)
    selector = common.selector(spec.get("podSelector"))
    everybody = " (Allowing the specific traffic to all pods in this namespace)"
    sheet.row(0, "Spec:")
    sheet.row(1, f"PodSelector:     {selector}{everybody if selector == '<none>' else ''}")
    types = spec.get("policyTypes") or ()
    for kind, far, end in (("ingress", "From", "source"), ("egress", "To", "destination")):
        if kind.capitalize() in types:
            sheet.row(1, f"Allowing {kind} traffic:")
            _directions(sheet, kind, spec.get(kind) or [], (far, end))
        else:
            sheet.row(1, f"Not affecting {kind} traffic")
    sheet.row(1, f"Policy Types: {', '.join(types) or '<none>'}")


def _directions(sheet: Sheet, kind: str, rules: list[Object], words: tuple[str, str]) -> None:
    if not rules:
        sheet.row(0, f"{MARGIN}<none> (Selected pods are isolated for {kind} connectivity)")
    for number, rule in enumerate(rules):
        if number:
            sheet.row(0, f"{MARGIN}----------")
        _policy_ports(sheet, rule)
        far, end = words
        peers = rule.get(far.lower()) or ()
        if not peers:
            sheet.row(0, f"{MARGIN}{far}: <any> (traffic not restricted by {end})")
        for peer in peers:
            sheet.row(0, f"{MARGIN}{far}:")
            _peer(sheet, peer)


def _policy_ports(sheet: Sheet, rule: Object) -> None:
    if not rule.get("ports"):
        sheet.row(0, f"{MARGIN}To Port: <any> (traffic allowed to all ports)")
    for port in rule.get("ports") or ():
        first, protocol = port.get("port", "<nil>"), port.get("protocol") or "TCP"
        if port.get("endPort") is None:
            sheet.row(0, f"{MARGIN}To Port: {first}/{protocol}")
        else:
            sheet.row(0, f"{MARGIN}To Port Range: {first}-{port['endPort']}/{protocol}")


def _peer(sheet: Sheet, peer: Object) -> None:
    chosen = [key for key in ("namespaceSelector", "podSelector") if peer.get(key) is not None]
    for key in chosen:
        sheet.row(1, f"{MARGIN}{key[0].upper()}{key[1:]}: {common.selector(peer[key])}")
    block = peer.get("ipBlock")
    if block is not None and not chosen:
        sheet.row(1, f"{MARGIN}IPBlock:")
        sheet.row(2, f"{MARGIN}CIDR: {block.get('cidr', '')}")
        sheet.row(2, f"{MARGIN}Except: {', '.join(block.get('except') or ())}")
