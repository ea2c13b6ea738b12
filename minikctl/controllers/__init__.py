"""The controllers that need nothing but the API; ``build`` makes all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from minikctl.client import base as clients
from minikctl.controllers import base, garbage
from minikctl.controllers.account_tokens import AccountTokenController, Tokens
from minikctl.controllers.api_endpoints import ApiEndpointsController
from minikctl.controllers.autoscaling import AutoscalingController, Measure, nothing_measured
from minikctl.controllers.batch import CronJobController, JobController
from minikctl.controllers.certificates import Authority, CertificateController
from minikctl.controllers.crd import CustomKindController
from minikctl.controllers.daemonset import DaemonSetController
from minikctl.controllers.deployment import DeploymentController
from minikctl.controllers.disruption import DisruptionController
from minikctl.controllers.flow_control import FlowSchemaController, PriorityLevelController
from minikctl.controllers.namespace import NamespaceController, ServiceAccountController
from minikctl.controllers.node import FactsSource, Machine, NodeController, never
from minikctl.controllers.node_lifecycle import NodeLifecycleController, TaintEvictionController
from minikctl.controllers.quota import QuotaController
from minikctl.controllers.replicaset import ReplicaSetController, ReplicationControllerController
from minikctl.controllers.role_aggregation import RoleAggregationController
from minikctl.controllers.scheduler import PodGarbageController, SchedulerController
from minikctl.controllers.service_addresses import ServiceAddressController
from minikctl.controllers.services import (
    EndpointsController,
    EndpointSliceController,
    EndpointSliceMirroringController,
    Lookups,
)
from minikctl.controllers.statefulset import StatefulSetController
from minikctl.controllers.storage import ClaimController, EphemeralVolumeController, VolumeController
from minikctl.plan.node import Facts, Place
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor
from minikctl.runtime.loop import ControlLoop
from minikctl.runtime.served import Served


@dataclass(frozen=True)
class Settings:
    """What the controllers must be told: the nodes by name, their version, the CA's PEM text, their facts.

    ``served`` says which kinds there are.  ``volumes`` is the directory in which claims get theirs.
    ``measure`` says what pods use.
    ``changes`` takes what is called when the facts may have changed; ``known`` are those known beforehand.
    """

    nodes: Mapping[str, Place]
    version: str
    ca: str
    facts: FactsSource
    changes: Callable[[Callable[[], None]], None] = never
    known: Facts | None = None
    volumes: str = ""
    served: Served = field(default_factory=Served)
    measure: Measure = nothing_measured
    authority: Authority | None = None
    """Signs certificates; without one, requests for them wait."""
    tokens: Tokens | None = None
    """Issues what Secrets of accounts hold; without one, they stay empty."""


def build(
    client: clients.Client,
    caches: base.Caches,
    executor: ApiExecutor,
    clock: clocks.Clock,
    settings: Settings,
) -> list[ControlLoop[Any, Any]]:
    """Return the loops of all controllers; each has a ``run()`` for the daemon's task group."""
    identity = (settings.nodes, settings.version)
    machine = Machine(settings.facts, settings.changes, settings.known)
    signing = [CertificateController(caches, executor, clock, each) for each in (settings.authority,) if each]
    filling = [
        AccountTokenController(caches, executor, clock, client, (each, settings.ca))
        for each in (settings.tokens,)
        if each
    ]
    return [
        *(ControlLoop(each, clock) for each in signing),
        *(ControlLoop(each, clock) for each in filling),
        ControlLoop(DeploymentController(caches, executor, clock), clock, workers=4),
        ControlLoop(ReplicaSetController(caches, executor, clock), clock, workers=4),
        ControlLoop(ReplicationControllerController(caches, executor, clock), clock),
        ControlLoop(StatefulSetController(caches, executor, clock), clock, workers=2),
        ControlLoop(DaemonSetController(caches, executor, clock), clock, workers=2),
        ControlLoop(ClaimController(caches, executor, clock, settings.volumes), clock),
        ControlLoop(VolumeController(caches, executor, clock), clock),
        ControlLoop(EphemeralVolumeController(caches, executor, clock), clock),
        ControlLoop(JobController(caches, executor, clock), clock, workers=4),
        ControlLoop(CronJobController(caches, executor, clock), clock),
        ControlLoop(
            AutoscalingController(caches, executor, clock, client, (settings.served, settings.measure)), clock
        ),
        *_of_the_api(caches, executor, clock),
        *_of_endpoints(caches, executor, clock),
        ControlLoop(DisruptionController(caches, executor, clock), clock, workers=2),
        ControlLoop(SchedulerController(caches, executor, clock), clock),
        ControlLoop(ServiceAddressController(caches, executor, clock), clock, workers=4),
        ControlLoop(CustomKindController(caches, executor, clock, client), clock),
        ControlLoop(NamespaceController(caches, executor, clock, client, settings.served), clock, workers=2),
        ControlLoop(ServiceAccountController(caches, executor, clock, settings.ca), clock),
        ControlLoop(QuotaController(caches, executor, clock, client, settings.served), clock),
        ControlLoop(ApiEndpointsController(caches, executor, clock), clock),
        ControlLoop(garbage.GarbageController(caches, executor, client, settings.served), clock, workers=4),
        ControlLoop(PodGarbageController(caches, executor, clock), clock),
        ControlLoop(NodeLifecycleController(caches, executor, clock, settings.nodes), clock, workers=2),
        ControlLoop(TaintEvictionController(caches, executor, clock), clock, workers=2),
        ControlLoop(NodeController(caches, executor, clock, identity, machine), clock),
    ]


def _of_endpoints(
    caches: base.Caches, executor: ApiExecutor, clock: clocks.Clock
) -> Iterator[ControlLoop[Any, Any]]:
    lookups = Lookups(caches)
    yield ControlLoop(EndpointSliceController(caches, executor, clock, lookups), clock, workers=4)
    yield ControlLoop(EndpointsController(caches, executor, clock, lookups), clock, workers=4)
    yield ControlLoop(EndpointSliceMirroringController(caches, executor, clock, lookups), clock)


def _of_the_api(
    caches: base.Caches, executor: ApiExecutor, clock: clocks.Clock
) -> Iterator[ControlLoop[Any, Any]]:
    """Yield the loops of what the API server keeps for itself: who may do what, and what waits for what."""
    yield ControlLoop(RoleAggregationController(caches, executor, clock), clock)
    yield ControlLoop(PriorityLevelController(caches, executor, clock), clock)
    yield ControlLoop(FlowSchemaController(caches, executor, clock), clock, workers=4)
