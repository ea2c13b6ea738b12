"""What the planner of a pod sees: the wanted pod and the actual world around it, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from minikctl.model.actions.node import ActionKey, Volume
from minikctl.model.containers import Container, ContainerSpec
from minikctl.model.objects import Object
from minikctl.plan.pod.accounts import Accounts


@dataclass(frozen=True)
class NodeInfo:
    """The node that the pods run on; paths are the host's."""

    cluster: str
    name: str
    host_ip: str
    network: str
    pods_dir: str
    memory_dir: str
    infra_image: str
    dns_ip: str
    domain: str = "cluster.local"
    resolver_lines: tuple[str, ...] = ()
    hosts: str = ""
    """The text of the host's own /etc/hosts."""
    unsafe_sysctls: tuple[str, ...] = ()
    """The sysctls that pods may set beside the safe ones; a ``*`` at the end stands for any text."""
    publish_ip: str = "127.0.0.1"
    cpus: int = 1
    memory_bytes: int = 0
    storage_bytes: int = 0
    engine_network: str = ""
    """Of pods that are to stay on the engine's own network, "" if that is ``network``."""
    lowest_port: int = 0
    """The first host port that the engine can publish, 0 if it can publish all."""
    has_cgroups: bool = True
    """Containers are held to their limits."""
    began: datetime | None = None
    """When this node agent began to work."""


@dataclass(frozen=True)
class ImageState:
    """An image that is at hand for the next start of a container; ``user`` is its configuration's.

    ``accounts`` None: they could not be read.
    """

    reference: str
    image_id: str
    user: str = ""
    accounts: Accounts | None = None


@dataclass(frozen=True)
class ProbeState:
    """What a probe that runs has found so far; None: not enough results yet."""

    passed: bool | None = None


class MadeAhead(NamedTuple):
    """A container that was created before its sandbox ran, and what it was created from."""

    id: str
    sandbox: str
    spec: ContainerSpec


class EnvFile(NamedTuple):
    """A file that variables come from: the directory of its volume on the host, and its path in there."""

    volume: str
    path: str


@dataclass(frozen=True)
class Failure:
    """The latest failure of an action that has not succeeded since."""

    reason: str
    message: str
    count: int
    since: datetime
    retry_at: datetime


@dataclass(frozen=True)
class PodView:
    """One pod as it is wanted and as it is.

    ``pod`` None: it is gone from the API and only its containers are left.  ``containers`` are all of this
    uid, ended ones too.  ``attached`` are the sandboxes whose network is ready.  ``images`` are keyed by
    container and last until its next start.  ``messages`` are termination messages by container id.
    ``volumes`` are as they were written last.  ``secrets``, ``config_maps`` and ``claims`` are those of the
    namespace that the pod names, ``persistent`` the volumes that the claims are bound to, by their names.
    """

    node: NodeInfo
    uid: str
    namespace: str
    name: str
    pod: Object | None = None
    machine: Object | None = None
    """The Node, and ``neighbours`` the pods that it has taken: known only of a pod that wants room there."""
    neighbours: tuple[Object, ...] = ()
    no_sctp: bool = False
    """Whether the engine has said that it cannot publish ports of SCTP."""
    containers: tuple[Container, ...] = ()
    config_maps: Mapping[str, Object] = field(default_factory=dict)
    secrets: Mapping[str, Object] = field(default_factory=dict)
    claims: Mapping[str, Object] = field(default_factory=dict)
    persistent: Mapping[str, Object] = field(default_factory=dict)
    services: tuple[Object, ...] = ()
    images: Mapping[str, ImageState] = field(default_factory=dict)
    known: Mapping[str, ImageState] = field(default_factory=dict)
    """The images, by their ids, that containers of this pod were made from, as far as is remembered."""
    attached: frozenset[str] = frozenset()
    making: str = ""
    """The sandbox that was created and is being started."""
    made: Mapping[str, MadeAhead] = field(default_factory=dict)
    """The containers, by their names, that were created ahead of their start."""
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    resized: Mapping[str, Object] = field(default_factory=dict)
    """The resources that containers, by their ids, have got."""
    probes: Mapping[tuple[str, str], ProbeState] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    env_files: Mapping[EnvFile, str] = field(default_factory=dict)
    """The texts of the files that variables come from, of those that there are."""
    failures: Mapping[ActionKey, Failure] = field(default_factory=dict)
    busy: frozenset[ActionKey] = frozenset()
    reported: frozenset[str] = frozenset()
    hooks: frozenset[str] = frozenset()
    """The containers, by their names, whose start hooks are waited for."""
    stopping: frozenset[str] = frozenset()
    """The containers, by their ids, whose stop hooks have begun."""
    renewals: Mapping[str, datetime] = field(default_factory=dict)
    """When the tokens of a volume, by its name, are to be renewed."""
    has_directory: bool = True
    """Whether there may be directories of this pod on the host."""
