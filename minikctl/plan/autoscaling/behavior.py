"""How fast the number of replicas may change, and which of the recent recommendations counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from minikctl.plan.autoscaling.view import Past

_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_DOWN = {
    "stabilizationWindowSeconds": 300,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}
_RECENT = "recent recommendations"


@dataclass(frozen=True)
class Limited:
    """The replicas that are allowed now, with the reason and the message of two conditions.

    ``able`` is AbleToScale's, ``limit`` is ScalingLimited's; ``is_limited`` is the status of the latter.
    """

    replicas: int
    able: tuple[str, str]
    limit: tuple[str, str]
    is_limited: bool


def rules(spec: Mapping[str, Any], direction: str) -> dict[str, Any]:
    """Return the scaling rules for scaleUp or scaleDown, complete."""
    defaults = _UP if direction == "scaleUp" else _DOWN
    given = (spec.get("behavior") or {}).get(direction) or {}
    return {**defaults, **{name: value for name, value in given.items() if value is not None}}


def limit(spec: Mapping[str, Any], present: int, wanted: int, past: Past, now: datetime) -> Limited:
    """Return what of the wanted change is allowed now; what is present is within the bounds."""
    stable, able = _stabilized(spec, present, wanted, past, now)
    least = spec.get("minReplicas")
    bounds = (1 if least is None else int(least), int(spec.get("maxReplicas") or 1))
    if stable > present:
        fastest = max(_reach(spec, "scaleUp", present, past, now), present)
        reason = (
            "ScaleUpLimit",
            "the desired replica count is increasing faster than the maximum scale rate",
        )
        most = bounds[1]
        if fastest >= most:
            fastest = most
            reason = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
        if stable > fastest:
            return Limited(fastest, able, reason, True)
    elif stable < present:
        slowest = min(_reach(spec, "scaleDown", present, past, now), present)
        reason = (
            "ScaleDownLimit",
            "the desired replica count is decreasing faster than the maximum scale rate",
        )
        if slowest <= bounds[0]:
            slowest = bounds[0]
            reason = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
        if stable < slowest:
            return Limited(slowest, able, reason, True)
    fine = ("DesiredWithinRange", "the desired count is within the acceptable range")
    return Limited(stable, able, fine, False)


def _stabilized(
    spec: Mapping[str, Any], present: int, wanted: int, past: Past, now: datetime
) -> tuple[int, tuple[str, str]]:
    """Return the recommendation that counts: the lowest lately to grow, the highest lately to shrink.

    Without ``behavior`` it is the highest lately, whichever way that leads.
    """
    lowest = highest = wanted
    recommended = past.recommended or ((now, present),)
    up = timedelta(seconds=int(rules(spec, "scaleUp")["stabilizationWindowSeconds"]))
    down = timedelta(seconds=int(rules(spec, "scaleDown")["stabilizationWindowSeconds"]))
    for moment, replicas in recommended:
        if moment > now - up:
            lowest = min(lowest, replicas)
        if moment > now - down:
            highest = max(highest, replicas)
    found = highest if spec.get("behavior") is None else min(max(present, lowest), highest)
    if found == wanted:
        return found, ("ReadyForNewScale", "recommended size matches current size")
    if found > wanted:
        text = f"{_RECENT} were higher than current one, applying the highest recent recommendation"
        return found, ("ScaleDownStabilized", text)
    text = f"{_RECENT} were lower than current one, applying the lowest recent recommendation"
    return found, ("ScaleUpStabilized", text)


def _reach(spec: Mapping[str, Any], direction: str, present: int, past: Past, now: datetime) -> int:
    """Return the number of replicas that the policies allow to go to, after what was changed lately.

    Without ``behavior`` there are no policies: a step at most doubles, or goes to four, and shrinks at will.
    """
    grows = direction == "scaleUp"
    if spec.get("behavior") is None:
        return max(2 * present, 4) if grows else 0
    found = rules(spec, direction)
    if found["selectPolicy"] == "Disabled":
        return present
    proposals = [_step(policy, grows, present, past, now) for policy in found["policies"]]
    widest = (found["selectPolicy"] == "Max") == grows
    return max(proposals) if widest else min(proposals)


def _step(policy: Mapping[str, Any], grows: bool, present: int, past: Past, now: datetime) -> int:
    since = now - timedelta(seconds=int(policy.get("periodSeconds") or 0))
    changed = sum(change for moment, change in past.changes if moment > since)
    begin = present - changed
    value = int(policy.get("value") or 0)
    if policy.get("type") == "Pods":
        return begin + value if grows else begin - value
    if grows:
        return math.ceil(begin * (1 + value / 100))
    return int(begin * (1 - value / 100))
