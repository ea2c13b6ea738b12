"""Ranges of addresses, addresses taken from them, and what a node's storage drivers are."""

from __future__ import annotations

from typing import Any

from minikctl.cli.output.describing import common
from minikctl.cli.output.describing.sheet import Sheet
from minikctl.model import objects

Object = dict[str, Any]


def service_cidr(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a ServiceCIDR."""
    common.head(sheet, obj, namespaced=False)
    sheet.row(0, "CIDRs:", ", ".join(objects.spec(obj).get("cidrs") or ()))
    conditions = objects.status(obj).get("conditions")
    if conditions:
        titles = ("Type", "Status", "LastTransitionTime", "Reason", "Message")
        sheet.row(0, "Status:")
        sheet.row(0, "Conditions:")
        sheet.row(1, *titles)
        sheet.row(1, *("-" * len(title) for title in titles))
        for entry in conditions:
            told = (entry.get("reason", ""), entry.get("message", ""))
            moment = common.moment(entry.get("lastTransitionTime"))
            sheet.row(1, f"{entry['type']} ", f"{entry['status']} ", f"{moment} ", *told)
    common.events(sheet, obj, reader)


def address(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write an IPAddress."""
    common.head(sheet, obj, namespaced=False)
    parent = objects.spec(obj).get("parentRef")
    if parent:
        sheet.row(0, "Parent Reference:")
        for field in ("group", "resource", "namespace", "name"):
            sheet.row(1, f"{field.capitalize()}:", parent.get(field, ""))
    common.events(sheet, obj, reader)


def csi_node(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a CSINode."""
    common.head(sheet, obj, namespaced=False)
    sheet.row(0, "CreationTimestamp:", common.moment(objects.meta(obj).get("creationTimestamp")))
    sheet.row(0, "Spec:")
    drivers = objects.spec(obj).get("drivers")
    if drivers is not None:
        sheet.row(1, "Drivers:")
    for driver in drivers or ():
        sheet.row(2, f"{driver['name']}:")
        sheet.row(3, "Node ID:", driver.get("nodeID", ""))
        count = (driver.get("allocatable") or {}).get("count")
        if count is not None:
            sheet.row(3, "Allocatables:")
            sheet.row(4, "Count:", count)
        if driver.get("topologyKeys") is not None:
            sheet.row(3, "Topology Keys:", f"[{' '.join(driver['topologyKeys'])}]")
    common.events(sheet, obj, reader)
