"""Whatever happened to nodes and pods, the summary is the one that is made of how they are now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan.scheduler.summary import Room, Summary

NODES = ("one", "two")
PODS = ("a", "b", "c")
TERM = {"topologyKey": "host", "labelSelector": {"matchLabels": {"app": "web"}}}
MINDS = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]}}


def node(name: str, cpu: str = "4", zone: str = "z", leaving: bool = False) -> Object:
    meta: dict[str, Any] = {"name": name, "uid": name, "labels": {"topology.kubernetes.io/zone": zone}}
    if leaving:
        meta["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    return {"metadata": meta, "spec": {}, "status": {"allocatable": {"cpu": cpu, "pods": "10"}}}


def pod(
    name: str,
    uid: str = "u",
    node: str = "",
    label: str = "web",
    phase: str = "Pending",
    cpu: str = "1",
    minds: bool = False,
    owner: str = "owner",
) -> Object:
    ports = [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]
    container = {"name": "a", "ports": ports, "resources": {"requests": {"cpu": cpu}}}
    meta: dict[str, Any] = {"name": name, "namespace": "default", "uid": f"{name}-{uid}"}
    if owner:
        reference = {"kind": "ReplicaSet", "name": "web", "uid": owner, "controller": True}
        meta["ownerReferences"] = [reference]
    spec: dict[str, Any] = {"containers": [container]}
    if node:
        spec["nodeName"] = node
    if minds:
        spec["affinity"] = MINDS
    return {"metadata": {**meta, "labels": {"app": label}}, "spec": spec, "status": {"phase": phase}}


def shown(room: Room) -> dict[str, Any]:
    """Return all that a node's entry tells."""
    return {
        "node": room.node,
        "zone": room.zone,
        "have": room.have,
        "pods": {uid: facts.pod for uid, facts in room.pods.items()},
        "used": {name: amount for name, amount in room.used.items() if amount},
        "likely": room.likely,
        "ports": dict(room.ports),
        "owners": {name: count for name, count in room.owners.items() if count},
    }


@dataclass
class History:
    """Nodes and pods as they are, and the summary that followed each change."""

    nodes: dict[str, Object] = field(default_factory=dict)
    pods: dict[str, Object] = field(default_factory=dict)
    summary: Summary = field(default_factory=Summary)

    def node(self, name: str, new: Object | None) -> None:
        """Change a node, None takes it away."""
        old = self.nodes.pop(name, None)
        if new is not None:
            self.nodes[name] = new
        if old is not None or new is not None:
            self.summary.node_changed(old, new)

    def pod(self, name: str, new: Object | None) -> None:
        """Change a pod, None takes it away."""
        old = self.pods.pop(name, None)
        if new is not None:
            self.pods[name] = new
        if old is not None or new is not None:
            self.summary.pod_changed(old, new)

    def check(self) -> None:
        """Compare the summary with one that is made anew."""
        anew = Summary.of(self.nodes.values(), self.pods.values())
        assert {name: shown(room) for name, room in self.summary.rooms.items()} == {
            name: shown(room) for name, room in anew.rooms.items()
        }
        for kept, wanted in ((self.summary.waiting, anew.waiting), (self.summary.minding, anew.minding)):
            assert {key: facts.pod for key, facts in kept.items()} == {
                key: facts.pod for key, facts in wanted.items()
            }


some_nodes = st.builds(
    node, st.just(""), st.sampled_from(["4", "8"]), st.sampled_from(["z", "y"]), st.booleans()
)
some_pods = st.builds(
    pod,
    st.just(""),
    st.sampled_from(["u", "v"]),
    st.sampled_from(["", *NODES]),
    st.sampled_from(["web", "db"]),
    st.sampled_from(["Pending", "Running", "Succeeded"]),
    st.sampled_from(["1", "2"]),
    st.booleans(),
    st.sampled_from(["owner", ""]),
)
changes = st.one_of(
    st.tuples(st.sampled_from(NODES), st.none() | some_nodes),
    st.tuples(st.sampled_from(PODS), st.none() | some_pods),
)


def named(obj: Object, name: str) -> Object:
    """Return the object under that name, with a uid of its own."""
    return {**obj, "metadata": {**obj["metadata"], "name": name, "uid": f"{name}{objects.uid(obj)}"}}


@given(st.lists(changes, max_size=12))
def test_any_history(found: list[tuple[str, Object | None]]) -> None:
    history = History()
    for name, drawn in found:
        new = drawn and named(drawn, name)
        (history.node if name in NODES else history.pod)(name, new)
        history.check()


def test_a_new_status_keeps_what_is_known_of_a_pod() -> None:
    history = History()
    history.node("one", node("one"))
    for where in ("one", ""):
        history.pod("a", pod("a", node=where))
        known = history.summary.waiting.get(("default", "a")) or history.summary.rooms["one"].pods["a-u"]
        history.pod("a", pod("a", node=where, phase="Running"))
        assert known.pod["status"] == {"phase": "Running"}
        history.check()


def test_a_pod_that_is_resized_counts_for_more() -> None:
    history = History()
    history.node("one", node("one"))
    asking = pod("a", node="one")
    history.pod("a", asking)
    for cpu, used in (("1", 1000), ("3", 3000), ("1", 1000)):
        has = [{"name": "a", "allocatedResources": {"cpu": "1"}, "resources": {"requests": {"cpu": cpu}}}]
        history.pod("a", {**asking, "status": {"phase": "Running", "containerStatuses": has}})
        history.check()
        assert history.summary.rooms["one"].used["cpu"] == used


def test_another_pod_of_the_name_is_another() -> None:
    history = History()
    history.node("one", node("one"))
    history.pod("a", pod("a"))
    history.pod("a", pod("a", "v"))
    history.check()
    history.pod("a", pod("a", "v", "one"))
    history.check()
    history.pod("b", pod("b", node="one"))
    history.pod("a", pod("a", "v", "one", label="db"))
    history.check()
    history.pod("a", pod("a", "v", "one", phase="Succeeded"))
    history.check()
    history.pod("a", None)
    history.check()
    history.node("one", node("one", "8", "y"))
    history.check()
    history.node("one", node("one", leaving=True))
    history.check()
    history.pod("b", None)
    history.check()


def test_a_pod_may_be_let_go_and_adopted() -> None:
    history = History()
    history.node("one", node("one"))
    for owner in ("owner", "", "another"):
        history.pod("a", pod("a", node="one", owner=owner))
        history.check()
