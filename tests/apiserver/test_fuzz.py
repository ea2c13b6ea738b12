"""Requests by chance: whatever comes, the answer is a Status or what was asked for, and the server goes on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from minikctl.apiserver.auth import TokenAuthenticator
from minikctl.apiserver.bootstrap import bootstrap
from minikctl.apiserver.http import build_app
from minikctl.apiserver.registry import Registry
from minikctl.store.store import Store
from tests.apiserver import samples
from tests.apiserver.asgi import TOKEN, Answer, Client

BASES = (
    "/api/v1/namespaces/default/configmaps",
    "/api/v1/namespaces/default/pods",
    "/apis/apps/v1/namespaces/default/deployments",
    "/api/v1/namespaces",
)
NAMES = ("", "/web", "/web/status", "/web/scale", "/web/eviction", "/none", "/%00", "/a b")
FIELDS = st.sampled_from(
    ["apiVersion", "kind", "metadata", "spec", "status", "data", "name", "namespace", "labels", "annotations", "finalizers",
     "managedFields", "ownerReferences", "resourceVersion", "uid", "containers", "replicas", "selector", "template", "f:a",
     "op", "path", "value", "from", "$patch", "$retainKeys", "$setElementOrder/containers", "propagationPolicy", "preconditions"]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        [
            "v1",
            "apps/v1",
            "Pod",
            "ConfigMap",
            "Deployment",
            "web",
            "default",
            "add",
            "remove",
            "/metadata/name",
            "/data",
            "replace",
            "Orphan",
        ]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(FIELDS, inner, max_size=5)),
    max_leaves=12,
)
QUERY = st.dictionaries(
    st.sampled_from(["labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch", "dryRun", "fieldManager", "fieldValidation", "force", "propagationPolicy", "gracePeriodSeconds", "pretty", "includeObject", "orphanDependents"]),
    st.one_of(st.text(max_size=6), st.sampled_from(["All", "Strict", "1", "0", "true", "Exact", "a=b", "metadata.name=web"])),
    max_size=3,
)  # fmt: skip
MEDIA = st.sampled_from(
    [
        "application/json",
        "application/yaml",
        "application/merge-patch+json",
        "application/json-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
        "text/plain",
        "",
    ]
)
BODIES = st.one_of(st.binary(max_size=20), VALUES.map(lambda value: json.dumps(value).encode()))


class Server:
    """A server that lives through all requests of a test."""

    def __init__(self, path: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.client, self._registry, self._store = self.loop.run_until_complete(self._start(path))

    async def _start(self, path: Path) -> tuple[Client, Registry, Store]:
        store = await Store.open(path / "store.db")
        registry = Registry(store)
        await registry.start()
        await bootstrap(registry)
        client = Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN)))
        for base, obj in zip(
            BASES, (samples.config_map("web", a="1"), samples.pod(), samples.deployment()), strict=False
        ):
            assert (await client("POST", base, obj)).status == 201
        return client, registry, store

    def __call__(self, *words: Any) -> Answer:
        return self.loop.run_until_complete(self.client(*words))

    def stop(self) -> None:
        self.loop.run_until_complete(self._registry.close())
        self.loop.run_until_complete(self._store.close())
        self.loop.close()


def test_no_request_makes_the_server_fail(tmp_path: Path) -> None:
    server = Server(tmp_path)

    @given(
        st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
        st.sampled_from(BASES),
        st.sampled_from(NAMES),
        QUERY,
        MEDIA,
        BODIES,
    )
    @example("PATCH", BASES[2], "/web/scale", {}, "application/merge-patch+json", b"null")
    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    def run(method: str, base: str, name: str, query: dict[str, str], media: str, body: bytes) -> None:
        import urllib.parse

        url = f"{base}{name}?{urllib.parse.urlencode(query)}"
        answer = server(method, url, body, {"content-type": media})
        assert (
            answer.status < 500
            or answer.status == 504
            or b"failed to create typed patch object" in answer.body
        ), answer
        if answer.status >= 400:
            status = answer.json()
            assert (status["kind"], status["code"]) == ("Status", answer.status)

    try:
        run()
        assert server("GET", "/readyz").body == b"ok"
    finally:
        server.stop()
