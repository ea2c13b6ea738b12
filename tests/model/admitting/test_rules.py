"""Which requests rules mean."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model.admitting import rules
from minikctl.model.admitting.rules import Asked, Resource

PODS = Resource("", "v1", "pods")
DEPLOYMENTS = Resource("apps", "v1", "deployments")
NAMESPACES = Resource("", "v1", "namespaces")


def rule(resources: str = "pods", **more: Any) -> dict[str, Any]:
    base = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"]}
    return {**base, "resources": resources.split(","), **more}


def asked(resource: Resource = PODS, operation: str = "CREATE", namespace: str = "default") -> Asked:
    return Asked(operation, resource, namespace, "web")


@pytest.mark.parametrize(
    ("given", "request_", "wanted"),
    [
        (rule(), asked(), True),
        (rule("services"), asked(), False),
        (rule("services,pods"), asked(), True),
        (rule("*"), asked(), True),
        (rule("*"), asked(Resource("", "v1", "pods", "status")), False),
        (rule("*/*"), asked(Resource("", "v1", "pods", "status")), True),
        (rule("*/*"), asked(), True),
        (rule("pods/*"), asked(Resource("", "v1", "pods", "exec"), "CONNECT"), True),
        (rule("pods/*"), asked(), True),
        (rule("*/scale"), asked(Resource("apps", "v1", "deployments", "scale")), True),
        (rule("*/scale"), asked(DEPLOYMENTS), False),
        (rule(operations=["UPDATE", "DELETE"]), asked(), False),
        (rule(operations=["UPDATE", "DELETE"]), asked(operation="DELETE"), True),
        (rule(apiGroups=["apps"]), asked(), False),
        (rule("deployments", apiGroups=["apps"]), asked(DEPLOYMENTS), True),
        (rule(apiGroups=[""], apiVersions=["v2"]), asked(), False),
        (rule(scope="Namespaced"), asked(), True),
        (rule(scope="Cluster"), asked(), False),
        (rule("nodes", scope="Cluster"), asked(Resource("", "v1", "nodes"), namespace=""), True),
        (rule("nodes", scope="Namespaced"), asked(Resource("", "v1", "nodes"), namespace=""), False),
        (rule("namespaces", scope="Namespaced"), asked(NAMESPACES), False),
        (rule("namespaces", scope="Cluster"), asked(NAMESPACES), True),
        (rule("namespaces", scope="*"), asked(NAMESPACES), True),
        (rule(resourceNames=["web"]), asked(), True),
        (rule(resourceNames=["other"]), asked(), False),
        ({}, asked(), False),
    ],
)
def test_a_rule_means_what_fits_all_of_it(given: dict[str, Any], request_: Asked, wanted: bool) -> None:
    assert rules.matches(given, request_) is wanted


def test_another_version_of_the_same_resource_is_meant_too_unless_exact() -> None:
    old, new = (
        Resource("networking.k8s.io", "v1beta1", "ingresses"),
        Resource("networking.k8s.io", "v1", "ingresses"),
    )
    wanted = rule("ingresses", apiGroups=["networking.k8s.io"], apiVersions=["v1"])
    both = [old, new]
    assert rules.found([wanted], asked(new), both, "Exact") == new
    assert rules.found([wanted], asked(old), both, "Exact") is None
    assert rules.found([wanted], asked(old), both, "Equivalent") == new
    assert rules.found([rule("pods")], asked(old), both, "Equivalent") is None


def test_nobody_is_asked_about_who_is_asked() -> None:
    assert Resource(rules.GROUP, "v1", "validatingwebhookconfigurations").is_exempt
    assert not Resource("", "v1", "validatingwebhookconfigurations").is_exempt
    assert not PODS.is_exempt
