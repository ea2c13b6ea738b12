from __future__ import annotations

import pytest

from minikctl.apiserver import attributes
from minikctl.apiserver.attributes import Attributes
from minikctl.apiserver.auth import User

PODS = "/api/v1/namespaces/a/pods"


@pytest.mark.parametrize(
    ("method", "path", "query", "wanted"),
    [
        ("GET", PODS, {}, ("list", "", "pods", "", "a", "")),
        ("GET", PODS, {"watch": "true"}, ("watch", "", "pods", "", "a", "")),
        ("GET", PODS, {"watch": "false"}, ("list", "", "pods", "", "a", "")),
        ("GET", PODS, {"fieldSelector": "metadata.name=x"}, ("list", "", "pods", "", "a", "x")),
        ("GET", f"{PODS}/x", {}, ("get", "", "pods", "", "a", "x")),
        ("HEAD", f"{PODS}/x", {}, ("get", "", "pods", "", "a", "x")),
        ("GET", f"{PODS}/x/log", {}, ("get", "", "pods", "log", "a", "x")),
        ("POST", f"{PODS}/x/exec", {}, ("create", "", "pods", "exec", "a", "x")),
        ("DELETE", PODS, {}, ("deletecollection", "", "pods", "", "a", "")),
        ("DELETE", f"{PODS}/x", {}, ("delete", "", "pods", "", "a", "x")),
        ("PATCH", f"{PODS}/x", {}, ("patch", "", "pods", "", "a", "x")),
        ("GET", "/api/v1/pods", {}, ("list", "", "pods", "", "", "")),
        ("GET", "/api/v1/watch/namespaces/a/pods/x", {}, ("watch", "", "pods", "", "a", "x")),
        ("GET", "/api/v1/namespaces", {}, ("list", "", "namespaces", "", "", "")),
        ("GET", "/api/v1/namespaces/a", {}, ("get", "", "namespaces", "", "a", "a")),
        ("PUT", "/api/v1/namespaces/a/finalize", {}, ("update", "", "namespaces", "finalize", "a", "a")),
        (
            "POST",
            "/apis/apps/v1/namespaces/a/deployments",
            {},
            ("create", "apps", "deployments", "", "a", ""),
        ),
        ("GET", "/apis/x.io/v1/things/y", {}, ("get", "x.io", "things", "", "", "y")),
        ("GET", "/apis/apps/v1", {}, ("get", "", "", "", "", "")),
        ("POST", "/metrics", {}, ("post", "", "", "", "", "")),
    ],
)
def test_requests_are_about(method: str, path: str, query: dict[str, str], wanted: tuple[str, ...]) -> None:
    found = attributes.of(method, path, query)
    assert (
        found.verb,
        found.group,
        found.resource,
        found.subresource,
        found.namespace,
        found.name,
    ) == wanted


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            Attributes("list", resource="pods", namespace="default"),
            'pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "default"',
        ),
        (
            Attributes("get", "apps", resource="deployments", subresource="scale", name="w", namespace="n"),
            'deployments.apps "w" is forbidden: User "x" cannot get resource "deployments/scale" '
            'in API group "apps" in the namespace "n"',
        ),
        (
            Attributes("list", resource="nodes"),
            'nodes is forbidden: User "x" cannot list resource "nodes" in API group "" at the cluster scope',
        ),
        (Attributes("get", path="/metrics"), 'forbidden: User "x" cannot get path "/metrics"'),
    ],
)
def test_refusals_are_those_of_kubernetes(asked: Attributes, words: str) -> None:
    refused = attributes.refusal(User("x"), asked)
    assert (refused.code, refused.reason, refused.message) == (403, "Forbidden", words)
