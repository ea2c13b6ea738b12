"""Other servers' groups and versions, served through ours."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from minikctl.apiserver import frontproxy, pki
from minikctl.apiserver.aggregation import Aggregation, identity_headers
from minikctl.apiserver.auth import TokenAuthenticator, User
from minikctl.apiserver.http import build_app
from minikctl.client.home import ClusterHome
from minikctl.client.settings import ClusterSettings
from minikctl.daemon.server import Server, listen
from minikctl.model import apiservices, kinds, objects
from tests.apiserver.asgi import TOKEN, Client
from tests.extensions import extension_server
from tests.extensions.conftest import Api, eventually
from tests.extensions.definitions import GROUP as CUSTOM
from tests.extensions.definitions import crd
from tests.extensions.extension_server import FLUNDER, GROUP, PREFIX, VERSION, Extension
from tests.extensions.webhook import certificate

Json = dict[str, Any]
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = f"{VERSION}.{GROUP}"
FLUNDERS = f"{PREFIX}/namespaces/default/flunders"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.fixture
async def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClusterHome:
    monkeypatch.setenv("MINIKCTL_HOME", str(tmp_path / "home"))
    return ClusterHome("one")


@pytest.fixture
async def aggregated(api: Api, home: ClusterHome) -> AsyncIterator[Api]:
    """Yield the API with others behind it."""
    others = Aggregation(api.registry, frontproxy.ensure(home))
    others.start()
    api.app = build_app(api.registry, authenticate=TokenAuthenticator(TOKEN), aggregation=others)
    api._client = Client(api.app)
    task = asyncio.create_task(others.run())
    yield api
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def extension(tmp_path: Path, home: ClusterHome) -> AsyncIterator[Extension]:
    frontproxy.ensure(home)
    async with extension_server.extending(tmp_path, clients=home.file("pki", "front-proxy-ca.crt")) as found:
        yield found


def service(bundle: str, **spec: Any) -> Json:
    return {
        "metadata": {"name": NAME},
        "spec": {
            "group": GROUP,
            "version": VERSION,
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
            "caBundle": bundle,
            "service": {"namespace": "default", "name": "wardle", **spec},
        },
    }


async def external(api: Api, port: int) -> None:
    """Have a Service that leads to this machine, with the extension's port."""
    spec = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}
    await api.ok(
        "POST", "/api/v1/namespaces/default/services", {"metadata": {"name": "wardle"}, "spec": spec}
    )


async def condition(api: Api, name: str = NAME) -> Json:
    found = await api.ok("GET", f"{SERVICES}/{name}")
    return objects.condition(found, "Available") or {}


async def until(api: Api, reason: str) -> Json:
    async def holds() -> bool:
        return (await condition(api)).get("reason") == reason

    await eventually(holds, reason)
    return await condition(api)


async def add(api: Api, extension: Extension) -> None:
    await external(api, extension.port)
    await api.ok("POST", SERVICES, service(extension.bundle, port=extension.port))
    await until(api, "Passed")


async def test_requests_are_passed_on_with_who_asks(aggregated: Api, extension: Extension) -> None:
    api = aggregated
    await add(api, extension)
    answer = await api("GET", f"{FLUNDERS}/one?x=y", x_remote_user="eve", x_remote_extra_scopes="all")
    assert (answer.status, answer.json(), answer.header("x-own")) == (200, FLUNDER, "yes")
    method, target, headers, _ = extension.requests(f"{FLUNDERS}/one")[0]
    assert (method, target) == ("GET", f"{FLUNDERS}/one?x=y")
    assert headers["x-remote-user"] == ["kubernetes-admin"]
    assert headers["x-remote-group"] == ["system:masters", "system:authenticated"]
    assert "x-remote-extra-scopes" not in headers
    assert "authorization" not in headers
    subject = dict(pair for part in extension.peers[-1]["subject"] for pair in part)
    assert subject["commonName"] == "front-proxy-client"


async def test_bodies_and_refusals_go_through(aggregated: Api, extension: Extension) -> None:
    api = aggregated
    await add(api, extension)
    answer = await api("POST", FLUNDERS, {"kind": "Flunder"}, content_length="19")
    assert answer.status == 200
    method, _, _, body = extension.requests(FLUNDERS)[0]
    assert (method, json.loads(body)) == ("POST", {"kind": "Flunder"})
    assert answer.json() == {"kind": "Flunder"}
    assert (await api("GET", f"{FLUNDERS}/nope")).status == 404


