"""Lists and watches of the past against a plain model: what is answered is what was, or that it is gone.

Writes, compaction, what is let go of in peace and restarts come in any order; whoever asks for an earlier
revision, continues an old page or resumes a watch gets exactly what the model has, or a refusal that says how
to go on, never a gap.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minikctl.apiserver import cache
from minikctl.apiserver.auth import TokenAuthenticator
from minikctl.apiserver.http import build_app
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds
from minikctl.store.store import Store
from tests.apiserver import samples
from tests.apiserver.asgi import TOKEN, Answer, Client

SPACES = ("one", "two")
NAMES = ("a", "b", "c", "d")
KEPT = 2
"""So few changes are remembered here, so that examples are short."""

State = dict[tuple[str, str], tuple[str, int]]
"""Of each object its label, and the revision of its last change."""

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(SPACES), st.sampled_from(NAMES), st.sampled_from("xy")),
        st.tuples(st.just("delete"), st.sampled_from(SPACES), st.sampled_from(NAMES), st.just("")),
        st.tuples(st.just("page"), st.sampled_from((*SPACES, "")), st.sampled_from("123"), st.just("")),
        st.tuples(st.sampled_from(["compact", "settle", "restart"]), st.just(""), st.just(""), st.just("")),
    ),
    min_size=10,
    max_size=30,
)


class World:
    """A server on a store, what it ought to hold at each revision, and the pages that were begun."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.states: dict[int, State] = {}
        self.pages: list[tuple[str, str, int, tuple[str, str]]] = []
        """Namespace, token, revision and last key of each page that has a next one."""

    async def start(self) -> None:
        self.registry = Registry(self.store)
        await self.registry.start()
        self.registry.feed.collection(kinds.CONFIG_MAP)._keep = KEPT
        self.client = Client(build_app(self.registry, authenticate=TokenAuthenticator(TOKEN)))

    async def prepare(self) -> None:
        await self.start()
        for name in SPACES:
            await self.registry.create(kinds.NAMESPACE, "", {"metadata": {"name": name}})
        self.first = self.now
        self.states[self.now] = {}

    @property
    def now(self) -> int:
        return self.registry.feed.revision

    @property
    def state(self) -> State:
        return self.states[max(self.states)]

    def at(self, revision: int) -> State:
        return self.states[max(each for each in self.states if each <= revision)]

    async def step(self, step: tuple[str, str, str, str]) -> None:
        verb, space, name, label = step
        path = f"/api/v1/namespaces/{space}/configmaps"
        state = dict(self.state)
        if verb == "put":
            body = samples.config_map(name)
            body["metadata"]["labels"] = {"l": label, "n": str(self.now)}
            known = (space, name) in state
            answer = await self.client("PUT" if known else "POST", f"{path}/{name}" if known else path, body)
            state[space, name] = (label, int(answer.json()["metadata"]["resourceVersion"]))
        elif verb == "delete" and (space, name) in state:
            del state[space, name]
            await self.client("DELETE", f"{path}/{name}")
        elif verb == "page":
            await self.begin(space, int(name))
        elif verb == "compact":
            await self.store.compact(self.now - 2)
        elif verb == "settle":
            self.registry.feed.settle()
        elif verb == "restart":
            await self.registry.close()
            await self.start()
        self.states[self.now] = state

    async def begin(self, space: str, limit: int) -> None:
        answer = (await self.client("GET", f"{where(space)}?limit={limit}")).json()
        wanted = list(chosen(self.state, space))
        assert keys(answer) == wanted[:limit]
        token = answer["metadata"].get("continue")
        assert bool(token) == (len(wanted) > limit)
        if token:
            self.pages.append((space, token, self.now, wanted[limit - 1]))


def where(space: str) -> str:
    return f"/api/v1/namespaces/{space}/configmaps" if space else "/api/v1/configmaps"


def keys(answer: Any) -> list[tuple[str, str]]:
    return [(each["metadata"]["namespace"], each["metadata"]["name"]) for each in answer["items"]]


def chosen(state: State, space: str = "", label: str = "") -> Iterator[tuple[str, str]]:
    for key in sorted(state):
        if space in ("", key[0]) and label in ("", state[key][0]) and key[0] in SPACES:
            yield key


def is_gone(answer: Answer) -> bool:
    status = answer.json()
    return (answer.status, status["reason"], status["code"]) == (410, "Expired", 410)


