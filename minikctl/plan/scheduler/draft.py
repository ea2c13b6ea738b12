"""What one plan has decided so far, on top of the summary, which it leaves as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from minikctl.plan.scheduler.facts import PodFacts
from minikctl.plan.scheduler.summary import Room, Summary
from minikctl.plan.storage.scheduling import Storage

Labels = Mapping[str, Mapping[str, str]]
"""The labels of each namespace."""


class Follower(Protocol):
    """What counts along."""

    def moved(self, pod: PodFacts, room: Room, sign: int) -> None:
        """Take note that the pod came onto the node (1) or left it (-1)."""
        ...

    def reserved(self, room: Room) -> None:
        """Take note that room was kept or given back for a pod that is not there yet."""
        ...


class Draft:
    """Rooms as they will be once the plan is carried out."""

    def __init__(self, summary: Summary, namespaces: Labels, storage: Storage | None = None) -> None:
        self.namespaces = namespaces
        self.storage = storage or Storage()
        self.version = 0
        """Counts changes."""
        self.rooms: dict[str, Room] = {name: summary.rooms[name] for name in sorted(summary.rooms)}
        self._minding = {uid: (pod, pod.node) for uid, pod in summary.minding.items()}
        self._own: set[str] = set()
        self._kept: set[str] = set()
        """Pods that room is kept for, by uid."""
        self._followers: list[Follower] = []

    @property
    def is_social(self) -> bool:
        """Tell whether some pod that has a node minds who comes near."""
        return bool(self._minding)

    def placed(self, *, minding: bool = False) -> Iterator[tuple[PodFacts, Room]]:
        """Yield all pods that have a node, or only those with terms of their own, each with its room."""
        if minding:
            for pod, name in self._minding.values():
                if name in self.rooms:
                    yield pod, self.rooms[name]
            return
        for room in self.rooms.values():
            for pod in room.pods.values():
                yield pod, room

    def place(self, pod: PodFacts, name: str) -> None:
        """Put the pod on the node."""
        room = self._writable(name)
        room.add(pod)
        if pod.has_terms:
            self._minding[pod.uid] = (pod, name)
        for follower in self._followers:
            follower.moved(pod, room, 1)

    def reserve(self, pod: PodFacts, name: str) -> None:
        """Keep room for a pod that waits for its victims to end."""
        room = self._writable(name)
        room.add(pod)
        self._kept.add(pod.uid)
        for follower in self._followers:
            follower.reserved(room)

    def release(self, pod: PodFacts, name: str) -> None:
        """Give back what was kept."""
        room = self._writable(name)
        room.remove(pod.uid)
        self._kept.remove(pod.uid)
        for follower in self._followers:
            follower.reserved(room)

    def is_kept(self, pod: PodFacts) -> bool:
        """Tell whether room is kept for the pod, which has no node yet."""
        return pod.uid in self._kept

    def follow(self, follower: Follower) -> None:
        """Tell it what changes from here on."""
        self._followers.append(follower)

    def unfollow(self, follower: Follower) -> None:
        """Tell it no more."""
        self._followers.remove(follower)

    def _writable(self, name: str) -> Room:
        self.version += 1
        if name not in self._own:
            self._own.add(name)
            self.rooms[name] = self.rooms[name].copy()
        return self.rooms[name]
