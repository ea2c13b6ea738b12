"""The FlowSchemas and PriorityLevelConfigurations that every cluster has: those of Kubernetes' own bootstrap.

The mandatory ones keep their specs whatever happens; the suggested ones are the administrator's as soon as
the annotation ``AUTO_UPDATE`` says "false".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from minikctl.model.objects import Object

VERSION = "flowcontrol.apiserver.k8s.io/v1"
AUTO_UPDATE = "apf.kubernetes.io/autoupdate-spec"
EXEMPT = "exempt"
CATCH_ALL = "catch-all"
MANDATORY = frozenset({EXEMPT, CATCH_ALL})
"""Names of both kinds whose specs are fixed, but for the member ``exempt`` of the level of that name."""

_ANYBODY = ("system:unauthenticated", "system:authenticated")
_READ_WRITE = ("get", "create", "update")
_LEASES = (_READ_WRITE, "coordination.k8s.io", ("leases",), False)

Rule = tuple[Sequence[str], str, Sequence[str], bool]
"""Verbs, API group, resources, and whether what is in no namespace counts too."""


def _subject(kind: str, name: str) -> dict[str, Any]:
    if kind == "ServiceAccount":
        return {"kind": kind, "serviceAccount": {"namespace": "kube-system", "name": name}}
    return {"kind": kind, kind.lower(): {"name": name}}


def _subjects(kind: str, *names: str) -> list[dict[str, Any]]:
    return [_subject(kind, name) for name in names]


_CONTROLLERS = _subjects("User", "system:kube-controller-manager")
_SCHEDULER = _subjects("User", "system:kube-scheduler")
_SYSTEM_ACCOUNTS = _subjects("ServiceAccount", "*")


def _resources(rule: Rule) -> dict[str, Any]:
    verbs, group, resources, cluster = rule
    found = {"verbs": list(verbs), "apiGroups": [group], "resources": list(resources), "namespaces": ["*"]}
    return {**found, "clusterScope": True} if cluster else found


def _everything(subjects: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "subjects": subjects,
        "resourceRules": [_resources((("*",), "*", ("*",), True))],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    }


def _some(subjects: list[dict[str, Any]], *rules: Rule) -> dict[str, Any]:
    return {"subjects": subjects, "resourceRules": [_resources(rule) for rule in rules]}


def _schema(name: str, level: str, precedence: int, method: str, rule: dict[str, Any]) -> Object:
    spec = {
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": precedence,
        "rules": [rule],
    }
    if method:
        spec["distinguisherMethod"] = {"type": method}
    return _object("FlowSchema", name, spec)


def _limited(name: str, shares: int, lendable: int, queues: int = 0, hand: int = 6) -> Object:
    response: dict[str, Any] = {"type": "Reject"}
    if queues:
        queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": 50}
        response = {"type": "Queue", "queuing": queuing}
    limited = {
        "nominalConcurrencyShares": shares,
        "lendablePercent": lendable,
        "limitResponse": response,
    }
    return _object("PriorityLevelConfiguration", name, {"type": "Limited", "limited": limited})


def _object(kind: str, name: str, spec: dict[str, Any]) -> Object:
    meta = {"name": name, "annotations": {AUTO_UPDATE: "true"}}
    return {"apiVersion": VERSION, "kind": kind, "metadata": meta, "spec": spec}


def _by_name(found: Iterable[Object]) -> dict[str, Object]:
    return {str(each["metadata"]["name"]): each for each in found}


_PROBES = {
    "subjects": _subjects("Group", *_ANYBODY),
    "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}],
}
_ENDPOINT_CONTROLLERS = [
    *_CONTROLLERS,
    *_subjects("ServiceAccount", "endpoint-controller", "endpointslicemirroring-controller"),
]
_NODES = _subjects("Group", "system:nodes")

LEVELS = _by_name(
    (
        _object(
            "PriorityLevelConfiguration",
            EXEMPT,
            {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}},
        ),
        _limited(CATCH_ALL, 5, 0),
        _limited("system", 30, 33, 64),
        _limited("node-high", 40, 25, 64),
        _limited("leader-election", 10, 0, 16, 4),
        _limited("workload-high", 40, 50, 128),
        _limited("workload-low", 100, 90, 128),
        _limited("global-default", 20, 50, 128),
    )
)
"""The PriorityLevelConfigurations, by name."""

SCHEMAS = _by_name(
    (
        _schema(EXEMPT, EXEMPT, 1, "", _everything(_subjects("Group", "system:masters"))),
        _schema("probes", EXEMPT, 2, "", _PROBES),
        _schema(
            "system-leader-election",
            "leader-election",
            100,
            "ByUser",
            _some([*_CONTROLLERS, *_SCHEDULER, *_SYSTEM_ACCOUNTS], _LEASES),
        ),
        _schema(
            "endpoint-controller",
            "workload-high",
            150,
            "ByUser",
            _some(_ENDPOINT_CONTROLLERS, (_READ_WRITE, "", ("endpoints",), False)),
        ),
        _schema(
            "workload-leader-election",
            "leader-election",
            200,
            "ByUser",
            _some(_SYSTEM_ACCOUNTS, (_READ_WRITE, "", ("endpoints", "configmaps"), False), _LEASES),
        ),
        _schema(
            "system-node-high",
            "node-high",
            400,
            "ByUser",
            _some(
                _NODES,
                (("*",), "", ("nodes", "nodes/status"), True),
                (("*",), "coordination.k8s.io", ("leases",), False),
            ),
        ),
        _schema("system-nodes", "system", 500, "ByUser", _everything(_NODES)),
        _schema("kube-controller-manager", "workload-high", 800, "ByNamespace", _everything(_CONTROLLERS)),
        _schema("kube-scheduler", "workload-high", 800, "ByNamespace", _everything(_SCHEDULER)),
        _schema(
            "kube-system-service-accounts",
            "workload-high",
            900,
            "ByNamespace",
            _everything(_SYSTEM_ACCOUNTS),
        ),
        _schema(
            "service-accounts",
            "workload-low",
            9000,
            "ByUser",
            _everything(_subjects("Group", "system:serviceaccounts")),
        ),
        _schema(
            "global-default", "global-default", 9900, "ByUser", _everything(_subjects("Group", *_ANYBODY))
        ),
        _schema(CATCH_ALL, CATCH_ALL, 10000, "ByUser", _everything(_subjects("Group", *_ANYBODY))),
    )
)
"""The FlowSchemas, by name."""


def fixed(wanted: Object, spec: dict[str, Any]) -> dict[str, Any]:
    """Return the spec that a bootstrap object has to have, given the one that it has.

    Administrators may change what the level ``exempt`` lends: its member ``exempt`` stays as it is.
    """
    own: dict[str, Any] = wanted["spec"]
    if wanted["metadata"]["name"] == EXEMPT and spec.get("exempt"):
        return {**own, "exempt": spec["exempt"]}
    return own
