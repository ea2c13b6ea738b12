"""The API over HTTP, with the controllers of this package behind it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from minikctl import controllers
from minikctl.apiserver.auth import TokenAuthenticator
from minikctl.apiserver.bootstrap import bootstrap
from minikctl.apiserver.http import build_app
from minikctl.apiserver.local import LocalClient
from minikctl.apiserver.registry import Registry
from minikctl.client.informer import Informers
from minikctl.runtime.clock import SystemClock
from minikctl.runtime.executor import ApiExecutor
from minikctl.runtime.recorder import Recorder
from minikctl.store.store import Store
from tests.apiserver.asgi import TOKEN, Answer, Client
from tests.controllers.cluster import Machine

FOLLOWED = ("customresourcedefinition", "garbage-collector", "namespace", "resourcequota")
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Api:
    """A client of a control plane that establishes custom kinds."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.app = build_app(registry, authenticate=TokenAuthenticator(TOKEN))
        self._client = Client(self.app)
        self.stream = self._client.stream

    async def __call__(self, method: str, url: str, body: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client(method, url, body, named)

    async def ok(self, method: str, url: str, body: Any = None, **headers: str) -> Any:
        """Return the answer's object; anything but success fails the test."""
        answer = await self(method, url, body, **headers)
        assert answer.status < 300, answer.body
        return answer.json()

    async def merge(self, url: str, patch: Any) -> Answer:
        """Send a merge patch."""
        return await self("PATCH", url, patch, content_type="application/merge-patch+json")

    async def refused(self, method: str, url: str, body: Any = None) -> list[str]:
        """Return the causes of a refusal, each with its field."""
        answer = await self(method, url, body)
        assert answer.status == 422, answer.body
        causes = answer.json()["details"].get("causes") or ()
        return [f"{each.get('field')}: {each['message']}" for each in causes]

    async def define(self, crd: Any) -> str:
        """Create a definition, wait until it is established, and return the path of its objects."""
        made = await self.ok("POST", DEFINITIONS, crd)
        name, spec = made["metadata"]["name"], made["spec"]

        async def served() -> bool:
            return self.registry.served.table.find(spec["group"], spec["versions"][0]["name"], spec["names"]["plural"]) is not None  # fmt: skip

        await eventually(served, name)
        space = "namespaces/default/" if spec["scope"] == "Namespaced" else ""
        return f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{space}{spec['names']['plural']}"


async def eventually(holds: Any, what: str = "") -> None:
    """Fail unless it comes to hold."""
    try:
        async with asyncio.timeout(30):
            while not await holds():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"it did not come about: {what}") from None


@contextlib.asynccontextmanager
async def running(path: Path) -> AsyncIterator[Api]:
    """Have a control plane on the store at that path."""
    store = await Store.open(path)
    registry = Registry(store)
    await registry.start()
    await bootstrap(registry)
    client, clock = LocalClient(registry), SystemClock()
    informers, recorder = Informers(client), Recorder(client, clock)
    executor = ApiExecutor(client, recorder, clock, informers.known)
    registry.served.subscribe(lambda table: informers.retain({kind.resource for kind in table.all}))
    settings = controllers.Settings({}, "v1", "CERTIFICATE", Machine(), served=registry.served)
    loops = controllers.build(client, informers, executor, clock, settings)
    loops = [loop for loop in loops if loop.controller.name in FOLLOWED]
    works = [informers.run(), recorder.run(), *(loop.run() for loop in loops)]
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield Api(registry)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await registry.close()
        await store.close()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with running(tmp_path / "store.db") as found:
        yield found
