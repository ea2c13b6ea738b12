"""What is removed when a cluster is deleted: nothing in the midst of its start."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from minikctl.cli import removal
from minikctl.drivers.engine import LEAVING, Engine, Network
from minikctl.model.containers import Container, ContainerStatus

LABELS = {"minikctl.dev/cluster": "c"}


def container(name: str, role: str, status: ContainerStatus) -> Container:
    return Container(name, name, {**LABELS, "minikctl.dev/role": role}, "i", "i", status)


@dataclass
class Starting:
    """An engine that has been told to start the created containers; each list finds ``runs_after`` later ones up."""

    there: dict[str, Container]
    runs_after: int = 3
    failed: tuple[str, ...] = ()
    said: list[str] = field(default_factory=list)
    has_network: bool = True
    leaving: int = 0
    most: int = 0

    async def list(self, labels: Mapping[str, str]) -> Sequence[Container]:
        assert labels == LABELS
        self.runs_after -= 1
        if self.runs_after == 0:
            self.there = {
                name: container(name, each.labels["minikctl.dev/role"], "running")
                for name, each in self.there.items()
            }
        return tuple(self.there.values())

    async def inspect(self, container_id: str) -> Container | None:
        found = self.there.get(container_id)
        return replace(found, error="no such program") if found and container_id in self.failed else found

    async def remove(self, container_id: str) -> None:
        self.leaving += 1
        self.most = max(self.most, self.leaving)
        await asyncio.sleep(0)
        self.leaving -= 1
        self.said.append(f"{container_id} {self.there.pop(container_id).status}")

    async def networks(self, labels: Any) -> Sequence[Network]:
        network = Network("id", "net", "10.0.0.0/24", "10.0.0.1", LABELS)
        return (network,) if self.has_network else ()

    async def remove_network(self, name: str) -> None:
        self.said.append(name)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "PAUSE_SECONDS", 0)


async def test_what_is_being_started_is_removed_once_it_runs() -> None:
    found = [
        container("pause", "pause", "running"),
        container("app", "app", "exited"),
        container("late", "pause", "created"),
    ]
    engine = Starting({each.id: each for each in found})
    assert await removal.clear(cast(Engine, engine), LABELS)
    assert engine.said == ["app exited", "pause running", "late running", "net"]


async def test_few_leave_the_network_at_a_time() -> None:
    engine = Starting({name: container(name, "pause", "running") for name in "abcdefgh"}, runs_after=100)
    assert await removal.clear(cast(Engine, engine), LABELS)
    assert engine.most == LEAVING


async def test_what_could_not_be_started_is_not_waited_for() -> None:
    engine = Starting({"a": container("a", "app", "created")}, runs_after=2, failed=("a",))
    assert await removal.clear(cast(Engine, engine), LABELS)
    assert engine.said == ["a created", "net"]


async def test_what_is_never_started_goes_in_the_end() -> None:
    engine = Starting({"a": container("a", "app", "created")}, runs_after=1000)
    assert await removal.clear(cast(Engine, engine), LABELS)
    assert engine.said == ["a created", "net"]


async def test_a_cluster_that_nobody_made_is_not_said_to_be_deleted() -> None:
    assert not await removal.clear(cast(Engine, Starting({}, has_network=False)), LABELS)
