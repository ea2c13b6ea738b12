"""What /metrics tells, in the format that Prometheus reads."""

from __future__ import annotations

import re

import pytest

from minikctl.apiserver.auth import TokenAuthenticator
from minikctl.apiserver.http import build_app
from minikctl.apiserver.registry import Registry
from tests.apiserver import samples
from tests.apiserver.asgi import TOKEN, Client

MAPS = "/api/v1/namespaces/default/configmaps"
LINE = re.compile(r'[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? [0-9.e+-]+')


@pytest.fixture
def client(registry: Registry) -> Client:
    return Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN)))


async def lines(client: Client) -> list[str]:
    answer = await client("GET", "/metrics")
    assert (answer.status, answer.header("content-type").split(";")[0]) == (200, "text/plain")
    return answer.body.decode().splitlines()


async def test_requests_are_counted_by_verb_resource_and_code(client: Client) -> None:
    await client("POST", MAPS, samples.config_map(a="1"))
    await client("POST", MAPS, samples.config_map(a="1"))
    await client("GET", MAPS)
    await client("GET", f"{MAPS}/none")
    found = await lines(client)
    labels = 'component="apiserver",dry_run="",group="",resource="configmaps",scope="{}",subresource="",verb="{}",version="v1"'
    for code, scope, verb in (
        ("201", "namespace", "POST"),
        ("409", "namespace", "POST"),
        ("200", "namespace", "LIST"),
        ("404", "resource", "GET"),
    ):
        assert f'apiserver_request_total{{code="{code}",{labels.format(scope, verb)}}} 1' in found
    assert f"apiserver_request_duration_seconds_count{{{labels.format('namespace', 'POST')}}} 2" in found
    assert 'apiserver_resource_objects{group="",resource="configmaps"} 1' in found
    assert all(line.startswith("# ") or LINE.fullmatch(line) for line in found)


async def test_open_watches_are_counted_until_they_end(client: Client) -> None:
    async def open_now() -> list[str]:
        return [
            line[-1] for line in await lines(client) if line.startswith("apiserver_longrunning_requests{")
        ]

    stream = await client.stream(f"{MAPS}?watch=1")
    await client("POST", MAPS, samples.config_map(a="1"))
    await stream.take(1)
    assert await open_now() == ["1"]
    await stream.leave()
    assert await open_now() == ["0"]


async def test_metrics_are_not_for_everyone(registry: Registry) -> None:
    client = Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN)), "wrong")
    assert (await client("GET", "/metrics")).status in (401, 403)
