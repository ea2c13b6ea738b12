"""What a namespace may have: its quotas and limit ranges."""

from __future__ import annotations

from typing import Any

from minikctl.cli.output.describing.sheet import Sheet
from minikctl.model import objects

Object = dict[str, Any]

_SCOPES = {
    "Terminating": "Matches all pods that have an active deadline. These pods have a limited lifespan on a "
    "node before being actively terminated by the system.",
    "NotTerminating": "Matches all pods that do not have an active deadline. These pods usually include long "
    "running pods whose container command is not expected to terminate.",
    "BestEffort": "Matches all pods that do not have resource requirements set. These pods have a best effort "
    "quality of service.",
    "NotBestEffort": "Matches all pods that have at least one resource requirement set. These pods have a "
    "burstable or guaranteed quality of service.",
}
_BOUNDS = ("min", "max", "defaultRequest", "default", "maxLimitRequestRatio")
TITLES = ("Resource", "Min", "Max", "Default Request", "Default Limit", "Max Limit/Request Ratio")


def write(sheet: Sheet, quotas: list[Object], ranges: list[Object]) -> None:
    """Write the quotas and limit ranges of a namespace."""
    sheet.row(0, "")
    if quotas:
        sheet.row(0, "Resource Quotas")
        for quota in sorted(quotas, key=objects.name):
            _quota(sheet, quota)
    else:
        sheet.row(0, "No resource quota.")
    sheet.row(0, "")
    if ranges:
        sheet.row(0, "Resource Limits")
        sheet.row(0, " Type", *TITLES)
        dashes = ("-" * len(title) for title in TITLES)
        sheet.row(0, " ----", *dashes)
        for each in ranges:
            limits(sheet, each, " ")
    else:
        sheet.row(0, "No LimitRange resource.")


def _quota(sheet: Sheet, quota: Object) -> None:
    sheet.row(1, "Name:", objects.name(quota))
    scopes(sheet, quota, 1)
    sheet.row(1, "Resource", "Used", "Hard")
    sheet.row(1, "--------", "---", "---")
    used(sheet, quota, 1)


def scopes(sheet: Sheet, quota: Object, level: int, margin: str = "") -> None:
    """Write which pods a quota counts, if not all, and what that means."""
    found = sorted(objects.spec(quota).get("scopes") or ())
    if found:
        sheet.row(level, "Scopes:", ", ".join(found))
    for scope in found:
        if scope in _SCOPES:
            sheet.row(level, f"{margin}* {_SCOPES[scope]}")


def used(sheet: Sheet, quota: Object, level: int) -> None:
    """Write what is used of a quota."""
    hard, taken = objects.status(quota).get("hard") or {}, objects.status(quota).get("used") or {}
    for name in sorted(hard):
        sheet.row(level, name, taken.get(name, "0"), hard[name])


def limits(sheet: Sheet, each: Object, prefix: str) -> None:
    """Write the bounds of one LimitRange."""
    for item in objects.spec(each).get("limits") or ():
        named = sorted({name for bound in _BOUNDS for name in item.get(bound) or {}})
        for name in named:
            cells = ((item.get(bound) or {}).get(name, "-") for bound in _BOUNDS)
            sheet.row(0, f"{prefix}{item.get('type', '')}", name, *cells)
