"""Every kind through all verbs, by one sample each: what is registered is served whole."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from minikctl.apiserver.auth import TokenAuthenticator
from minikctl.apiserver.http import build_app
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds
from minikctl.model.kinds.base import Kind
from tests.apiserver.asgi import TOKEN, Client
from tests.apiserver.test_certificates import request

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
SAMPLES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "kinds" / "samples.yaml").read_text(encoding="utf-8")
)


def kind_of(sample: dict[str, Any]) -> Kind:
    found = kinds.of(sample["object"])
    assert found is not None, sample["object"]
    return found


def path_of(kind: Kind) -> str:
    base = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    return f"{base}/namespaces/default/{kind.plural}" if kind.namespaced else f"{base}/{kind.plural}"


@pytest.fixture
def client(registry: Registry) -> Client:
    return Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN)))


def test_there_is_a_sample_of_every_kind() -> None:
    answered = {kinds.BINDING, kinds.COMPONENT_STATUS, kinds.NODE_METRICS, kinds.POD_METRICS}
    assert {kind_of(sample) for sample in SAMPLES} | answered == set(kinds.ALL)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: kind_of(sample).resource)
async def test_all_verbs(client: Client, sample: dict[str, Any]) -> None:
    kind, obj = kind_of(sample), sample["object"]
    if kind is kinds.CERTIFICATE_SIGNING_REQUEST:
        pem = request()[1]
        obj = {**obj, "spec": {**obj["spec"], "request": base64.b64encode(pem).decode()}}
    path, name = path_of(kind), obj["metadata"]["name"]
    made = await client("POST", f"{path}?fieldValidation=Strict", obj)
    assert made.status == 201, made.json()["message"]
    assert ("nothing acts on it yet" in made.header("warning")) == kind.stored_only
    again = await client("PUT", f"{path}/{name}", made.json())
    assert again.status == 200, again.json()["message"]
    assert again.json() == made.json(), "what is read back and sent again changes nothing"
    listed = (await client("GET", path)).json()
    assert listed["kind"] == f"{kind.kind}List"
    assert name in [each["metadata"]["name"] for each in listed["items"]]
    merge = {"content-type": "application/strategic-merge-patch+json"}
    patched = await client("PATCH", f"{path}/{name}", {"metadata": {"labels": {"l": "v"}}}, merge)
    assert patched.json()["metadata"]["labels"]["l"] == "v", patched.json()
    table = (await client("GET", f"{path}/{name}", headers={"accept": TABLE})).json()
    shown = [
        cell
        for cell, column in zip(table["rows"][0]["cells"], table["columnDefinitions"], strict=True)
        if column["name"] not in ("Age", "Created At", "First Seen", "Last Seen") or kind is kinds.EVENT
    ]
    if kind is kinds.JOB:
        assert shown.pop().startswith("batch.kubernetes.io/controller-uid=")
    assert shown == sample["row"]
    if "status" in kind.subresources:
        status = await client("PUT", f"{path}/{name}/status", patched.json())
        assert status.status == 200, status.json()["message"]
    gone = await client("DELETE", f"{path}/{name}?gracePeriodSeconds=0")
    assert gone.status == 200, gone.json()["message"]


async def test_component_statuses_are_only_read(client: Client) -> None:
    table = (await client("GET", "/api/v1/componentstatuses", headers={"accept": TABLE})).json()
    assert [row["cells"] for row in table["rows"]] == [
        ["controller-manager", "Healthy", "ok", ""],
        ["etcd-0", "Healthy", "ok", ""],
        ["scheduler", "Healthy", "ok", ""],
    ]
    one = await client("GET", "/api/v1/componentstatuses/scheduler")
    assert one.json()["conditions"][0]["status"] == "True"
    assert (await client("POST", "/api/v1/componentstatuses", {})).status == 405
    assert (await client("DELETE", "/api/v1/componentstatuses/scheduler")).status == 405


async def test_a_binding_gives_a_pod_its_node(client: Client) -> None:
    pod = next(sample["object"] for sample in SAMPLES if kind_of(sample) is kinds.POD)
    await client("POST", "/api/v1/namespaces/default/pods", pod)
    binding = {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n"}}
    bound = await client("POST", "/api/v1/namespaces/default/bindings", binding)
    assert bound.status == 201
    assert (await client("GET", "/api/v1/namespaces/default/pods/a")).json()["spec"]["nodeName"] == "n"
    assert (await client("GET", "/api/v1/namespaces/default/bindings")).status == 405
