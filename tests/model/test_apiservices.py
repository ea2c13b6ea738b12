"""What APIServices say of themselves, and what other servers' documents mean here."""

from __future__ import annotations

from typing import Any

from minikctl.model import apiservices


def service(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a", "namespace": "s"}, "spec": {"type": "ClusterIP", **spec}}


def endpoints(port: str = "https", **conditions: bool) -> dict[str, Any]:
    found = [{"addresses": ["10.1.0.1"], "conditions": conditions}]
    return {"ports": [{"name": port, "port": 1}], "endpoints": found}


def reason(found: dict[str, str] | None) -> str:
    return found["reason"] if found else ""


def test_a_service_can_answer_when_port_and_endpoints_fit() -> None:
    good = service(ports=[{"name": "https", "port": 443}])
    assert apiservices.found_wanting(good, [endpoints()], "a", 443) is None
    assert apiservices.found_wanting(good, [endpoints(ready=True)], "a", 443) is None
    assert reason(apiservices.found_wanting(good, [endpoints()], "a", 444)) == "ServicePortError"
    assert reason(apiservices.found_wanting(good, [], "a", 443)) == "EndpointsNotFound"
    for slices in ([endpoints("other")], [endpoints(ready=False)]):
        assert reason(apiservices.found_wanting(good, slices, "a", 443)) == "MissingEndpoints"
    assert apiservices.found_wanting(service(type="ExternalName"), [], "a", 443) is None


def test_what_is_served_here_has_its_priorities() -> None:
    core, apps = apiservices.local("", "v1", custom=False), apiservices.local("apps", "v1", custom=False)
    assert core["metadata"] == {"name": "v1.", "labels": {apiservices.MANAGED: "onstart"}}
    assert core["spec"] == {"version": "v1", "groupPriorityMinimum": 18000, "versionPriority": 1}
    assert apps["spec"]["group"] == "apps"
    beta = apiservices.local("networking.k8s.io", "v1beta1", custom=False)["spec"]
    assert beta["versionPriority"] < apiservices.local("networking.k8s.io", "v1", custom=False)["spec"]["versionPriority"]  # fmt: skip
    custom = apiservices.local("x.y", "v1", custom=True)
    assert (custom["spec"]["groupPriorityMinimum"], custom["spec"]["versionPriority"]) == (1000, 100)
    assert apiservices.is_managed(custom)
    assert not apiservices.is_managed({"metadata": {}})


def test_subresources_stand_below_their_resource() -> None:
    listed = {
        "resources": [
            {
                "name": "things/scale",
                "kind": "Scale",
                "group": "autoscaling",
                "version": "v1",
                "verbs": ["get"],
            },
            {"name": "things", "kind": "Thing", "verbs": ["get"], "categories": ["all"]},
            {"name": "lost/status", "kind": "Lost"},
        ]
    }
    found = apiservices.discovered("x.y", "v1", listed)
    assert [each["resource"] for each in found] == ["things"]
    assert found[0]["scope"] == "Cluster"
    assert found[0]["categories"] == ["all"]
    assert found[0]["subresources"] == [
        {
            "subresource": "scale",
            "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
            "verbs": ["get"],
        }
    ]


def test_documents_are_merged_by_what_their_paths_need() -> None:
    base = {"swagger": "2.0", "paths": {"/api": 1}, "definitions": {"Same": {"a": 1}, "Other": {"a": 1}}}
    theirs = {
        "paths": {
            "/apis/x/v1": {"get": [{"$ref": "#/definitions/Same"}, {"$ref": "#/definitions/Other"}]},
            "/apis/x/v1x": {"get": 1},
            "/apis/x/v1/things": {"$ref": "#/definitions/Gone"},
        },
        "definitions": {
            "Same": {"a": 1},
            "Other": {"b": {"$ref": "#/definitions/Other"}, "c": {"$ref": 7}},
            "Unused": {},
        },
    }
    merged = apiservices.merged_openapi(base, [apiservices.openapi_below("/apis/x/v1", theirs)])
    assert merged["paths"] == {
        "/api": 1,
        "/apis/x/v1": {"get": [{"$ref": "#/definitions/Same"}, {"$ref": "#/definitions/Other_v2"}]},
        "/apis/x/v1/things": {"$ref": "#/definitions/Gone"},
    }
    assert merged["definitions"] == {
        "Same": {"a": 1},
        "Other": {"a": 1},
        "Other_v2": {"b": {"$ref": "#/definitions/Other_v2"}, "c": {"$ref": 7}},
    }
    assert base["paths"] == {"/api": 1}
