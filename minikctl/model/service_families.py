"""The address families of a Service, in a cluster whose Services have IPv4 addresses and no others.

The rules are those of Kubernetes' API server at the allocation of addresses (``initIPFamilyFields`` in
pkg/registry/core/service/storage/alloc.go), for a cluster of a single family.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from minikctl.model import causes

FAMILY, OTHER = "IPv4", "IPv6"
"""What the cluster has, and what it has not."""

Cause = dict[str, str]


def settle(spec: dict[str, Any]) -> list[Cause]:
    """Fill in, in place, what is left open of a Service's families; return what is wrong with those given.

    A Service without a selector and without an address may have any: its endpoints are somebody else's.
    An ExternalName has none.
    """
    if spec.get("type") == "ExternalName":
        return []
    addresses = [each for each in spec.get("clusterIPs") or [spec.get("clusterIP")] if each]
    is_headless = addresses[:1] == ["None"]
    is_free = is_headless and not spec.get("selector")
    policy = spec.get("ipFamilyPolicy") or ("RequireDualStack" if is_free else "SingleStack")
    families = [*(spec.get("ipFamilies") or ())]
    wrong = _contradictions(policy, addresses, families)
    if not is_headless:
        wrong += _inferred(addresses, families)
    if not is_free and not wrong:
        wrong = _unconfigured(policy, families)
    if wrong:
        return wrong
    families = families or [FAMILY]
    if is_free and policy != "SingleStack" and len(families) == 1:
        families.append(OTHER if families == [FAMILY] else FAMILY)
    spec["ipFamilyPolicy"], spec["ipFamilies"] = policy, families
    return []


def _contradictions(policy: str, addresses: list[str], families: list[str]) -> list[Cause]:
    if policy != "SingleStack":
        return []
    detail = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
    found = [("cluster IPs", addresses), ("IP families", families)]
    return [
        causes.invalid("spec.ipFamilyPolicy", policy, detail.format(words))
        for words, given in found
        if len(given) == 2
    ]


def _inferred(addresses: list[str], families: list[str]) -> list[Cause]:
    """Take over, in place, the families of addresses for which none is named."""
    wrong = []
    for index, address in enumerate(addresses):
        if index < len(families):
            continue
        family = OTHER if ipaddress.ip_address(address).version == 6 else FAMILY
        if family == FAMILY:
            families.append(family)
        else:
            detail = f"{family} is not configured on this cluster"
            wrong.append(causes.invalid(f"spec.clusterIPs[{index}]", addresses, detail))
    return wrong


def _unconfigured(policy: str, families: list[str]) -> list[Cause]:
    wrong = []
    if policy == "RequireDualStack":
        detail = "this cluster is not configured for dual-stack services"
        wrong.append(causes.invalid("spec.ipFamilyPolicy", policy, detail))
    for index, family in enumerate(families):
        if family != FAMILY:
            wrong.append(
                causes.invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
            )
    return wrong
