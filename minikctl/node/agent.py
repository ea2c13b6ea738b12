"""The node agent: makes the engine's containers what the API's pods say, and says what came of it.

It is a controller like any other: pods are observed from memory, planned by ``plan.pod``, and the plan's
actions started.  Unlike elsewhere a plan does not wait for its actions: each runs as a task of its own, and
its end has the pod planned again.  So a pod's containers start together, and a slow pull or stop holds up
nothing else.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from minikctl import errors
from minikctl.client import base
from minikctl.client import informer as informers
from minikctl.drivers import engine as engines
from minikctl.model import kinds, objects
from minikctl.model.actions import api
from minikctl.model.actions.node import NodeAction
from minikctl.model.containers import Container
from minikctl.model.objects import Object
from minikctl.node import (
    checks,
    executor,
    files,
    host_files,
    images,
    lost_files,
    messages,
    neighbours,
    observe,
    probes,
    record,
    statuses,
)
from minikctl.node.failures import NodeFailure
from minikctl.node.record import PodRecord
from minikctl.node.sandbox import SandboxNetwork
from minikctl.node.tokens import Tokens
from minikctl.plan import pod as planner
from minikctl.plan.pod import backoff, env_files, names
from minikctl.plan.pod.state import ended, runs
from minikctl.plan.pod.view import NodeInfo, PodView
from minikctl.runtime import clock as clocks
from minikctl.runtime import loop, tasks

log = logging.getLogger(__name__)

REFUSED_SECONDS = 0.05
"""A pod whose status was refused is planned again when its newer version should have arrived."""


class Recorder(Protocol):
    """Takes Events without making the caller wait."""

    def record(self, action: api.RecordEvent) -> None:
        """Have the Event written."""
        ...


@dataclass(frozen=True)
class NodeDrivers:
    """What the node works with."""

    engine: engines.Engine
    network: SandboxNetwork
    client: base.Client
    informers: informers.Informers
    recorder: Recorder
    clock: clocks.Clock
    tokens: Tokens
    prober: checks.Prober | None = None
    """None: real checks, over the network and through the engine."""
    files: host_files.HostFiles = field(default_factory=host_files.RealFiles)
    told: Callable[[], None] = lambda: None
    """Called whenever ``NodeAgent.problem`` has changed."""


class NodeAgent:
    """Runs the pods of an engine's nodes; a ``runtime.loop.Controller`` with pod uids as keys.

    ``node`` is the machine; ``others`` are the further nodes that it plays, by name.
    """

    def __init__(
        self, drivers: NodeDrivers, node: NodeInfo, others: Mapping[str, NodeInfo] = MappingProxyType({})
    ) -> None:
        self._drivers = drivers
        self._node = node
        self._nodes = {node.name: node, **others}
        self._clock = drivers.clock
        self._tasks = tasks.Tasks()
        self._records: dict[str, PodRecord] = {}
        self._seeking: set[str] = set()
        self._owners: dict[str, str] = {}
        self._enqueue: Callable[[str], None] = log.debug  # nobody plans before the loop runs
        self._problem = "the Docker engine has not answered yet"
        of = drivers.informers.of
        self._pods, self._services = of(kinds.POD), of(kinds.SERVICE)
        self._config_maps, self._secrets = of(kinds.CONFIG_MAP), of(kinds.SECRET)
        self._machines = of(kinds.NODE)
        self._claims, self._persistent = of(kinds.PERSISTENT_VOLUME_CLAIM), of(kinds.PERSISTENT_VOLUME)
        follower = observe.Follower(
            self._changed, self._gone, self._listed, self._lost, self._expects, self._left
        )
        self._watch = observe.EngineWatch(drivers.engine, node, drivers.clock, self._tasks, follower)
        self._statuses = statuses.StatusWriter(
            drivers.client, drivers.clock, self._tasks, self._written, self._refused
        )
        self._executor = executor.NodeExecutor(self._executor_drivers(), node, self.wake)

    def _executor_drivers(self) -> executor.Drivers:
        drivers = self._drivers
        prober = drivers.prober or checks.RealProber(drivers.engine, drivers.clock)
        return executor.Drivers(
            engine=drivers.engine,
            network=drivers.network,
            client=drivers.client,
            watch=self._watch,
            images=images.Images(drivers.engine, drivers.clock, self._tasks, self._node.cluster),
            probes=probes.Probes(prober, drivers.clock, self._tasks),
            prober=prober,
            statuses=self._statuses,
            record=drivers.recorder.record,
            clock=drivers.clock,
            tokens=drivers.tokens,
            files=drivers.files,
        )

    @property
    def name(self) -> str:
        """Return the name under which the log speaks of it."""
        return "node"

    @property
    def problem(self) -> str:
        """Why pods cannot be run at present, "" when they can: what the Node's Ready condition says."""
        return self._problem

    async def run(self) -> None:
        """Run the node's pods until cancelled; the pods themselves go on then."""
        controlled: loop.ControlLoop[str, PodView] = loop.ControlLoop(self, self._clock)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch.run(), name="engine watch")
                # One worker: planning never waits, the actions run as tasks.
                group.create_task(controlled.run(), name="node loop")
        finally:
            await self._tasks.close()

    def wake(self, uid: str) -> None:
        """Have the pod planned again."""
        self._enqueue(uid)

    def subscribe(self, enqueue: Callable[[str], None]) -> None:
        """Have pods planned when they, what they refer to, or their containers change."""
        self._enqueue = enqueue
        self._pods.subscribe(self._pod_changed)
        self._config_maps.subscribe(lambda old, new: self._referred(new or old, "config_maps"))
        self._secrets.subscribe(lambda old, new: self._referred(new or old, "secrets"))
        self._claims.subscribe(lambda old, new: self._referred(new or old, "claims"))
        for uid in files.pod_uids(self._node.pods_dir):
            self._records.setdefault(uid, PodRecord(uid, "", ""))
            enqueue(uid)

    async def ready(self) -> None:
        """Return once the API's pods and what they refer to are known: before that, all look like orphans."""
        read = (
            self._pods,
            self._machines,
            self._services,
            self._config_maps,
            self._secrets,
            self._claims,
            self._persistent,
        )
        for informer in read:
            await informer.synced()

    async def observe(self, key: str) -> PodView | None:
        """Return the pod as it is known in memory; None while the engine does not answer."""
        found = self._records.get(key)
        if found is None or self._problem:
            return None
        if found.is_empty:
            del self._records[key]
            self._seeking.discard(key)
            return None
        namespace = found.namespace
        claims = _named(self._claims, namespace, found.references.claims)
        bound = frozenset(str(objects.spec(claim).get("volumeName") or "") for claim in claims.values())
        around = record.Surroundings(
            _named(self._config_maps, namespace, found.references.config_maps),
            _named(self._secrets, namespace, found.references.secrets),
            claims,
            _named(self._persistent, "", bound),
            self._services_of(namespace),
            *self._room(found),
            self._executor.no_sctp,
        )
        view = found.view(self._nodes.get(found.node, self._node), around)
        wanted = env_files.wanted(view)
        if not wanted:
            return view
        return dataclasses.replace(view, env_files=await self._drivers.files.read_env(wanted))

    def desired(self, view: PodView, now: datetime) -> api.Plan:
        """Return the pod's next step; pure."""
        return planner.desired(view, now)

    async def execute(self, view: PodView, plan: api.Plan) -> None:
        """Start the plan's actions and have its status written; waits for neither."""
        found = self._records[view.uid]
        for action in plan.actions:
            self._start(found, action)
        if plan.status is None or view.pod is None or found.pod is None:
            return
        if plan.status != objects.status(view.pod):
            found.status = plan.status
            self._statuses.offer(found.pod, plan.status)

    def _room(self, found: PodRecord) -> tuple[Object | None, tuple[Object, ...]]:
        """Return the node and the pods that it has taken, for a pod that wants room among them."""
        if not neighbours.wants_room(found):
            self._seeking.discard(found.uid)
            return None, ()
        self._seeking.add(found.uid)
        return self._machines.get("", found.node), neighbours.of(found, self._records.values())

    def _services_of(self, namespace: str) -> tuple[Object, ...]:
        found = tuple(self._services.items(namespace))
        api_server = self._services.get("default", "kubernetes")
        return found if namespace == "default" or api_server is None else (*found, api_server)

    def _start(self, found: PodRecord, action: NodeAction) -> None:
        found.busy.add(action.key)
        self._tasks.start(self._run(found, action), f"{action.key[0]} {found.namespace}/{found.name}")

    async def _run(self, found: PodRecord, action: NodeAction) -> None:
        """Run one action; remember its failure until it succeeds."""
        key = action.key
        try:
            await self._executor.run(found, action)
            found.failures.pop(key, None)
        except errors.EngineUnavailable as error:
            self._lost(str(error))
            self._watch.doubt()
        except Exception as error:  # whatever it is, it must not be tried again at once
            reason = error.reason if isinstance(error, NodeFailure) else "Error"
            if key[0] == "run" and not isinstance(error, NodeFailure):
                reason = "CreateContainerError"
            now = self._clock.now()
            found.failures[key] = backoff.failed(found.failures.get(key), key, reason, str(error), now)
            expected = isinstance(error, errors.MinikctlError | OSError)
            trace = None if expected else error
            log.warning("%s of pod %s/%s: %s", key[0], found.namespace, found.name, error, exc_info=trace)
            if key[0] in ("make", "run", "sandbox", "remove", "stop"):
                await self._look_again(found.uid)
        finally:
            found.busy.discard(key)
            self.wake(found.uid)

    async def _look_again(self, uid: str) -> None:
        """See what a failed action left behind."""
        try:
            await self._watch.list_now(uid)
        except errors.EngineUnavailable as error:
            self._lost(str(error))
        except errors.DriverError as error:
            log.warning("listing containers of pod %s: %s", uid, error)

    # --- what the API tells -------------------------------------------------------------------------------

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        for uid in self._seeking - {objects.uid(new or old or {})}:
            self.wake(uid)
        if old is not None and (new is None or objects.uid(new) != objects.uid(old)):
            gone = self._records.get(objects.uid(old))
            if gone is not None:
                gone.set_pod(None)
                self.wake(gone.uid)
        if new is None or objects.spec(new).get("nodeName") not in self._nodes:
            return
        found = self._records.get(objects.uid(new))
        if found is None:
            found = self._records[objects.uid(new)] = record.of_pod(new)
        elif not found.name:
            found.namespace, found.name = objects.key(new)
        found.set_pod(new)
        self.wake(found.uid)

    def _referred(self, changed: Object | None, field: str) -> None:
        namespace, name = objects.key(changed or {})
        for found in self._records.values():
            if found.namespace == namespace and name in getattr(found.references, field):
                self.wake(found.uid)

    def _written(self, pod: Object, more: bool) -> None:
        found = self._records.get(objects.uid(pod))
        if found is None or found.pod is None:
            return
        found.set_pod(pod)
        if not more:
            found.status = None
        self.wake(found.uid)

    def _refused(self, uid: str) -> None:
        found = self._records.get(uid)
        if found is not None:
            found.status = None
            self._tasks.start(self._wake_later(uid), "refused status")

    async def _wake_later(self, uid: str) -> None:
        await self._clock.sleep(REFUSED_SECONDS)
        self.wake(uid)

    # --- what the engine tells ----------------------------------------------------------------------------

    async def _changed(self, container: Container) -> None:
        uid = container.labels.get(names.POD_UID, "")
        found = self._records.get(uid)
        if found is None:
            found = self._records[uid] = record.of_container(container)
        await self._take(found, container)
        self.wake(uid)

    async def _take(self, found: PodRecord, container: Container) -> None:
        self._owners[container.id] = found.uid
        is_pause = container.labels.get(names.ROLE) == names.PAUSE_ROLE
        if ended(container) and not is_pause and container.id not in found.messages:
            text = await messages.read(self._drivers, self._node, container, found.pod)
            if container.id not in self._owners:
                return  # gone while its message was read
            found.messages[container.id] = text
        if container.id in found.departed:
            # Should it be back on its network, it has to be attached again.
            found.departed.discard(container.id)
            found.attached.discard(container.id)
        found.set_container(container)

    def _gone(self, container_id: str) -> None:
        found = self._records.get(self._owners.pop(container_id, ""))
        if found is not None and container_id in found.containers:
            found.drop_container(container_id)
            self.wake(found.uid)

    async def _listed(self, uid: str, containers: Sequence[Container], touched: Set[str]) -> None:
        """Take a list of all containers, or of those of one pod; what is missing in it is gone.

        Of those that are ``touched``, now or while others are taken, something newer is known already.
        """
        present = {container.id for container in containers} | touched
        chosen = [self._records[uid]] if uid in self._records else list(self._records.values())
        for found in chosen:
            for container_id in [known for known in found.containers if known not in present]:
                self._owners.pop(container_id, None)
                found.drop_container(container_id)
                self.wake(found.uid)
        for container in containers:
            if container.id in touched:
                continue
            known = self._records.get(container.labels[names.POD_UID])
            if known is None or known.containers.get(container.id) != container:
                await self._changed(container)
        if not uid:
            await self._find_lost_files()
        if not uid and self._problem:
            self._problem = ""
            self._drivers.told()
            for known_uid in list(self._records):
                self.wake(known_uid)

    async def _find_lost_files(self) -> None:
        drivers, records = self._drivers, list(self._records.values())
        for uid in await lost_files.find(drivers.files, self._node, records, drivers.recorder.record):
            self.wake(uid)

    def _lost(self, reason: str) -> None:
        if not self._problem:
            log.warning("the engine is gone: %s", reason)
        before, self._problem = self._problem, reason or "the Docker engine does not answer"
        if self._problem != before:
            self._drivers.told()

    def _left(self, container_id: str) -> bool:
        """Tell whether that is a sandbox which ran as far as is known."""
        found = self._records.get(self._owners.get(container_id, ""))
        pause = None if found is None else found.containers.get(container_id)
        if found is None or pause is None or pause.labels.get(names.ROLE) != names.PAUSE_ROLE:
            return False
        found.departed.add(container_id)
        return runs(pause)

    def _expects(self, event: engines.EngineEvent) -> bool:
        """Tell whether this process is starting that container and looks at it when it has."""
        found = self._records.get(event.labels.get(names.POD_UID, ""))
        if found is None:
            return False
        if event.labels.get(names.ROLE) == names.PAUSE_ROLE:
            return ("sandbox",) in found.busy
        return ("run", event.labels.get(names.CONTAINER, "")) in found.busy


def _named(informer: informers.Informer, namespace: str, wanted: frozenset[str]) -> dict[str, Object]:
    found = ((name, informer.get(namespace, name)) for name in wanted)
    return {name: obj for name, obj in found if obj is not None}
