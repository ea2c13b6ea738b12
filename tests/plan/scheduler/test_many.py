"""Plans for more nodes and pods than a file of cases would show well, and what is known of nodes in whatever order it comes."""

from __future__ import annotations

from typing import Any

from minikctl.model.actions.api import Patch, Plan
from minikctl.plan.scheduler.facts import PodFacts
from minikctl.plan.scheduler.summary import Summary
from tests.plan import cases, shorthand
from tests.plan.planners import SCHEDULER

CPU = {"requests": {"cpu": "100m"}}
NEAR = {"topologyKey": "host", "labelSelector": {"matchLabels": {"app": "web"}}}
FOND = {
    "affinity": {
        "podAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": NEAR}]
        }
    }
}
APART = {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [NEAR]}}}


def plan(*given: dict[str, Any]) -> Plan:
    case = cases.Case("many", {"given": list(given)})
    view = SCHEDULER.view(case.world(), case.body)
    return SCHEDULER.desired(view, case.now)


def bound(found: Plan) -> dict[str, str]:
    """Return the node of each pod that the plan binds."""
    written = [each for each in found.actions if isinstance(each, Patch) and each.subresource == "binding"]
    return {
        each.name: each.body["target"]["name"] if "target" in each.body else each.body["spec"]["nodeName"]
        for each in written
    }


def node(name: str, **more: Any) -> dict[str, Any]:
    return {"node": {"name": name, "labels": {"host": name}, **more}}


def waiting(name: str, cpu: str = "100m", **more: Any) -> dict[str, Any]:
    container = {"name": "a", "resources": {"requests": {"cpu": cpu}}}
    return {"pod": {"name": name, "node": None, "phase": "Pending", "containers": [container], **more}}


def running(name: str, on: str, cpu: str = "100m", **more: Any) -> dict[str, Any]:
    return {
        "pod": {
            "name": name,
            "node": on,
            "containers": [{"name": "a", "resources": {"requests": {"cpu": cpu}}}],
            **more,
        }
    }


def test_pods_of_many_shapes_are_all_placed() -> None:
    pods = [waiting(f"p{number}", f"{number + 1}m") for number in range(12)]
    assert set(bound(plan(node("one"), *pods))) == {f"p{number}" for number in range(12)}


def test_pods_alike_are_refused_in_the_same_words() -> None:
    found = plan(node("one"), waiting("a", "64"), waiting("b", "64"))
    messages = {each.message for each in found.actions if hasattr(each, "message")}
    assert len(messages) == 1
    assert bound(found) == {}


def test_of_very_many_nodes_only_a_part_is_looked_at() -> None:
    nodes = [node(f"n{number:03}") for number in range(130)]
    found = plan(
        *nodes, running("w", "n005", labels={"app": "web"}), *(waiting(f"p{n}", spec=FOND) for n in range(3))
    )
    assert len(bound(found)) == 3


def test_of_very_many_nodes_some_are_asked_for_victims() -> None:
    nodes = [node(f"n{number:03}") for number in range(103)]
    low = [running(f"low{number:03}", f"n{number:03}", "4", spec={"priority": 1}) for number in range(103)]
    found = plan(*nodes, *low, waiting("high", "4", spec={"priority": 100}))
    deleted = [each for each in found.actions if type(each).__name__ == "Delete"]
    assert len(deleted) == 1


def test_who_is_nominated_and_waits_for_nobody_drives_out_again() -> None:
    found = plan(
        node("one"),
        running("low", "one", "4", spec={"priority": 1}),
        waiting("high", "4", spec={"priority": 100}, status={"nominatedNodeName": "one"}),
    )
    assert [each.name for each in found.actions if type(each).__name__ == "Delete"] == ["low"]


def test_budgets_of_other_namespaces_protect_nobody() -> None:
    guard = {
        "name": "db",
        "namespace": "other",
        "spec": {"selector": {}},
        "status": {"disruptionsAllowed": 0},
    }
    found = plan(
        node("one"),
        {"budget": guard},
        running("low", "one", "4", spec={"priority": 1}),
        waiting("high", "4", spec={"priority": 100}),
    )
    assert [each.name for each in found.actions if type(each).__name__ == "Delete"] == ["low"]


def test_terms_of_pods_on_nodes_that_are_gone_or_have_no_such_label_say_nothing() -> None:
    found = plan(
        node("one"),
        {"node": {"name": "bare"}},
        running("ghost", "gone", labels={"app": "web"}, spec=APART),
        running("fan", "bare", labels={"app": "x"}, spec=FOND),
        waiting("star", labels={"app": "web"}),
    )
    assert set(bound(found)) == {"star"}


def test_spreading_nothing_costs_nothing() -> None:
    spread = [
        {
            "topologyKey": "host",
            "maxSkew": 1,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app": "none"}},
        }
    ]
    found = plan(node("one"), node("two"), waiting("a", spec={"topologySpreadConstraints": spread}))
    assert set(bound(found)) == {"a"}


def test_a_choice_is_made_anew_when_pods_come_that_mind_others() -> None:
    found = plan(
        node("one"), node("two"), waiting("a"), waiting("b", labels={"app": "web"}, spec=APART), waiting("c")
    )
    assert set(bound(found)) == {"a", "b", "c"}


def test_room_that_is_kept_for_one_pod_is_refused_to_another() -> None:
    found = plan(
        node("one"),
        waiting("greedy", "3", age=50),
        waiting("chosen", "2", age=5, status={"nominatedNodeName": "one"}),
    )
    assert bound(found) == {"chosen": "one"}


def test_a_node_may_be_learnt_of_after_its_pods() -> None:
    moment = cases.Case("x", {}).now
    ports = [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]
    pod = shorthand.expand(
        {"pod": {"name": "a", "node": "one", "containers": [{"name": "a", "ports": ports}]}}, moment
    )
    summary = Summary()
    summary.pod_changed(None, pod)
    assert summary.rooms == {}
    summary.node_changed(None, shorthand.expand(node("one"), moment))
    room = summary.rooms["one"]
    assert set(room.pods) == {PodFacts(pod).uid}
    assert room.ports
    summary.pod_changed(pod, None)
    assert not room.pods
    assert not room.ports
