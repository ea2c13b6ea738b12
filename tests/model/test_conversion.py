from __future__ import annotations

from typing import Any

import pytest

from minikctl.model import admission, kinds
from minikctl.model.kinds.base import Kind

BETA: list[dict[str, Any]] = [
    {},
    {"backend": {"serviceName": "a", "servicePort": 80}},
    {"backend": {"serviceName": "a", "servicePort": "http"}, "tls": [{"hosts": ["a.b"]}]},
    {"rules": [{"host": "a.b"}, {"http": {"paths": [{"path": "/", "pathType": "Exact", "backend": {}}]}}]},
    {"backend": {"resource": {"kind": "K", "name": "n"}}, "rules": [{"http": {}}]},
    {"rules": [{"http": {"paths": [{"pathType": "Prefix"}]}}]},
]


@pytest.mark.parametrize("spec", BETA)
@pytest.mark.parametrize("kind", [kinds.INGRESS_V1BETA1, kinds.INGRESS_EXTENSIONS])
def test_there_and_back(spec: dict[str, Any], kind: Kind) -> None:
    obj = {"apiVersion": kind.api_version, "kind": "Ingress", "metadata": {"name": "a"}, "spec": spec}
    stored = kind.to_storage(obj)
    assert stored["apiVersion"] == "networking.k8s.io/v1"
    back = kind.from_storage(stored)
    assert kind.to_storage(back) == stored
    if not any("paths" in (rule.get("http") or {"paths": 0}) for rule in spec.get("rules", ())):
        assert {key: value for key, value in back["spec"].items() if key != "rules"} == {
            key: value for key, value in spec.items() if key != "rules"
        }


def test_an_old_ingress_becomes_a_sound_new_one() -> None:
    paths = [{"path": "/", "backend": {"serviceName": "whale-svc-a", "servicePort": 80}}]
    old = {
        "apiVersion": "extensions/v1beta1",
        "kind": "Ingress",
        "metadata": {"name": "whale-ingress", "namespace": "default"},
        "spec": {"rules": [{"host": "a.whale.hey", "http": {"paths": paths}}]},
    }
    new = kinds.INGRESS_EXTENSIONS.to_storage(old)
    assert admission.prepare(kinds.INGRESS, new, None) == []
    assert new["spec"]["rules"][0]["http"]["paths"] == [
        {
            "path": "/",
            "pathType": "ImplementationSpecific",
            "backend": {"service": {"name": "whale-svc-a", "port": {"number": 80}}},
        }
    ]


def test_a_service_without_a_port() -> None:
    stored = {"spec": {"defaultBackend": {"service": {"name": "a"}}}}
    assert kinds.INGRESS_V1BETA1.from_storage(stored)["spec"] == {
        "backend": {"serviceName": "a", "servicePort": 0}
    }
    half = {"spec": {"backend": {"serviceName": "a"}}}
    assert kinds.INGRESS_V1BETA1.to_storage(half)["spec"] == {"defaultBackend": {"service": {"name": "a"}}}


def test_events_are_one_thing_under_two_names() -> None:
    core = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "a"},
        "involvedObject": {"kind": "Pod"},
        "message": "m",
        "count": 3,
        "reportingComponent": "k",
        "type": "Normal",
    }
    view = kinds.EVENT_EVENTS.from_storage(core)
    assert view["note"] == "m"
    assert view["regarding"] == {"kind": "Pod"}
    assert view["deprecatedCount"] == 3
    assert kinds.EVENT_EVENTS.to_storage(view) == core
