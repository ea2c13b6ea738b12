from __future__ import annotations

from minikctl.model import kinds


def test_look_up() -> None:
    assert kinds.find("apps", "v1", "deployments") is kinds.DEPLOYMENT
    assert kinds.find("apps", "v2", "deployments") is None
    assert kinds.by_gvk("", "v1", "Pod") is kinds.POD
    assert kinds.of({"apiVersion": "networking.k8s.io/v1beta1", "kind": "Ingress"}) is kinds.INGRESS_V1BETA1
    assert kinds.of({}) is None
    assert kinds.stored(kinds.INGRESS_EXTENSIONS) is kinds.INGRESS
    assert kinds.stored(kinds.POD) is kinds.POD
    assert len({(kind.group, kind.version, kind.plural) for kind in kinds.ALL}) == len(kinds.ALL)


def test_names_of_a_kind() -> None:
    assert (kinds.POD.api_version, kinds.POD.resource, kinds.POD.singular) == ("v1", "pods", "pod")
    assert (kinds.DEPLOYMENT.api_version, kinds.DEPLOYMENT.resource) == ("apps/v1", "deployments.apps")


def test_field_selector_values() -> None:
    pod = {"spec": {"hostNetwork": True, "nodeName": "n"}}
    assert kinds.POD.selectable["spec.hostNetwork"](pod) == "true"
    assert kinds.POD.selectable["spec.nodeName"](pod) == "n"
    assert kinds.POD.selectable["status.phase"](pod) == ""
    assert kinds.POD.selectable["spec.hostNetwork"]({}) == "false"
    assert kinds.NODE.selectable["spec.unschedulable"]({}) == "false"
    assert kinds.REPLICA_SET.selectable["status.replicas"]({}) == "0"
    assert kinds.EVENT.selectable["source"]({"reportingComponent": "k"}) == "k"


def test_deprecations_name_what_to_use_instead() -> None:
    for kind in (kinds.INGRESS_V1BETA1, kinds.INGRESS_EXTENSIONS, kinds.ENDPOINTS):
        assert kind.deprecation.startswith(f"{kind.api_version} {kind.kind} is deprecated in ")
    assert not kinds.INGRESS.deprecation
