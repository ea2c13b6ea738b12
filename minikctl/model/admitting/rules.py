"""Which requests the rules of webhooks and policies mean, as admissionregistration.k8s.io/v1 defines it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GROUP = "admissionregistration.k8s.io"
EXEMPT = frozenset(
    {
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "validatingwebhookconfigurations",
    }
)
"""Resources of ``GROUP`` about which nobody is asked, so that a broken configuration can be mended."""

Rule = Mapping[str, Any]
"""A RuleWithOperations or NamedRuleWithOperations."""


@dataclass(frozen=True)
class Resource:
    """A resource in one version; ``part`` is the subresource, "" for the object itself."""

    group: str
    version: str
    plural: str
    part: str = ""

    @property
    def is_exempt(self) -> bool:
        """Tell whether nobody is asked about it."""
        return self.group == GROUP and self.plural in EXEMPT


@dataclass(frozen=True)
class Asked:
    """What rules look at; ``namespace`` "" is the cluster's scope, a Namespace is in the one of its name."""

    operation: str
    resource: Resource
    namespace: str = ""
    name: str = ""


def _has(wanted: Sequence[str] | None, value: str) -> bool:
    return any(each in ("*", value) for each in wanted or ())


def names_resource(rule: Rule, operation: str, group: str, plural: str, part: str) -> bool:
    """Tell whether a rule may mean such requests, whatever their version and scope."""
    return (
        _has(rule.get("operations"), operation)
        and _has(rule.get("apiGroups"), group)
        and any(_is_resource(each, plural, part) for each in rule.get("resources") or ())
    )


def _is_resource(text: str, plural: str, part: str) -> bool:
    resource, _, below = text.partition("/")
    return resource in ("*", plural) and below in ("*", part)


def matches(rule: Rule, asked: Asked) -> bool:
    """Tell whether a rule means the request."""
    resource = asked.resource
    return (
        names_resource(rule, asked.operation, resource.group, resource.plural, resource.part)
        and _has(rule.get("apiVersions"), resource.version)
        and _in_scope(rule, asked)
        and (not rule.get("resourceNames") or asked.name in rule["resourceNames"])
    )


def _in_scope(rule: Rule, asked: Asked) -> bool:
    is_of_cluster = not asked.namespace or (asked.resource.group, asked.resource.plural) == ("", "namespaces")
    match rule.get("scope"):
        case "Namespaced":
            return not is_of_cluster
        case "Cluster":
            return is_of_cluster
        case _:
            return True


def found(
    rules: Iterable[Rule], asked: Asked, equivalents: Iterable[Resource], policy: str
) -> Resource | None:
    """Return the resource as which the rules mean the request, None if they do not.

    With match policy Equivalent that may be the same resource in another version or group.
    """
    wanted = list(rules)
    if any(matches(rule, asked) for rule in wanted):
        return asked.resource
    if policy == "Exact":
        return None
    others = [each for each in equivalents if each != asked.resource]
    for rule in wanted:
        for other in others:
            if matches(rule, Asked(asked.operation, other, asked.namespace, asked.name)):
                return other
    return None