async def check_lists(world: World) -> None:
    """Each revision is listed as it was, or is gone; and what is gone never comes back in between."""
    known = []
    for revision in range(world.first, world.now + 1):
        for space, label in (("", ""), ("one", ""), ("", "x")):
            selector = f"&labelSelector=l%3D{label}" if label else ""
            path = f"{where(space)}?resourceVersion={revision}{selector}"
            exact = await world.client("GET", f"{path}&resourceVersionMatch=Exact")
            known.append(not is_gone(exact) if exact.status == 410 else True)
            if known[-1]:
                found = exact.json()
                assert ours(keys(found)) == list(chosen(world.at(revision), space, label))
                assert found["metadata"]["resourceVersion"] == str(revision)
            later = (await world.client("GET", f"{path}&resourceVersionMatch=NotOlderThan")).json()
            assert ours(keys(later)) == list(chosen(world.state, space, label))
            assert int(later["metadata"]["resourceVersion"]) >= revision
    assert known == sorted(known)
    assert known[-1], "the present is known"
    future = await world.client("GET", f"{where('')}?resourceVersion={world.now + 1}")
    assert (future.status, future.json()["reason"]) == (504, "Timeout")


def ours(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [key for key in found if key[0] in SPACES]


async def check_pages(world: World) -> None:
    """A page goes on as it was begun, or says that it cannot, with a token for what is there now."""
    for space, token, revision, last in world.pages:
        answer = await world.client("GET", f"{where(space)}?limit=9&continue={urllib.parse.quote(token)}")
        state = world.at(revision)
        if answer.status == 410:
            assert is_gone(answer)
            fresh = urllib.parse.quote(answer.json()["metadata"]["continue"])
            answer = await world.client("GET", f"{where(space)}?limit=9&continue={fresh}")
            state = world.state
        else:
            assert answer.json()["metadata"]["resourceVersion"] == str(revision)
        assert answer.status == 200
        assert ours(keys(answer.json())) == [key for key in chosen(state, space) if key > last]


async def check_watches(world: World) -> None:
    """A watch from each revision tells all that came after, as its selector sees it, or that it cannot."""
    for revision in range(world.first, world.now + 1):
        for space, label in (("", ""), ("two", ""), ("", "x")):
            selector = f"&labelSelector=l%3D{label}" if label else ""
            path = f"{where(space)}?watch=1&resourceVersion={revision}&timeoutSeconds=0{selector}"
            # A time of zero is none at all, so the watch is left once it has told what it has to.
            told = await events(world, path, list(expected(world, revision, space, label)))
            if told and told[0]["type"] == "ERROR":
                assert (told[0]["object"]["code"], len(told)) == (410, 1)


def expected(world: World, revision: int, space: str, label: str) -> Iterator[tuple[str, str, str, int]]:
    revisions = sorted(each for each in world.states if each > revision)
    before = world.at(revision)
    for each in revisions:
        after = world.states[each]
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) == after.get(key) or space not in ("", key[0]):
                continue
            was = key in before and label in ("", before[key][0])
            now = key in after and label in ("", after[key][0])
            if was or now:
                yield ("MODIFIED" if was and now else "ADDED" if now else "DELETED", *key, each)
        before = after


async def events(world: World, path: str, wanted: list[tuple[str, str, str, int]]) -> list[Any]:
    stream = await world.client.stream(path)
    found: list[Any] = []
    async with asyncio.timeout(20):
        while len(found) < max(len(wanted), 1) and (wanted or stream.task.done()):
            part = await stream.sent.get()
            if part is None:
                break
            found += [json.loads(line) for line in part.splitlines()]
            if found and found[0]["type"] == "ERROR":
                await stream.leave()
                return found
    await stream.leave()
    told = [
        (
            each["type"],
            each["object"]["metadata"]["namespace"],
            each["object"]["metadata"]["name"],
            int(each["object"]["metadata"]["resourceVersion"]),
        )
        for each in found
    ]
    assert told == wanted
    return found


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "KEPT_IN_PEACE", 1)


async def play(steps: list[tuple[str, str, str, str]]) -> None:
    with tempfile.TemporaryDirectory(prefix="minikctl-test-") as folder:
        store = await Store.open(Path(folder) / "store.db")
        world = World(store)
        await world.prepare()
        try:
            for step in steps:
                await world.step(step)
            await check_lists(world)
            await check_pages(world)
            await check_watches(world)
        finally:
            await world.registry.close()
            await store.close()


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
@pytest.mark.usefixtures("forgetful")
def test_the_past_is_as_it_was_or_gone(steps: list[tuple[str, str, str, str]]) -> None:
    asyncio.run(play(steps))
