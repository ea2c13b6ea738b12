"""A pod's containers put in order: which attempt counts, which sandbox lives, how far it has come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from minikctl.model import objects
from minikctl.model.containers import Container
from minikctl.model.objects import Object
from minikctl.plan.pod import ahead, names, rules
from minikctl.plan.pod.view import PodView, ProbeState

Role = Literal["init", "sidecar", "app", "ephemeral"]
DEFAULT_GRACE = 30
_NEVER = datetime.max.replace(tzinfo=UTC)
STARTED_AGAIN_SECONDS = 60.0
"""A sandbox is started as soon as it is made, and an engine that takes longer has failed at it."""


def runs(container: Container) -> bool:
    """Tell whether the container has a process."""
    return container.status in ("running", "paused", "restarting")


def failed_to_start(container: Container) -> bool:
    """Tell whether the engine made the container but could not start it."""
    return container.status == "created" and bool(container.error or container.exit_code)


def ended(container: Container) -> bool:
    """Tell whether the container is over and says how it ended."""
    return container.status in ("exited", "dead") or failed_to_start(container)


@dataclass(frozen=True)
class ContainerState:
    """One container of the spec and its attempts, newest first.

    ``history`` holds what ran or ended; while a start is under way (``starting``) only what ended.  An older
    attempt that somebody has started again comes first if the newest is over, or has not run for as long.
    ``surplus`` are those that run beside the first.
    ``hooked``: its start hook is waited for. ``counted`` is the least attempt that the stored status leaves.
    ``stale`` are containers that were made and never started, and that nobody is starting.
    """

    spec: Object
    role: Role
    policy: str
    history: tuple[Container, ...]
    surplus: tuple[Container, ...]
    stale: tuple[Container, ...]
    starting: bool
    hooked: bool
    next_attempt: int
    counted: int
    startup: ProbeState | None
    stored: Object

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.spec.get("name") or "")

    @property
    def latest(self) -> Container | None:
        """The attempt that counts: the newest, or the one that runs."""
        return self.history[0] if self.history else None

    @property
    def running(self) -> Container | None:
        """The attempt that counts if it runs."""
        return self.latest if self.latest is not None and runs(self.latest) else None

    @property
    def ended(self) -> Container | None:
        """The attempt that counts if it is over."""
        return self.latest if self.latest is not None and ended(self.latest) else None

    @property
    def restarts(self) -> int:
        """How often it was restarted; what was removed behind our back still counts."""
        return max(*map(names.attempt, self.history), self.counted) if self.history else self.next_attempt

    @property
    def hash(self) -> str:
        """The hash that a container made from this spec carries."""
        return names.spec_hash(self.spec)

    @property
    def restartable(self) -> bool:
        """Whether the newest attempt is over and the restart policy asks for another one."""
        if self.ended is None:
            return False
        if rules.restart(self.spec, self.ended.exit_code):
            return True
        return self.policy == "Always" or (self.policy == "OnFailure" and self.ended.exit_code != 0)

    @property
    def succeeded(self) -> bool:
        """Whether the newest attempt is over and well."""
        return self.ended is not None and self.ended.exit_code == 0 and not failed_to_start(self.ended)

    @property
    def started(self) -> bool:
        """Whether it runs and its startup probe, if any, has passed."""
        if self.running is None:
            return False
        if not self.spec.get("startupProbe"):
            return True
        if self.startup is not None and self.startup.passed is not None:
            return self.startup.passed
        return self.was("started")

    def was(self, field: str) -> bool:
        """Return what the stored status says of this very container: the answer before the first probe."""
        if self.latest is None or self.stored.get("containerID") != container_id(self.latest):
            return False
        return bool(self.stored.get(field))


def container_id(container: Container) -> str:
    """Return the id as statuses carry it."""
    return f"docker://{container.id}"


@dataclass(frozen=True)
class PodState:
    """The pod of a view, its sandboxes and containers in order; ``sandbox`` is the one that runs."""

    view: PodView
    pod: Object
    pauses: tuple[Container, ...]
    init: tuple[ContainerState, ...]
    apps: tuple[ContainerState, ...]
    ephemeral: tuple[ContainerState, ...] = ()

    @property
    def spec(self) -> dict[str, Any]:
        """The pod's spec."""
        return objects.spec(self.pod)

    @property
    def all(self) -> tuple[ContainerState, ...]:
        """Init, app and ephemeral containers."""
        return self.init + self.apps + self.ephemeral

    @property
    def sidecars(self) -> tuple[ContainerState, ...]:
        """The init containers that go on running."""
        return tuple(container for container in self.init if container.role == "sidecar")

    @property
    def sandbox(self) -> Container | None:
        """The newest sandbox if it runs and nobody has taken it off its network."""
        return self.pauses[0] if self.pauses and self.serves(self.pauses[0]) else None

    def serves(self, pause: Container) -> bool:
        """Tell whether a sandbox runs and has an address; one that is being made gets it at its start.

        As a kubelet's: ``podSandboxChanged`` has a sandbox without IP made anew.  So is one that somebody has
        started again: its network is a new one, in which no container of the pod is.
        """
        if not runs(pause) or ("remove", pause.id) in self.view.busy or _was_started_again(pause):
            return False
        return bool(pause.ip) or self.host_network or ("sandbox",) in self.view.busy

    @property
    def sandbox_id(self) -> str:
        """The sandbox that runs or is being started, "" if there is none."""
        return self.sandbox.id if self.sandbox is not None else self.view.making

    @property
    def host_network(self) -> bool:
        """Whether the pod uses the host's network."""
        return bool(self.spec.get("hostNetwork"))

    @property
    def attached(self) -> bool:
        """Whether the sandbox runs and its network is ready."""
        return self.sandbox is not None and self.sandbox.id in self.view.attached

    @property
    def ip(self) -> str:
        """The pod's address, "" before it has one."""
        if self.sandbox is None:
            return ""
        return self.view.node.host_ip if self.host_network else self.sandbox.ip

    @property
    def grace(self) -> int:
        """The pod's own termination grace period."""
        found = self.spec.get("terminationGracePeriodSeconds")
        return DEFAULT_GRACE if found is None else int(found)

    def here(self, container: Container | None) -> bool:
        """Tell whether the container is in the sandbox that runs."""
        return (
            container is not None
            and self.sandbox is not None
            and container.labels.get(names.SANDBOX) == self.sandbox.id
        )

    def init_done(self, container: ContainerState) -> bool:
        """Tell whether the container lets the next one start."""
        if not self.here(container.latest):
            return False
        return container.started if container.role == "sidecar" else container.succeeded

    @property
    def initialized(self) -> bool:
        """Whether app containers may run in this sandbox: they did already, or all before them are done."""
        if any(self.here(app.latest) for app in self.apps):
            return True
        return self.sandbox is not None and all(self.init_done(container) for container in self.init)

    @property
    def ever_initialized(self) -> bool:
        """Whether an app container was started in any sandbox."""
        return any(app.latest is not None for app in self.apps)


