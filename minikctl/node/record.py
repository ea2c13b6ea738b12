"""What the node knows of one pod between two plans; all of it can be found again after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from minikctl.model import objects
from minikctl.model.actions.node import RESIZE, ActionKey, Volume
from minikctl.model.containers import Container
from minikctl.model.objects import Object
from minikctl.plan.pod import names, pausing, references
from minikctl.plan.pod.view import Failure, ImageState, MadeAhead, NodeInfo, PodView, ProbeState


@dataclass(frozen=True)
class Surroundings:
    """What the API has of what a pod refers to, by names; see ``PodView``."""

    config_maps: Mapping[str, Object]
    secrets: Mapping[str, Object]
    claims: Mapping[str, Object]
    persistent: Mapping[str, Object]
    services: tuple[Object, ...]
    machine: Object | None = None
    neighbours: tuple[Object, ...] = ()
    no_sctp: bool = False


@dataclass
class PodRecord:
    """One pod's wanted and observed state; ``status`` is what was last offered for writing.

    ``departed`` are sandboxes that were seen to leave their network, until they are looked at.
    ``hooks`` are the start hooks that are waited for, by container: setting one ends the wait.
    """

    uid: str
    namespace: str
    name: str
    pod: Object | None = None
    status: Object | None = None
    containers: dict[str, Container] = field(default_factory=dict)
    images: dict[str, ImageState] = field(default_factory=dict)
    known: dict[str, ImageState] = field(default_factory=dict)
    attached: set[str] = field(default_factory=set)
    departed: set[str] = field(default_factory=set)
    making: str = ""
    made: dict[str, MadeAhead] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    renewals: dict[str, datetime] = field(default_factory=dict)
    probes: dict[tuple[str, str], ProbeState] = field(default_factory=dict)
    resized: dict[str, Object] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    failures: dict[ActionKey, Failure] = field(default_factory=dict)
    busy: set[ActionKey] = field(default_factory=set)
    reported: set[str] = field(default_factory=set)
    stopping: set[str] = field(default_factory=set)
    hooks: dict[str, asyncio.Event] = field(default_factory=dict)
    has_directory: bool = True
    references: references.References = field(
        default_factory=lambda: references.References(frozenset(), frozenset())
    )

    @property
    def node(self) -> str:
        """Return the name of the pod's node, "" if that is not known any more."""
        return str(objects.spec(self.pod or {}).get("nodeName") or "")

    def set_pod(self, pod: Object | None) -> None:
        """Take the pod as the API has it now; an older revision than the known one is ignored."""
        if pod is None:
            self.pod, self.status = None, None
            return
        if self.pod is not None and _revision(pod) < _revision(self.pod):
            return
        if self.pod is None or objects.spec(pod) is not objects.spec(self.pod):
            self.references = references.of(pod)
        self.pod = pod

    def set_container(self, container: Container) -> None:
        """Take a container as the engine has it now; each time that it is paused is told."""
        known = self.containers.get(container.id)
        if pausing.is_paused(container) and not (known and pausing.is_paused(known)):
            self.reported.difference_update(pausing.tokens(container.id))
        self.containers[container.id] = container

    def drop_container(self, container_id: str) -> None:
        """Forget a container that is gone."""
        self.containers.pop(container_id, None)
        self.messages.pop(container_id, None)
        self.resized.pop(container_id, None)
        for key in [key for key in self.failures if key[:2] == (*RESIZE, container_id)]:
            del self.failures[key]
        for name in [name for name, made in self.made.items() if made.id == container_id]:
            del self.made[name]
        self.attached.discard(container_id)
        self.departed.discard(container_id)
        self.stopping.discard(container_id)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of the pod and nothing of it is left here."""
        return self.pod is None and not self.containers and not self.busy and not self.has_directory

    def view(self, node: NodeInfo, cluster: Surroundings) -> PodView:
        """Return all of it, frozen; the pod with the status that was last offered."""
        pod = self.pod
        if pod is not None and self.status is not None:
            pod = {**pod, "status": self.status}
        return PodView(
            node=node,
            uid=self.uid,
            namespace=self.namespace,
            name=self.name,
            pod=pod,
            machine=cluster.machine,
            neighbours=cluster.neighbours,
            no_sctp=cluster.no_sctp,
            containers=tuple(self.containers.values()),
            config_maps=cluster.config_maps,
            secrets=cluster.secrets,
            claims=cluster.claims,
            persistent=cluster.persistent,
            services=cluster.services,
            images=dict(self.images),
            known=dict(self.known),
            attached=frozenset(self.attached),
            making=self.making,
            made=dict(self.made),
            volumes=dict(self.volumes),
            probes=dict(self.probes),
            resized=dict(self.resized),
            messages=dict(self.messages),
            failures=dict(self.failures),
            busy=frozenset(self.busy),
            reported=frozenset(self.reported),
            hooks=frozenset(name for name, given_up in self.hooks.items() if not given_up.is_set()),
            stopping=frozenset(self.stopping),
            renewals=dict(self.renewals),
            has_directory=self.has_directory,
        )


def of_container(container: Container) -> PodRecord:
    """Return the record of a pod that is known by one of its containers only."""
    labels = container.labels
    return PodRecord(
        labels[names.POD_UID], labels.get(names.POD_NAMESPACE, ""), labels.get(names.POD_NAME, "")
    )


def of_pod(pod: Object) -> PodRecord:
    """Return the record of a pod of the API."""
    record = PodRecord(objects.uid(pod), objects.namespace(pod), objects.name(pod))
    record.set_pod(pod)
    return record


def _revision(pod: Object) -> int:
    text = objects.resource_version(pod)
    return int(text) if text.isdigit() else 0
