"""The official Python client's typed API, with every kind."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import websocket

from minikctl.apiserver import http_sockets
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds
from minikctl.model.kinds.base import Kind
from tests.apiserver import samples
from tests.apiserver.harness import Served, served
from tests.apiserver.talk import Talk
from tests.apiserver.test_every_kind import SAMPLES, kind_of

GONE = ("networking.k8s.io/v1beta1", "extensions/v1beta1")
"""Versions that today's client has not heard of."""


def typed() -> Iterator[tuple[Kind, dict[str, Any]]]:
    for sample in SAMPLES:
        kind = kind_of(sample)
        # The request of a CertificateSigningRequest must be a real one: test_every_kind has it.
        if kind.api_version not in GONE and kind is not kinds.CERTIFICATE_SIGNING_REQUEST:
            yield kind, sample["object"]


@pytest.fixture
async def server(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    monkeypatch.setenv("MINIKCTL_HOME", str(tmp_path))
    async with served(registry, tmp_path, Talk()) as running:
        yield running


def snake(name: str) -> str:
    split = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z0-9])([A-Z])", r"\1_\2", split).lower()


class Typed:
    """The methods that the client has for one kind."""

    def __init__(self, kind: Kind, client: kubernetes.client.ApiClient) -> None:
        words = (kind.group.removesuffix(".k8s.io") or "core").split(".")
        name = "".join(word.capitalize() for word in words) + f"{kind.version.capitalize()}Api"
        self._api = getattr(kubernetes.client, name)(client)
        self._place = ("default",) if kind.namespaced else ()
        self._noun = f"namespaced_{snake(kind.kind)}" if kind.namespaced else snake(kind.kind)

    def __call__(self, verb: str, *arguments: Any) -> Any:
        named = [argument for argument in arguments if isinstance(argument, str)]
        bodies = [argument for argument in arguments if not isinstance(argument, str)]
        return getattr(self._api, f"{verb}_{self._noun}")(*named, *self._place, *bodies)


def drive(kind: Kind, obj: dict[str, Any], client: kubernetes.client.ApiClient) -> None:
    api, name = Typed(kind, client), obj["metadata"]["name"]
    made = api("create", obj)
    assert made.metadata.uid
    assert api("read", name).metadata.uid == made.metadata.uid
    assert name in [each.metadata.name for each in api("list").items]
    patched = api("patch", name, {"metadata": {"labels": {"l": "v"}}})
    assert patched.metadata.labels["l"] == "v"
    replaced = api("replace", name, patched)
    assert replaced.metadata.resource_version == patched.metadata.resource_version, "nothing changed"
    api("delete", name)


def drive_all(config: str) -> dict[str, str]:
    """Return what went wrong, by kind; one server for all, since each costs more than what is asked of it."""
    failures = {}
    with kubernetes.config.new_client_from_config(config) as client:
        for kind, obj in typed():
            try:
                drive(kind, obj, client)
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the kind
                failures[f"{kind.api_version} {kind.kind}"] = f"{type(error).__name__}: {error}"
    return failures


async def test_typed_api_of_every_kind(server: Served) -> None:
    assert await asyncio.to_thread(drive_all, str(server.kubeconfig)) == {}


async def test_a_websocket_client_watches_with_its_token_in_a_protocol(
    server: Served, registry: Registry
) -> None:
    token = http_sockets.TOKEN + base64.urlsafe_b64encode(server.token.encode()).decode().rstrip("=")
    address = f"{server.address.replace('https', 'wss')}/api/v1/watch/namespaces/default/configmaps"

    def drive() -> tuple[str | None, list[str]]:
        socket = websocket.create_connection(
            address,
            sslopt={"ca_certs": str(server.ca)},
            subprotocols=[token, "base64.binary.k8s.io"],
            timeout=10,
        )
        try:
            found = [json.loads(socket.recv())["object"]["metadata"]["name"] for _ in range(2)]
            return socket.getsubprotocol(), sorted(found)
        finally:
            socket.close()

    for name in ("a", "b"):
        await registry.create(kinds.CONFIG_MAP, "default", samples.config_map(name))
    assert await asyncio.to_thread(drive) == ("base64.binary.k8s.io", ["a", "b"])