async def test_only_who_may_is_passed_on(aggregated: Api, extension: Extension) -> None:
    await add(aggregated, extension)
    answer = await aggregated("GET", FLUNDERS, impersonate_user="ann")
    assert answer.status == 403
    assert extension.requests(FLUNDERS) == []


async def test_discovery_shows_what_others_serve(aggregated: Api, extension: Extension) -> None:
    api = aggregated
    await add(api, extension)
    groups = (await api.ok("GET", "/apis"))["groups"]
    assert groups[-1]["name"] == GROUP
    group = await api.ok("GET", f"/apis/{GROUP}")
    assert group["preferredVersion"] == {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
    assert (await api.ok("GET", PREFIX))["resources"][0]["name"] == "flunders"
    assert PREFIX in (await api.ok("GET", "/"))["paths"]
    document = await api.ok("GET", "/apis", accept=DISCOVERY)
    shown = next(each for each in document["items"] if each["metadata"]["name"] == GROUP)
    kind = {"group": GROUP, "version": VERSION, "kind": "Flunder"}
    assert shown["versions"] == [
        {
            "version": VERSION,
            "freshness": "Current",
            "resources": [
                {
                    "resource": "flunders",
                    "responseKind": kind,
                    "scope": "Namespaced",
                    "singularResource": "flunder",
                    "verbs": ["get", "list"],
                    "shortNames": ["fl"],
                    "subresources": [{"subresource": "status", "responseKind": kind, "verbs": ["get"]}],
                }
            ],
        }
    ]
    core = await api.ok("GET", "/api", accept=DISCOVERY)
    assert [each["metadata"] for each in core["items"]] == [{"creationTimestamp": None}]


async def test_openapi_shows_what_others_serve(aggregated: Api, extension: Extension) -> None:
    api = aggregated
    before = (await api("GET", "/openapi/v2")).header("etag")
    await add(api, extension)
    index = (await api.ok("GET", "/openapi/v3"))["paths"]
    assert index[PREFIX.lstrip("/")] == {"serverRelativeURL": f"/openapi/v3{PREFIX}?hash=1"}
    assert "apis/apps/v1" in index
    assert (await api.ok("GET", f"/openapi/v3{PREFIX}?hash=1"))["openapi"] == "3.0.0"
    answer = await api("GET", "/openapi/v2")
    assert answer.header("etag") != before
    document = answer.json()
    assert f"{PREFIX}/flunders" in document["paths"]
    assert document["paths"].get("/healthz") != {"get": {}}
    definitions = document["definitions"]
    meta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    assert definitions["example.Flunder"]["properties"]["metadata"] == {"$ref": f"#/definitions/{meta}_v2"}
    assert definitions[f"{meta}_v2"]["description"] == "other"
    assert definitions[meta].get("description") != "other"
    assert "example.Unused" not in definitions
    packed = await api(
        "GET", "/openapi/v2", accept="application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    )
    assert b"example.Flunder" in packed.body


async def test_nobody_there_is_503_and_said_in_the_condition(aggregated: Api, extension: Extension) -> None:
    api = aggregated
    await api.ok("POST", SERVICES, service(extension.bundle, port=8443))
    assert (await until(api, "ServiceNotFound"))["message"] == 'service/wardle in "default" is not present'
    refused = await api("GET", FLUNDERS)
    assert (refused.status, refused.body) == (503, b"service unavailable\n")
    ports = [{"name": "https", "port": 443}]
    path = "/api/v1/namespaces/default/services"
    await api.ok("POST", path, {"metadata": {"name": "wardle"}, "spec": {"ports": ports}})
    text = 'service/wardle in "default" is not listening on port 8443'
    assert (await until(api, "ServicePortError"))["message"] == text
    ports = [{"name": "https", "port": 8443}]
    await api.merge(f"{path}/wardle", {"spec": {"ports": ports}})
    text = 'cannot find endpointslices for service/wardle in "default"'
    assert (await until(api, "EndpointsNotFound"))["message"] == text
    slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    empty = {
        "metadata": {"name": "w", "labels": {"kubernetes.io/service-name": "wardle"}},
        "addressType": "IPv4",
        "endpoints": [],
    }
    await api.ok("POST", slices, empty)
    text = 'endpointslices for service/wardle in "default" have no addresses with port name "https"'
    assert (await until(api, "MissingEndpoints"))["message"] == text


async def test_a_server_that_stops_answering_is_not_available(
    aggregated: Api, extension: Extension, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minikctl.apiserver.aggregation.CHECK_SECONDS", 0.05)
    api = aggregated
    await add(api, extension)
    since = (await condition(api))["lastTransitionTime"]
    resources = extension.answers.pop(PREFIX)
    said = (await until(api, "FailedDiscoveryCheck"))["message"]
    assert said.startswith(
        f"failing or missing response from https://localhost:{extension.port}{PREFIX}: bad status"
    )
    assert (await api("GET", FLUNDERS)).status == 503
    document = await api.ok("GET", "/apis", accept=DISCOVERY)
    shown = next(each for each in document["items"] if each["metadata"]["name"] == GROUP)
    assert shown["versions"][0]["freshness"] == "Stale"
    assert shown["versions"][0]["resources"]
    extension.answers[PREFIX] = resources
    assert (await until(api, "Passed"))["lastTransitionTime"] >= since
    assert (await api("GET", FLUNDERS)).status == 200


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (PREFIX, {"resources": "flunders"}),
        (PREFIX, {"resources": [1]}),
        ("/openapi/v2", {"paths": ["x"], "definitions": {}}),
        ("/openapi/v2", {"paths": {}, "definitions": "none"}),
        ("/openapi/v3", {"paths": ["x"]}),
        ("/openapi/v3", {"paths": {PREFIX.lstrip("/"): "x"}}),
    ],
)
async def test_a_server_that_talks_nonsense_harms_nobody_else(
    aggregated: Api, extension: Extension, path: str, answer: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minikctl.apiserver.aggregation.CHECK_SECONDS", 0.05)
    api, good = aggregated, extension.answers[path]
    extension.answers[path] = answer
    await external(api, extension.port)
    await api.ok("POST", SERVICES, service(extension.bundle, port=extension.port))
    await until(api, "FailedDiscoveryCheck" if path == PREFIX else "Passed")
    for document in ("/openapi/v2", "/openapi/v3", "/apis"):
        assert (await api("GET", document, accept=DISCOVERY)).status == 200
    extension.answers[path] = good
    await until(api, "Passed")


async def test_a_certificate_that_is_not_the_servers_is_not_trusted(
    aggregated: Api, extension: Extension, tmp_path: Path
) -> None:
    api = aggregated
    await external(api, extension.port)
    _, other = certificate(tmp_path, "other")
    await api.ok("POST", SERVICES, service(other, port=extension.port))
    assert (
        "x509: certificate signed by unknown authority"
        in (await until(api, "FailedDiscoveryCheck"))["message"]
    )
    merged = {"spec": {"caBundle": None, "insecureSkipTLSVerify": True}}
    await api.merge(f"{SERVICES}/{NAME}", merged)
    await until(api, "Passed")


async def test_without_its_apiservice_a_server_is_not_asked(aggregated: Api, extension: Extension) -> None:
    api = aggregated
    await add(api, extension)
    await api.ok("DELETE", f"{SERVICES}/{NAME}")
    assert (await api("GET", FLUNDERS)).status == 404
    assert GROUP not in [each["name"] for each in (await api.ok("GET", "/apis"))["groups"]]
    document = await api.ok("GET", "/apis", accept=DISCOVERY)
    assert GROUP not in [each["metadata"]["name"] for each in document["items"]]


async def test_everything_that_is_served_here_has_an_apiservice(aggregated: Api) -> None:
    api = aggregated

    async def complete() -> bool:
        listed = (await api.ok("GET", SERVICES))["items"]
        found.update({objects.name(each): each for each in listed})
        return {"v1.", "v1.apps", "v2.autoscaling", "v1.authentication.k8s.io"} <= set(found)

    found: dict[str, Json] = {}
    await eventually(complete)
    assert "v1.apiregistration.k8s.io" not in found
    assert "v1beta1.metrics.k8s.io" not in found
    spec = found["v1.apps"]["spec"]
    assert (spec["groupPriorityMinimum"], spec["versionPriority"]) == (17800, 15)
    seen = await condition(api, "v1.apps")
    del seen["lastTransitionTime"]
    assert seen == {
        "type": "Available",
        "status": "True",
        "reason": "Local",
        "message": "Local APIServices are always available",
    }


async def test_apiservices_of_custom_kinds_come_and_go_with_them(aggregated: Api) -> None:
    api = aggregated
    await api.define(crd())
    name = f"{SERVICES}/v1.{CUSTOM}"

    async def there() -> bool:
        return (await api("GET", name)).status == 200

    async def gone() -> bool:
        return (await api("GET", name)).status == 404

    await eventually(there)
    assert (await api.ok("GET", name))["metadata"]["labels"] == {
        "kube-aggregator.kubernetes.io/automanaged": "true"
    }
    await api.ok("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/crontabs.{CUSTOM}")
    await eventually(gone)


async def test_a_deleted_local_apiservice_comes_back(aggregated: Api) -> None:
    api = aggregated

    async def there() -> bool:
        return (await api("GET", f"{SERVICES}/v1.apps")).status == 200

    await eventually(there)
    await api.ok("DELETE", f"{SERVICES}/v1.apps")
    await eventually(there)


async def test_others_find_whom_to_trust(api: Api, home: ClusterHome) -> None:
    frontproxy.ensure(home)
    wanted = frontproxy.config(home, b"CLIENTS")
    await frontproxy.publish(api.registry, wanted)
    revision = api.registry.feed.revision
    await frontproxy.publish(api.registry, wanted)
    assert api.registry.feed.revision == revision
    found = api.registry.get(kinds.CONFIG_MAP, "kube-system", "extension-apiserver-authentication")["data"]
    assert found["client-ca-file"] == "CLIENTS"
    assert found["requestheader-allowed-names"] == '["front-proxy-client"]'
    assert found["requestheader-client-ca-file"] == Path(home.file("pki", "front-proxy-ca.crt")).read_text()
    await frontproxy.publish(api.registry, frontproxy.config(home, b"OTHERS"))
    found = api.registry.get(kinds.CONFIG_MAP, "kube-system", "extension-apiserver-authentication")["data"]
    assert found["client-ca-file"] == "OTHERS"


def test_the_front_proxys_certificate_is_kept_while_it_is_good(home: ClusterHome) -> None:
    cert, key = frontproxy.ensure(home)
    before = Path(cert).read_bytes(), Path(key).read_bytes()
    frontproxy.ensure(home)
    assert (Path(cert).read_bytes(), Path(key).read_bytes()) == before
    Path(key).write_bytes(b"?")
    frontproxy.ensure(home)
    assert Path(cert).read_bytes() != before[0]


def test_who_asks_is_told_in_headers() -> None:
    user = User("ann", ("a", "b"), "u1", {"Scopes/x": ("1", "2")})
    assert identity_headers(user) == [
        ("x-remote-user", "ann"),
        ("x-remote-uid", "u1"),
        ("x-remote-group", "a"),
        ("x-remote-group", "b"),
        ("x-remote-extra-scopes%2Fx", "1"),
        ("x-remote-extra-scopes%2Fx", "2"),
    ]


async def test_other_protocols_go_through_too(api: Api, home: ClusterHome, tmp_path: Path) -> None:
    path, bundle = certificate(tmp_path, "wardle.default.svc")
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(path)

    async def echo(connection: ServerConnection) -> None:
        assert connection.request is not None
        async for message in connection:
            await connection.send(f"{connection.request.headers['x-remote-user']}: {message!s}")

    others = Aggregation(api.registry, frontproxy.ensure(home))
    others.start()
    keys = pki.ensure(home, ClusterSettings("one"))
    app = build_app(api.registry, authenticate=TokenAuthenticator(keys.token), aggregation=others)
    sock = listen(0)
    server, started = Server(app, sock, keys, is_others=others.covers), asyncio.Event()
    running = asyncio.create_task(server.run(started.set))
    await started.wait()
    async with serve(echo, "127.0.0.1", 0, ssl=secure) as backend:
        port = backend.sockets[0].getsockname()[1]
        await external(api, port)
        await api.ok("POST", SERVICES, service(bundle, port=port))
        status = {"conditions": [{**apiservices.PASSED, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
        await api.merge(f"{SERVICES}/{NAME}/status", {"status": status})
        trusting = ssl.create_default_context(cadata=keys.ca_pem.decode())
        url = server.address.replace("https", "wss") + f"{FLUNDERS}/one/talk"
        headers = {"Authorization": f"Bearer {keys.token}"}
        async with asyncio.timeout(30), connect(url, ssl=trusting, additional_headers=headers) as connection:
            await connection.send("hello")
            assert await connection.recv() == "kubernetes-admin: hello"
    server.stop()
    await running
    sock.close()
