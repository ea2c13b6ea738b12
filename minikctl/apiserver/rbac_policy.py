"""The roles and bindings that every cluster has: those of Kubernetes' bootstrap policy that users meet.

The roles of Kubernetes' own controllers (system:controller:…) are left out: here they are one process with
the API, and nobody else should have them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model.objects import Object

GROUP = "rbac.authorization.k8s.io"
AUTO_UPDATE = "rbac.authorization.kubernetes.io/autoupdate"
LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_TO = f"{GROUP}/aggregate-to-"

READ = "get list watch"
WRITE = "create delete deletecollection patch update"
_EVENTS = ("create patch update", "|events.k8s.io", "events")
_CSR = "certificates.k8s.io"
_SAR = "authorization.k8s.io"

Rule = tuple[str, ...]
"""(verbs, groups divided by "|", resources[, names]), or (verbs, paths) for what is no resource."""

_WORKLOADS = "daemonsets deployments deployments/scale replicasets replicasets/scale"
_HEALTH = "/healthz /livez /readyz /version /version/"

_EDIT: tuple[Rule, ...] = (
    (READ, "", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
    ("impersonate", "", "serviceaccounts"),
    (WRITE, "", "pods pods/attach pods/exec pods/portforward pods/proxy"),
    ("create", "", "pods/eviction"),
    (
        WRITE,
        "",
        "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale "
        "secrets serviceaccounts services services/proxy",
    ),
    ("create", "", "serviceaccounts/token"),
    (WRITE, "apps", f"{_WORKLOADS} deployments/rollback statefulsets statefulsets/scale"),
    (WRITE, "autoscaling", "horizontalpodautoscalers"),
    (WRITE, "batch", "cronjobs jobs"),
    (
        WRITE,
        "extensions",
        f"{_WORKLOADS} deployments/rollback ingresses networkpolicies replicationcontrollers/scale",
    ),
    (WRITE, "policy", "poddisruptionbudgets"),
    (WRITE, "networking.k8s.io", "ingresses networkpolicies"),
    (f"{WRITE} {READ}", "coordination.k8s.io", "leases"),
    (WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
)
_VIEW: tuple[Rule, ...] = (
    (
        READ,
        "",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods "
        "replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status",
    ),
    (
        READ,
        "",
        "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status "
        "resourcequotas resourcequotas/status",
    ),
    (READ, "", "namespaces"),
    (READ, "discovery.k8s.io", "endpointslices"),
    (
        READ,
        "apps",
        f"controllerrevisions {_WORKLOADS} daemonsets/status deployments/status replicasets/status "
        "statefulsets statefulsets/scale statefulsets/status",
    ),
    (READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    (READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
    (
        READ,
        "extensions",
        f"{_WORKLOADS} daemonsets/status deployments/status ingresses ingresses/status networkpolicies "
        "replicasets/status replicationcontrollers/scale",
    ),
    (READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    (READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
    (READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
)
_SCHEDULER: tuple[Rule, ...] = (
    _EVENTS,
    ("create", "coordination.k8s.io", "leases"),
    ("get list update watch", "coordination.k8s.io", "leases", "kube-scheduler"),
    (READ, "", "nodes"),
    (f"delete {READ}", "", "pods"),
    ("create", "", "bindings pods/binding"),
    ("patch update", "", "pods/status"),
    (READ, "", "namespaces replicationcontrollers services"),
    (READ, "apps|extensions", "replicasets"),
    (READ, "apps", "statefulsets"),
    (READ, "policy", "poddisruptionbudgets"),
    (READ, "", "persistentvolumeclaims persistentvolumes"),
    ("create", "authentication.k8s.io", "tokenreviews"),
    ("create", _SAR, "subjectaccessreviews"),
    (READ, "storage.k8s.io", "csidrivers csinodes csistoragecapacities volumeattachments"),
)
_MANAGER: tuple[Rule, ...] = (
    _EVENTS,
    ("create", "coordination.k8s.io", "leases"),
    ("get update", "coordination.k8s.io", "leases", "kube-controller-manager"),
    ("create", "", "secrets serviceaccounts"),
    ("delete", "", "secrets"),
    ("get", "", "configmaps namespaces secrets serviceaccounts"),
    ("update", "", "secrets serviceaccounts"),
    ("create", "authentication.k8s.io", "tokenreviews"),
    ("create", _SAR, "subjectaccessreviews"),
    ("list watch", "*", "*"),
    ("create", "", "serviceaccounts/token"),
)
_NODE: tuple[Rule, ...] = (
    ("create", "authentication.k8s.io", "tokenreviews"),
    ("create", _SAR, "localsubjectaccessreviews subjectaccessreviews"),
    (READ, "", "services"),
    (f"create {READ}", "", "nodes"),
    ("patch update", "", "nodes/status"),
    ("patch update", "", "nodes"),
    _EVENTS,
    (READ, "", "pods"),
    ("create delete", "", "pods"),
    ("patch update", "", "pods/status"),
    ("create", "", "pods/eviction"),
    (READ, "", "configmaps secrets"),
    ("get", "", "persistentvolumeclaims persistentvolumes"),
    ("get", "", "endpoints"),
    (f"create {READ}", _CSR, "certificatesigningrequests"),
    ("create delete get patch update", "coordination.k8s.io", "leases"),
    ("get", "storage.k8s.io", "volumeattachments"),
    ("create", "", "serviceaccounts/token"),
    ("get patch update", "", "persistentvolumeclaims/status"),
    (READ, "storage.k8s.io", "csidrivers"),
    ("create delete get patch update", "storage.k8s.io", "csinodes"),
    (READ, "node.k8s.io", "runtimeclasses"),
    ("get", "resource.k8s.io", "resourceclaims"),
)
_PROVISIONER: tuple[Rule, ...] = (
    (f"create delete {READ}", "", "persistentvolumes"),
    (f"{READ} update", "", "persistentvolumeclaims"),
    (READ, "storage.k8s.io", "storageclasses"),
    ("watch", "", "events"),
    _EVENTS,
)

CLUSTER_ROLES: dict[str, tuple[Rule, ...]] = {
    "cluster-admin": (("*", "*", "*"), ("*", "*")),
    "system:aggregate-to-admin": (
        ("create", _SAR, "localsubjectaccessreviews"),
        (f"{WRITE} {READ}", GROUP, "rolebindings roles"),
    ),
    "system:aggregate-to-edit": _EDIT,
    "system:aggregate-to-view": _VIEW,
    "system:auth-delegator": (
        ("create", "authentication.k8s.io", "tokenreviews"),
        ("create", _SAR, "subjectaccessreviews"),
    ),
    "system:basic-user": (
        ("create", _SAR, "selfsubjectaccessreviews selfsubjectrulesreviews"),
        ("create", "authentication.k8s.io", "selfsubjectreviews"),
    ),
    "system:discovery": (("get", f"/api /api/* /apis /apis/* /openapi /openapi/* {_HEALTH}"),),
    "system:public-info-viewer": (("get", _HEALTH),),
    "system:monitoring": (
        ("get", "/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*"),
    ),
    "system:service-account-issuer-discovery": (
        (
            "get",
            "/.well-known/openid-configuration /.well-known/openid-configuration/ "
            "/openid/v1/jwks /openid/v1/jwks/",
        ),
    ),
    "system:heapster": (
        (READ, "", "events namespaces nodes pods"),
        (READ, "extensions", "deployments"),
    ),
    "system:kube-aggregator": ((READ, "", "endpoints services"),),
    "system:kube-controller-manager": _MANAGER,
    "system:kube-dns": (("list watch", "", "endpoints services"),),
    "system:kube-scheduler": _SCHEDULER,
    "system:kubelet-api-admin": (
        ("get list watch", "", "nodes"),
        ("proxy", "", "nodes"),
        ("*", "", "nodes/log nodes/metrics nodes/proxy nodes/stats"),
    ),
    "system:node": _NODE,
    "system:node-bootstrapper": ((f"create {READ}", _CSR, "certificatesigningrequests"),),
    "system:node-problem-detector": (("get", "", "nodes"), ("patch", "", "nodes/status"), _EVENTS),
    "system:node-proxier": (
        ("list watch", "", "endpoints services"),
        ("get list watch", "", "nodes"),
        _EVENTS,
        ("list watch", "discovery.k8s.io", "endpointslices"),
        ("list watch", "networking.k8s.io", "servicecidrs"),
    ),
    "system:persistent-volume-provisioner": _PROVISIONER,
    "system:volume-scheduler": (
        (f"{READ} patch update", "", "persistentvolumes"),
        (READ, "storage.k8s.io", "storageclasses"),
        (f"{READ} patch update", "", "persistentvolumeclaims"),
    ),
    f"system:{_CSR}:certificatesigningrequests:nodeclient": (
        ("create", _CSR, "certificatesigningrequests/nodeclient"),
    ),
    f"system:{_CSR}:certificatesigningrequests:selfnodeclient": (
        ("create", _CSR, "certificatesigningrequests/selfnodeclient"),
    ),
    f"system:{_CSR}:kube-apiserver-client-approver": (
        ("approve", _CSR, "signers", "kubernetes.io/kube-apiserver-client"),
    ),
    f"system:{_CSR}:kube-apiserver-client-kubelet-approver": (
        ("approve", _CSR, "signers", "kubernetes.io/kube-apiserver-client-kubelet"),
    ),
    f"system:{_CSR}:kubelet-serving-approver": (
        ("approve", _CSR, "signers", "kubernetes.io/kubelet-serving"),
    ),
    f"system:{_CSR}:legacy-unknown-approver": (("approve", _CSR, "signers", "kubernetes.io/legacy-unknown"),),
}
AGGREGATED = {"admin": "", "edit": "admin", "view": "edit"}
"""Roles made of others: their name, and the role that they are a part of themselves."""
_PARTS = {f"system:aggregate-to-{role}": role for role in AGGREGATED}

_USERS, _GROUPS = "User", "Group"
CLUSTER_ROLE_BINDINGS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "cluster-admin": ("cluster-admin", _GROUPS, ("system:masters",)),
    "system:monitoring": ("system:monitoring", _GROUPS, ("system:monitoring",)),
    "system:discovery": ("system:discovery", _GROUPS, ("system:authenticated",)),
    "system:basic-user": ("system:basic-user", _GROUPS, ("system:authenticated",)),
    "system:public-info-viewer": (
        "system:public-info-viewer",
        _GROUPS,
        ("system:authenticated", "system:unauthenticated"),
    ),
    "system:service-account-issuer-discovery": (
        "system:service-account-issuer-discovery",
        _GROUPS,
        ("system:serviceaccounts",),
    ),
    "system:node": ("system:node", _GROUPS, ()),
    "system:node-proxier": ("system:node-proxier", _USERS, ("system:kube-proxy",)),
    "system:kube-controller-manager": (
        "system:kube-controller-manager",
        _USERS,
        ("system:kube-controller-manager",),
    ),
    "system:kube-scheduler": ("system:kube-scheduler", _USERS, ("system:kube-scheduler",)),
    "system:volume-scheduler": ("system:volume-scheduler", _USERS, ("system:kube-scheduler",)),
}


def objects() -> Iterator[Object]:
    """Yield all roles and bindings as they are to be."""
    for name, rules in CLUSTER_ROLES.items():
        labels = {_TO + _PARTS[name]: "true"} if name in _PARTS else {}
        yield {**_head("ClusterRole", name, labels), "rules": [_rule(each) for each in rules]}
    for name, part_of in AGGREGATED.items():
        head = _head("ClusterRole", name, {_TO + part_of: "true"} if part_of else {})
        yield {**head, "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {_TO + name: "true"}}]}}
    for name, (role, kind, subjects) in CLUSTER_ROLE_BINDINGS.items():
        reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": role}
        found = [{"apiGroup": GROUP, "kind": kind, "name": each} for each in subjects]
        yield {**_head("ClusterRoleBinding", name, {}), "roleRef": reference, "subjects": found}
    yield from _of_namespaces()


def _of_namespaces() -> Iterator[Object]:
    reader = "extension-apiserver-authentication-reader"
    rule = _rule((READ, "", "configmaps", "extension-apiserver-authentication"))
    yield {**_head("Role", reader, {}, "kube-system"), "rules": [rule]}
    found = [
        {"apiGroup": GROUP, "kind": _USERS, "name": f"system:kube-{each}"}
        for each in ("controller-manager", "scheduler")
    ]
    head = _head("RoleBinding", f"system::{reader}", {}, "kube-system")
    yield {**head, "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": reader}, "subjects": found}


def _head(kind: str, name: str, labels: dict[str, str], namespace: str = "") -> Object:
    metadata: dict[str, Any] = {
        "name": name,
        "labels": {**LABELS, **labels},
        "annotations": {AUTO_UPDATE: "true"},
    }
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata}


def _rule(given: Rule) -> dict[str, list[str]]:
    if len(given) == 2:
        return {"nonResourceURLs": given[1].split(), "verbs": given[0].split()}
    found = {"apiGroups": given[1].split("|"), "resources": given[2].split(), "verbs": given[0].split()}
    return {**found, "resourceNames": given[3].split()} if len(given) == 4 else found
