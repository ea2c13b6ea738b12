from __future__ import annotations

from typing import Any

import pytest

from minikctl.apiserver.listing import Page
from minikctl.apiserver.options import ListOptions
from minikctl.apiserver.registry import Registry, Settings
from minikctl.errors import StatusError
from minikctl.model import kinds
from minikctl.store.store import Store
from tests.apiserver import samples
from tests.fakes.clock import FakeClock


def names(registry: Registry, **options: Any) -> list[str]:
    return [
        entry.key[1] for entry in registry.list(kinds.CONFIG_MAP, "default", ListOptions(**options)).entries
    ]


async def test_a_list_can_be_as_of_an_earlier_revision(registry: Registry) -> None:
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("a"))
    then = str(registry.feed.revision)
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("b"))
    await registry.delete(kinds.CONFIG_MAP, "default", "a")
    assert names(registry, resource_version=then, version_match="Exact") == ["a"]
    assert names(registry, resource_version=then, version_match="NotOlderThan") == ["b"]
    assert names(registry, resource_version=then) == ["b"]
    assert names(registry, resource_version=then, limit=5) == ["a"]
    assert names(registry, resource_version=then, limit=5, version_match="NotOlderThan") == ["b"]
    assert names(registry, resource_version="0", limit=5) == ["b"]
    assert names(registry, resource_version="0") == ["b"]


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ({"resource_version": "999999"}, 504, "Too large resource version: 999999"),
        ({"resource_version": "x"}, 422, "resourceVersion: Invalid value"),
        ({"version_match": "Exact"}, 422, "forbidden unless resourceVersion is provided"),
        ({"version_match": "Maybe", "resource_version": "1"}, 422, "Unsupported value"),
        ({"version_match": "Exact", "resource_version": "0"}, 422, 'forbidden for resourceVersion "0"'),
        ({"continuation": "%%%"}, 400, "continue key is not valid"),
        ({"continuation": "e30", "resource_version": "5"}, 400, "not allowed when using continue"),
        ({"continuation": "e30"}, 400, "continue key is not valid"),
        ({"labels": "a=="}, 0, ""),
        ({"labels": "!!"}, 400, "unable to parse requirement"),
    ],
)
async def test_options_that_make_no_sense(registry: Registry, options: Any, code: int, text: str) -> None:
    if not code:
        assert names(registry, **options) == []
        return
    with pytest.raises(StatusError) as refusal:
        names(registry, **options)
    assert refusal.value.code == code
    assert text in refusal.value.message


async def test_views_are_selected_by_their_own_fields(registry: Registry) -> None:
    about = {"kind": "Pod", "namespace": "default", "name": "web"}
    event = {"metadata": {"name": "e"}, "involvedObject": about, "reason": "R", "type": "Normal"}
    await registry.create(kinds.EVENT, "default", event)
    for kind, field in ((kinds.EVENT, "involvedObject.name"), (kinds.EVENT_EVENTS, "regarding.name")):
        for value, count in (("web", 1), ("other", 0)):
            assert len(registry.list(kind, "", ListOptions(fields=f"{field}={value}")).entries) == count


async def test_a_list_that_has_changed_is_continued_for_five_minutes(store: Store) -> None:
    clock = FakeClock()
    registry = Registry(store, Settings(clock=clock))
    await registry.start()
    await registry.create(kinds.NAMESPACE, "", {"metadata": {"name": "default"}})
    for name in ("a", "b", "c"):
        await registry.create(kinds.CONFIG_MAP, "default", samples.config_map(name))

    def rest(limit: int, continuation: str = "") -> Page:
        return registry.list(kinds.CONFIG_MAP, "default", ListOptions(limit=limit, continuation=continuation))

    token = rest(1).continuation
    await clock.advance(301)
    assert [entry.key[1] for entry in rest(1, token).entries] == ["b"]
    await registry.delete(kinds.CONFIG_MAP, "default", "b")
    with pytest.raises(StatusError) as refusal:
        rest(1, token)
    assert (refusal.value.code, refusal.value.reason) == (410, "Expired")
    token = rest(1).continuation
    await registry.delete(kinds.CONFIG_MAP, "default", "c")
    await clock.advance(290)
    assert [entry.key[1] for entry in rest(1, token).entries] == ["c"]
    inconsistent = refusal.value.metadata["continue"]
    assert rest(1, inconsistent).entries == []
    await registry.close()
