"""Rolling updates in a world where everything happens in any order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from minikctl.model import kinds, objects
from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.deployment.parts import Deployment
from tests.plan import shorthand
from tests.plan.cases import Planner
from tests.plan.planners import DEPLOYMENT, REPLICA_SET
from tests.plan.world import World

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHARES = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "10%", "25%", "50%", "100%"]))


class Rollout(RuleBasedStateMachine):
    """A Deployment whose pods become ready and end when they like, and whose template may change any time."""

    world: World

    @initialize(replicas=st.integers(0, 6), surge=SHARES, unavailable=SHARES)
    def begin(self, replicas: int, surge: Any, unavailable: Any) -> None:
        """Start with all pods of the first template available."""
        rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
        spec = {"strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}
        fields = {"name": "web", "replicas": replicas, "spec": spec}
        self.world = World([shorthand.expand({"deployment": fields}, NOW)], NOW)
        self.settle()

    def plan(self, planner: Planner, name: str) -> bool:
        """Plan and apply once; tell whether anything changed."""
        view = planner.view(self.world, {"key": ["default", name]})
        plan = planner.desired(view, NOW)
        self.world.apply(planner.kind, view.object, plan)
        return bool(plan.actions) or (plan.status is not None and plan.status != objects.status(view.object))

    def sets(self) -> list[Object]:
        """Return the ReplicaSets."""
        return list(self.world.of(kinds.REPLICA_SET).items())

    def pods(self) -> list[Object]:
        """Return the pods."""
        return list(self.world.of(kinds.POD).items())

    def deployment(self) -> Object:
        """Return the Deployment."""
        found = self.world.of(kinds.DEPLOYMENT).get("default", "web")
        assert found is not None
        return found

    def settle(self) -> None:
        """Let everything happen until nothing is left to do."""
        for _ in range(200):
            changed = self.plan(DEPLOYMENT, "web")
            for each in self.sets():
                changed |= self.plan(REPLICA_SET, objects.name(each))
            for pod in self.pods():
                changed |= self.start(pod) or self.end(pod)
            if not changed:
                return
        raise AssertionError("the rollout does not end")

    def start(self, pod: Object) -> bool:
        """Have the pod become ready."""
        if readiness.is_ready(pod) or objects.is_deleting(pod):
            return False
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": objects.timestamp(NOW)}
        self.world.put({**pod, "spec": {**pod["spec"], "nodeName": "one"}, "status": {"conditions": [ready]}})
        return True

    def end(self, pod: Object) -> bool:
        """Have the pod end, if it was asked to."""
        if not objects.is_deleting(pod):
            return False
        self.world.remove(kinds.POD, *objects.key(pod))
        return True

    @rule()
    def deployment_controller(self) -> None:
        """The Deployment is planned."""
        self.plan(DEPLOYMENT, "web")

    @rule(index=st.integers(0, 9))
    def replica_set_controller(self, index: int) -> None:
        """A ReplicaSet is planned."""
        sets = self.sets()
        if sets:
            self.plan(REPLICA_SET, objects.name(sets[index % len(sets)]))

    @rule(index=st.integers(0, 30))
    def kubelet(self, index: int) -> None:
        """A pod starts or ends."""
        pods = self.pods()
        if pods:
            pod = pods[index % len(pods)]
            _ = self.start(pod) or self.end(pod)

    @rule(image=st.sampled_from(["demo:1", "demo:2", "demo:3"]))
    def user(self, image: str) -> None:
        """The template changes."""
        found = self.deployment()
        template = {**found["spec"]["template"], "spec": {"containers": [{"name": "main", "image": image}]}}
        generation = objects.generation(found) + 1
        self.world.put(
            {
                **found,
                "metadata": {**found["metadata"], "generation": generation},
                "spec": {**found["spec"], "template": template},
            }
        )

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def bounds_are_kept(self) -> None:
        """Never are too few pods available, nor too many asked for."""
        deployment = Deployment.of(self.deployment())
        asked = sum(objects.spec(each)["replicas"] for each in self.sets())
        assert asked <= deployment.replicas + deployment.max_surge
        available = sum(readiness.is_ready(pod) and readiness.is_active(pod) for pod in self.pods())
        assert available >= deployment.replicas - deployment.max_unavailable

    def teardown(self) -> None:
        """In the end, only pods of the wanted template are there, and all are available."""
        if not hasattr(self, "world"):
            return
        self.settle()
        found = self.deployment()
        wanted = found["spec"]["template"]["spec"]
        pods = self.pods()
        assert len(pods) == found["spec"]["replicas"]
        assert all(pod["spec"]["containers"] == wanted["containers"] for pod in pods)
        assert objects.status(found).get("updatedReplicas", 0) == found["spec"]["replicas"]


TestRollout = Rollout.TestCase
TestRollout.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
