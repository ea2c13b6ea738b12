"""What /metrics tells, in the format that Prometheus reads."""

from __future__ import annotations

import asyncio
import dataclasses
import re

import pytest

from minikctl.apiserver import metrics
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


async def test_admission_is_measured_by_step_and_plugin(client: Client) -> None:
    await client("POST", MAPS, samples.config_map(a="1"))
    await client("POST", "/api/v1/namespaces/none/configmaps", samples.config_map(a="1"))
    found = await lines(client)
    base = "apiserver_admission"
    step = f"{base}_step_admission_duration_seconds_count"
    plugin = f"{base}_controller_admission_duration_seconds_count"
    assert any(
        line.startswith(f'{step}{{operation="CREATE",rejected="false",type="validate"}}') for line in found
    )
    refused = 'operation="CREATE",rejected="true",type="admit"'
    assert f"{step}{{{refused}}} 1" in found
    assert f'{plugin}{{name="NamespaceLifecycle",{refused}}} 1' in found
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


async def test_time_in_webhooks_is_not_the_servers_own(client: Client) -> None:
    counted = metrics.Metrics()
    request = metrics.Request("POST", "", "v1", "pods", "", "namespace")
    waited = metrics.begin()
    with metrics.elsewhere():
        await asyncio.sleep(0.01)
    assert sum(waited) >= 0.01
    counted.count(request, 201, 2.0, waited=1.5)
    counted.count(dataclasses.replace(request, dry_run="All"), 201, 0.2)
    found = counted.render({"pods": 3})
    labels = 'component="apiserver",group="",resource="pods",scope="namespace",subresource="",verb="POST",version="v1"'
    assert f"apiserver_request_sli_duration_seconds_sum{{{labels}}} 0.7" in found
    assert f"apiserver_request_sli_duration_seconds_count{{{labels}}} 2" in found
    assert 'apiserver_storage_objects{resource="pods"} 3' in found
    await client("GET", MAPS)
    assert any(
        line.startswith("apiserver_request_sli_duration_seconds_bucket{") for line in await lines(client)
    )
