"""The planners under test, each reading its view from a world as its controller does from caches."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from minikctl.controllers.api_endpoints import ApiEndpointsController
from minikctl.controllers.batch import JobController
from minikctl.controllers.daemonset import DaemonSetController
from minikctl.controllers.deployment import DeploymentController
from minikctl.controllers.disruption import DisruptionController
from minikctl.controllers.flow_control import FlowSchemaController, PriorityLevelController
from minikctl.controllers.namespace import ServiceAccountController, namespaced
from minikctl.controllers.quota import counted
from minikctl.controllers.replicaset import ReplicaSetController, ReplicationControllerController
from minikctl.controllers.role_aggregation import RoleAggregationController
from minikctl.controllers.scheduler import SchedulerController
from minikctl.controllers.service_addresses import ServiceAddressController
from minikctl.controllers.services import (
    EndpointsController,
    EndpointSliceController,
    EndpointSliceMirroringController,
    Lookups,
)
from minikctl.controllers.statefulset import StatefulSetController
from minikctl.controllers.storage import ClaimController, EphemeralVolumeController, VolumeController
from minikctl.model import kinds, objects
from minikctl.model.objects import Key
from minikctl.node.meter import Sample
from minikctl.plan import (
    account_tokens,
    api_endpoints,
    claims,
    cronjob,
    disruption,
    endpoints,
    endpointslice,
    endpointslicemirroring,
    flow_control,
    garbage,
    namespace,
    node,
    node_lifecycle,
    pod_garbage,
    replicaset,
    role_aggregation,
    service_account,
    service_addresses,
    taint_eviction,
)
from minikctl.plan.autoscaling import planner as autoscaling
from minikctl.plan.autoscaling import view as autoscaling_view
from minikctl.plan.daemonset import parts as daemon_parts
from minikctl.plan.daemonset import planner as daemonset
from minikctl.plan.deployment import planner as deployment
from minikctl.plan.job import planner as job
from minikctl.plan.quota import planner as quotas
from minikctl.plan.scheduler import planner as scheduler
from minikctl.plan.statefulset import planner as statefulset
from minikctl.plan.storage import claim, ephemeral, volume
from minikctl.runtime.clock import SystemClock
from minikctl.runtime.executor import ApiExecutor
from tests.fakes.client import FakeClient
from tests.fakes.clock import FakeClock
from tests.plan.cases import Planner
from tests.plan.world import World


class _Silent:
    def record(self, action: object) -> None:
        """Say nothing."""


def _executor() -> ApiExecutor:
    """Return one that no planner test uses."""
    return ApiExecutor(FakeClient(), _Silent(), FakeClock(), lambda _: None)


def _key(case: dict[str, Any]) -> Key:
    found = case.get("key") or ["default", "web"]
    return found[0], found[1]


def _cached(controller: Any, *extra: Any) -> Any:
    def view(world: World, case: dict[str, Any]) -> Any:
        return controller(world, _executor(), SystemClock(), *extra).view(_key(case))

    return view


def _looked_up(controller: Any) -> Any:
    """Return the view of a controller of endpoints, which share what they look things up in."""

    def view(world: World, case: dict[str, Any]) -> Any:
        return controller(world, _executor(), SystemClock(), Lookups(world)).view(_key(case))

    return view


REPLICA_SET = Planner(kinds.REPLICA_SET, _cached(ReplicaSetController), replicaset.desired, replicaset.failed)


REPLICATION_CONTROLLER = Planner(
    kinds.REPLICATION_CONTROLLER,
    _cached(ReplicationControllerController),
    replicaset.desired,
    replicaset.failed,
)


def _pods_come_and_go(world: World, case: dict[str, Any]) -> None:
    """Have pods that are to go be gone, and new ones run on the node that they are meant for."""
    for pod in list(world.of(kinds.POD).items()):
        if objects.is_deleting(pod):
            world.remove(kinds.POD, *objects.key(pod))
        elif not objects.status(pod):
            node = daemon_parts.node_of(pod) or "one"
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T11:00:00Z"}
            spec = {**objects.spec(pod), "nodeName": node}
            world.put({**pod, "spec": spec, "status": {"phase": "Running", "conditions": [ready]}})


STATEFUL_SET = Planner(
    kinds.STATEFUL_SET,
    _cached(StatefulSetController),
    statefulset.desired,
    statefulset.failed,
    react=_pods_come_and_go,
)
DAEMON_SET = Planner(
    kinds.DAEMON_SET,
    _cached(DaemonSetController),
    daemonset.desired,
    daemonset.failed,
    react=_pods_come_and_go,
)


def _claim_view(world: World, case: dict[str, Any]) -> claim.View | None:
    found = _cached(ClaimController, "/state/volumes")(world, case)
    told = frozenset((event.reason, event.message) for event in world.events)
    return None if found is None else dataclasses.replace(found, told=told)


CLAIM = Planner(kinds.PERSISTENT_VOLUME_CLAIM, _claim_view, claim.desired)
VOLUME = Planner(kinds.PERSISTENT_VOLUME, _cached(VolumeController), volume.desired)
EPHEMERAL = Planner(kinds.POD, _cached(EphemeralVolumeController), ephemeral.desired, ephemeral.failed)


def _pods_follow(world: World, case: dict[str, Any]) -> None:
    """Have ReplicaSets get the pods that they ask for; those of ``stuck`` ones never become available."""
    for each in list(world.of(kinds.REPLICA_SET).items()):
        wanted = objects.spec(each)["replicas"]
        counts = {"replicas": wanted, "observedGeneration": objects.generation(each)}
        if objects.name(each) not in case.get("stuck", ()):
            counts |= {"readyReplicas": wanted, "availableReplicas": wanted}
        world.put({**each, "status": {**objects.status(each), **counts}})
    for pod in list(world.of(kinds.POD).items()):
        if objects.is_deleting(pod):
            world.remove(kinds.POD, *objects.key(pod))


DEPLOYMENT = Planner(
    kinds.DEPLOYMENT,
    _cached(DeploymentController),
    deployment.desired,
    deployment.failed,
    react=_pods_follow,
)
ENDPOINT_SLICE = Planner(kinds.SERVICE, _looked_up(EndpointSliceController), endpointslice.desired)
MIRRORING = Planner(
    kinds.ENDPOINTS, _looked_up(EndpointSliceMirroringController), endpointslicemirroring.desired
)
ENDPOINTS = Planner(kinds.SERVICE, _looked_up(EndpointsController), endpoints.desired)
API_ENDPOINTS = Planner(kinds.SERVICE, _cached(ApiEndpointsController), api_endpoints.desired)
PRIORITY_LEVEL = Planner(kinds.PRIORITY_LEVEL, _cached(PriorityLevelController), flow_control.desired)
FLOW_SCHEMA = Planner(kinds.FLOW_SCHEMA, _cached(FlowSchemaController), flow_control.desired)
ROLE_AGGREGATION = Planner(kinds.CLUSTER_ROLE, _cached(RoleAggregationController), role_aggregation.desired)


def _quota_view(world: World, case: dict[str, Any]) -> quotas.View | None:
    found = world.of(kinds.RESOURCE_QUOTA).get(*_key(case))
    if found is None:
        return None
    table = kinds.BUILT_IN
    items = [(kind, each) for kind in counted(found, table) for each in world.of(kind).items(_key(case)[0])]
    return quotas.View(found, tuple(items))


QUOTA = Planner(kinds.RESOURCE_QUOTA, _quota_view, quotas.desired)
SERVICE_ACCOUNT = Planner(kinds.NAMESPACE, _cached(ServiceAccountController, "CA"), service_account.desired)


def _account_token_view(world: World, case: dict[str, Any]) -> account_tokens.View | None:
    secret = world.of(kinds.SECRET).get(*_key(case))
    if secret is None:
        return None
    account = world.of(kinds.SERVICE_ACCOUNT).get(_key(case)[0], account_tokens.account_of(secret))
    lacks = account is not None and account_tokens.lacks_token(secret)
    return account_tokens.View(secret, account, "TOKEN" if lacks else "", "CA")


ACCOUNT_TOKEN = Planner(kinds.SECRET, _account_token_view, account_tokens.desired)
SERVICE_ADDRESSES = Planner(kinds.SERVICE, _cached(ServiceAddressController), service_addresses.desired)
SCHEDULER = Planner(kinds.POD, _cached(SchedulerController), scheduler.desired)


DISRUPTION = Planner(kinds.POD_DISRUPTION_BUDGET, _cached(DisruptionController), disruption.desired)


def _samples(case: dict[str, Any]) -> dict[str, dict[str, Sample]] | None:
    given = case.get("samples", {})
    if given is None:
        return None
    found: dict[str, dict[str, Sample]] = {}
    for name, use in given.items():
        at = objects.parse_time(use.get("at", "2026-01-01T12:00:00Z"))
        assert at is not None
        sample = Sample(use.get("cpus", 0.0), use.get("memory", 0), at, use.get("window", 15.0))
        found[f"{name}-uid"] = {use.get("container", "main"): sample}
    return found


def parsed(text: str) -> datetime:
    """Return the moment that a case names."""
    found = objects.parse_time(text)
    assert found is not None, text
    return found


def _autoscaling_view(world: World, case: dict[str, Any]) -> autoscaling_view.View | None:
    found = world.of(kinds.HORIZONTAL_POD_AUTOSCALER).get(*_key(case))
    if found is None:
        return None
    past = autoscaling_view.Past(
        *(
            tuple((parsed(at), count) for at, count in case.get(name) or ())
            for name in ("recommended", "changes")
        )
    )
    owner = world.of(kinds.DEPLOYMENT).get("default", "web")
    if owner is None:
        return autoscaling_view.View(found, None, 'deployments.apps "web" not found', past=past)
    pods = tuple(pod for pod in world.of(kinds.POD).items() if objects.labels(pod).get("app") == "web")
    wanted = objects.spec(owner)["replicas"]
    target = autoscaling_view.Target(
        kinds.DEPLOYMENT, "default", "web", wanted, wanted, pods, case.get("selector", True)
    )
    return autoscaling_view.View(found, target, "", _samples(case), past)


AUTOSCALING = Planner(
    kinds.HORIZONTAL_POD_AUTOSCALER, _autoscaling_view, autoscaling.desired, autoscaling.failed
)
JOB = Planner(kinds.JOB, _cached(JobController), job.desired, job.failed)


def _cron_job_view(world: World, case: dict[str, Any]) -> cronjob.View | None:
    owner = world.of(kinds.CRON_JOB).get(*_key(case))
    if owner is None:
        return None
    told = frozenset((each.reason, each.message) for each in world.events)
    jobs = (each for each in world.of(kinds.JOB).items() if claims.is_owned(each, owner))
    return cronjob.View(owner, tuple(jobs), told)


CRON_JOB = Planner(kinds.CRON_JOB, _cron_job_view, cronjob.desired, cronjob.failed)


def _namespace_view(world: World, case: dict[str, Any]) -> namespace.View | None:
    found = world.of(kinds.NAMESPACE).get("", _key(case)[1])
    if found is None:
        return None
    contents = tuple(
        (kind, tuple(world.of(kind).items(objects.name(found)))) for kind in namespaced(kinds.BUILT_IN)
    )
    return namespace.View(found, contents)


NAMESPACE = Planner(kinds.NAMESPACE, _namespace_view, namespace.desired, namespace.failed)


def _node_view(world: World, case: dict[str, Any]) -> node.View:
    facts: dict[str, Any] = {
        "cpus": 4,
        "memory_bytes": 8 << 30,
        "architecture": "amd64",
        "operating_system": "linux",
        "kernel": "6.1.0",
        "os_image": "Debian GNU/Linux 12",
        "runtime": "docker://20.10",
        "address": "10.201.0.1",
    }
    given = case.get("facts") or {}
    if given != "unknown":
        facts |= given
    return node.View(
        "one",
        "v1.36.2",
        world.of(kinds.NODE).get("", "one"),
        world.of(kinds.LEASE).get(node.LEASE_NAMESPACE, "one"),
        None if given == "unknown" else node.Facts(**facts),
        str(case.get("trouble") or ""),
        node.Place(**(case.get("place") or {})),
    )


NODE = Planner(kinds.NODE, _node_view, node.desired)


def _pods_on(world: World, name: str) -> tuple[Any, ...]:
    return tuple(pod for pod in world.of(kinds.POD).items() if objects.spec(pod).get("nodeName") == name)


def _node_lifecycle_view(world: World, case: dict[str, Any]) -> node_lifecycle.View | None:
    found = world.of(kinds.NODE).get("", _key(case)[1])
    if found is None:
        return None
    since = objects.parse_time(case.get("since", "2026-01-01T00:00:00Z"))
    assert since is not None
    nodes = world.of(kinds.NODE).items()
    ready = any((objects.condition(each, "Ready") or {}).get("status") == "True" for each in nodes)
    lease = world.of(kinds.LEASE).get(node.LEASE_NAMESPACE, objects.name(found))
    return node_lifecycle.View(
        found, lease, _pods_on(world, objects.name(found)), since, not ready, bool(case.get("own"))
    )


NODE_LIFECYCLE = Planner(kinds.NODE, _node_lifecycle_view, node_lifecycle.desired)


def _taint_eviction_view(world: World, case: dict[str, Any]) -> taint_eviction.View | None:
    found = world.of(kinds.NODE).get("", _key(case)[1])
    if found is None:
        return None
    moments = {uid: objects.parse_time(text) for uid, text in (case.get("since") or {}).items()}
    since = {uid: moment for uid, moment in moments.items() if moment is not None}
    return taint_eviction.View(found, _pods_on(world, objects.name(found)), since)


TAINT_EVICTION = Planner(kinds.NODE, _taint_eviction_view, taint_eviction.desired)


def _pod_garbage_view(world: World, case: dict[str, Any]) -> pod_garbage.View:
    moments = {name: objects.parse_time(text) for name, text in (case.get("missing") or {}).items()}
    missing = {name: moment for name, moment in moments.items() if moment is not None}
    return pod_garbage.View(tuple(world.of(kinds.POD).items()), missing)


POD_GARBAGE = Planner(kinds.POD, _pod_garbage_view, pod_garbage.desired)


def _garbage_view(world: World, case: dict[str, Any]) -> garbage.View | None:
    kind = next(each for each in kinds.ALL if each.kind == case.get("kind", "Pod"))
    found = world.of(kind).get(*_key(case))
    if found is None:
        return None
    owners = []
    for reference in objects.meta(found).get("ownerReferences") or ():
        state = (case.get("owners") or {}).get(reference["name"], "absent")
        owners.append(garbage.Owner(reference["uid"], state))
    dependents = [
        garbage.Dependent(each, obj)
        for each in (kinds.POD, kinds.REPLICA_SET)
        for obj in world.of(each).items()
        if any(ref["uid"] == objects.uid(found) for ref in objects.meta(obj).get("ownerReferences") or ())
    ]
    return garbage.View(kind, found, tuple(owners), tuple(dependents))


GARBAGE = Planner(kinds.POD, _garbage_view, garbage.desired)
