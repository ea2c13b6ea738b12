"""When all pods are looked through for some that nobody looks after."""

from __future__ import annotations

from typing import Any, cast

from minikctl.controllers import base
from minikctl.controllers.scheduler import PodGarbageController
from minikctl.model import kinds
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Key, Object
from tests.controllers.test_base import OneObject
from tests.fakes.clock import FakeClock


class Caches:
    """One node and one pod."""

    def __init__(self) -> None:
        self.nodes, self.pods = OneObject(node("one")), OneObject(pod())

    def of(self, kind: Kind) -> base.Cache:
        return self.nodes if kind is kinds.NODE else self.pods


def node(name: str) -> Object:
    return {"metadata": {"name": name}}


def pod(phase: str = "Running") -> Object:
    found = {"name": "web", "namespace": "default", "uid": "1"}
    return {"metadata": found, "spec": {"nodeName": "one"}, "status": {"phase": phase}}


def test_pods_are_looked_through_for_nodes_that_go_and_come_back_not_for_new_ones() -> None:
    caches, due = Caches(), list[Key]()
    found = PodGarbageController(caches, cast("Any", None), FakeClock())
    found.subscribe(due.append)
    caches.nodes._obj = None
    caches.nodes.set(node("one"))
    caches.pods.set(pod())
    assert due == []
    caches.nodes.set(None)
    assert due == [base.CLUSTER]
    view = found.view(base.CLUSTER)
    assert view is not None
    assert list(view.missing) == ["one"]
    caches.nodes.set(node("one"))
    assert due == [base.CLUSTER] * 2
    caches.pods.set(pod("Succeeded"))
    assert due == [base.CLUSTER] * 3
