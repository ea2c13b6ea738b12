"""What every namespace has from its beginning: the account "default" and the cluster's CA certificate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Create, Plan, Update
from minikctl.model.objects import Object

ACCOUNT = "default"
CONFIG_MAP = "kube-root-ca.crt"
CA_KEY = "ca.crt"
DESCRIPTION = {
    "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when "
    "using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is "
    "guaranteed across distributions of Kubernetes clusters."
}


@dataclass(frozen=True)
class View:
    """A Namespace with its default account and its CA ConfigMap, None where missing; ``ca`` is PEM text."""

    object: Object
    account: Object | None
    config_map: Object | None
    ca: str


def desired(view: View, now: datetime) -> Plan:  # noqa: ARG001 - every planner is asked with the time
    """Return the creation of what is missing and the repair of a certificate that is not the cluster's."""
    if objects.is_deleting(view.object):
        return Plan()
    namespace = objects.name(view.object)
    actions: list[ApiAction] = []
    if view.account is None:
        metadata = {"name": ACCOUNT, "namespace": namespace}
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
        actions.append(Create(kinds.SERVICE_ACCOUNT, account))
    data = {CA_KEY: view.ca}
    if view.config_map is None:
        metadata = {"name": CONFIG_MAP, "namespace": namespace}
        wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        actions.append(
            Create(kinds.CONFIG_MAP, {**wanted, "metadata": {**metadata, "annotations": DESCRIPTION}})
        )
    elif view.config_map.get("data") != data:
        actions.append(Update(kinds.CONFIG_MAP, {**view.config_map, "data": data}))
    return Plan(tuple(actions))