def _was_started_again(pause: Container) -> bool:
    made, started = pause.created_at, pause.started_at
    return bool(made and started and (started - made).total_seconds() > STARTED_AGAIN_SECONDS)


def of(view: PodView, pod: Object) -> PodState:
    """Return the state of the view's pod."""
    by_name: dict[str, list[Container]] = {}
    pauses: list[Container] = []
    for container in view.containers:
        if container.status == "removing":
            continue
        if container.labels.get(names.ROLE) == names.PAUSE_ROLE:
            pauses.append(container)
        else:
            by_name.setdefault(container.labels.get(names.CONTAINER, ""), []).append(container)
    ordered = _newest_first(pauses)
    sandbox = PodState(view, pod, ordered, (), ()).sandbox_id
    spec, status = objects.spec(pod), objects.status(pod)
    stored = {entry.get("name"): entry for entry in status.get("initContainerStatuses") or ()}
    stored |= {entry.get("name"): entry for entry in status.get("containerStatuses") or ()}
    stored |= {entry.get("name"): entry for entry in status.get("ephemeralContainerStatuses") or ()}
    policy = spec.get("restartPolicy") or "Always"

    def made(container: Object, role: Role, wanted: str) -> ContainerState:
        name = str(container.get("name") or "")
        found = ahead.without(view, name, by_name.get(name, ()), sandbox)
        return _container(view, container, (role, wanted), found, stored.get(name) or {})

    init = tuple(
        made(entry, "sidecar", "Always")
        if entry.get("restartPolicy") == "Always"
        else made(entry, "init", str(entry.get("restartPolicy") or _of_init(policy)))
        for entry in spec.get("initContainers") or ()
    )
    apps = tuple(
        made(entry, "app", str(entry.get("restartPolicy") or policy))
        for entry in spec.get("containers") or ()
    )
    ephemeral = tuple(made(entry, "ephemeral", "Never") for entry in spec.get("ephemeralContainers") or ())
    return PodState(view, pod, ordered, init, apps, ephemeral)


def _of_init(policy: str) -> str:
    return "Never" if policy == "Never" else "OnFailure"


def _newest_first(containers: Iterable[Container]) -> tuple[Container, ...]:
    return tuple(sorted(containers, key=names.attempt, reverse=True))


def _running_first(ordered: tuple[Container, ...]) -> tuple[Container, ...]:
    """Return them with those that run before the others, the one that has run for the longest first."""
    running = sorted(filter(runs, ordered), key=lambda one: one.started_at or _NEVER)
    return (*running, *(one for one in ordered if one not in running))


def _container(
    view: PodView, spec: Object, role: tuple[Role, str], found: list[Container], stored: Object
) -> ContainerState:
    ordered = _newest_first(found)
    starting = ("run", str(spec.get("name"))) in view.busy
    if starting:
        history = tuple(container for container in ordered if ended(container))
        stale: tuple[Container, ...] = ()
    else:
        found = [container for container in ordered if runs(container) or ended(container)]
        history = _running_first(tuple(found))
        stale = tuple(container for container in ordered if container not in history)
    latest = history[0] if history else None
    startup = view.probes.get((latest.id, "startup")) if latest else None
    counted = _counted(ordered, stored)
    return ContainerState(
        spec=spec,
        role=role[0],
        policy=role[1],
        history=history,
        surplus=tuple(filter(runs, history[1:])),
        stale=stale,
        starting=starting,
        hooked=str(spec.get("name")) in view.hooks,
        # What was made and never started is no attempt: it goes before the next one comes.
        next_attempt=max(_next_attempt(ordered if starting else _newest_first(history), starting), counted),
        counted=counted,
        startup=startup,
        stored=stored,
    )


def _next_attempt(ordered: tuple[Container, ...], starting: bool) -> int:
    """Count on from what the engine has; while a start is under way, what it has made already is the next."""
    if not ordered:
        return 0
    return names.attempt(ordered[0]) + (not starting or ended(ordered[0]))


def _counted(ordered: tuple[Container, ...], stored: Object) -> int:
    """Return how far the stored status has counted, and one more if the container that it names is gone."""
    named = str(stored.get("containerID") or "")
    is_gone = bool(named) and named not in map(container_id, ordered)
    return int(stored.get("restartCount") or 0) + is_gone
