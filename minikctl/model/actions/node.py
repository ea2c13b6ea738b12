"""Plans as data: what the planner of a pod asks of its node.

Every action has a ``key``.  The node runs one action per key at a time and tells the planner which keys are
busy and which failed, so that a plan never holds what is already under way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from minikctl.model.actions import api
from minikctl.model.containers import ContainerSpec, Limits

ActionKey = tuple[str, ...]
RESIZE = ("resize",)
"""The keys of changes of running containers begin so; the container's id follows."""
ProbeKind = Literal["startup", "liveness", "readiness"]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]


@dataclass(frozen=True)
class ExecCheck:
    """A command that succeeds by exit code 0."""

    argv: tuple[str, ...]


@dataclass(frozen=True)
class HttpCheck:
    """A GET that succeeds by a status from 200 to 399."""

    host: str
    port: int
    path: str = "/"
    scheme: str = "HTTP"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class TcpCheck:
    """A connection that succeeds by being accepted."""

    host: str
    port: int


@dataclass(frozen=True)
class GrpcCheck:
    """A call of grpc.health.v1.Health/Check that succeeds by SERVING."""

    host: str
    port: int
    service: str = ""


@dataclass(frozen=True)
class Sleep:
    """A pause, the lifecycle hook that does nothing else."""

    seconds: int


@dataclass(frozen=True)
class NoCheck:
    """A check that cannot be made; ``problem`` says why, as it is told whenever it is due."""

    problem: str


Check = ExecCheck | HttpCheck | TcpCheck | GrpcCheck | NoCheck
Hook = ExecCheck | HttpCheck | TcpCheck | Sleep | NoCheck


@dataclass(frozen=True)
class ProbeSpec:
    """How often a check runs and how many equal results in a row count; times are seconds."""

    kind: ProbeKind
    check: Check
    initial_delay: float = 0
    period: float = 10
    timeout: float = 1
    success_threshold: int = 1
    failure_threshold: int = 3


@dataclass(frozen=True)
class VolumeFile:
    """One file of a volume; ``path`` is relative and may have directories; ``uid`` owns it if it is given."""

    path: str
    data: bytes
    mode: int
    uid: int | None = None


@dataclass(frozen=True)
class TokenFile:
    """One file of a volume that holds a token of the pod's account, valid for ``seconds``.

    ``audience`` "" means the API server; ``uid`` owns the file, None leaves it to the node.
    """

    path: str
    audience: str
    seconds: int
    mode: int
    uid: int | None = None


@dataclass(frozen=True)
class FilesVolume:
    """A directory that holds exactly these files, replaced as one; ``gid`` None leaves the group alone."""

    name: str
    path: str
    files: tuple[VolumeFile, ...]
    gid: int | None = None
    tokens: tuple[TokenFile, ...] = ()


@dataclass(frozen=True)
class ScratchVolume:
    """A directory, empty at first, in which everyone may write."""

    name: str
    path: str
    gid: int | None = None


@dataclass(frozen=True)
class HostVolume:
    """A path of the host that must be, or is made, of the given hostPath type."""

    name: str
    path: str
    type: str = ""


@dataclass(frozen=True)
class KeptVolume:
    """A directory that outlives the pod: made, for everyone to write in, if it is missing and ``create``.

    All it holds is given to the group ``gid``; unless ``always``, only if the directory itself is another's.
    """

    name: str
    path: str
    create: bool = True
    gid: int | None = None
    always: bool = True


@dataclass(frozen=True)
class ImageVolume:
    """The files of an image, which nobody may change; got by its pull policy."""

    name: str
    path: str
    image: str
    policy: PullPolicy
    auths: tuple[Mapping[str, str], ...] = ()


Volume = FilesVolume | ScratchVolume | HostVolume | KeptVolume | ImageVolume


@dataclass(frozen=True)
class HostFile:
    """A file that is bind-mounted into containers: written in place; ``text`` None keeps what is there."""

    path: str
    text: str | None = None
    mode: int = 0o644


@dataclass(frozen=True)
class SubPath:
    """A path within a volume that must stay within it; made as a directory if ``create`` and missing."""

    volume: str
    path: str
    create: bool = True


@dataclass(frozen=True)
class EnsureImage:
    """Have the container's image at hand by its pull policy; the outcome is its image state."""

    container: str
    image: str
    policy: PullPolicy
    auths: tuple[Mapping[str, str], ...] = ()
    field_path: str = ""

    @property
    def key(self) -> ActionKey:
        """One image at a time per container."""
        return ("image", self.container)


@dataclass(frozen=True)
class CreateSandbox:
    """Create and start the pod's pause container."""

    spec: ContainerSpec

    @property
    def key(self) -> ActionKey:
        """One sandbox at a time."""
        return ("sandbox",)


@dataclass(frozen=True)
class AttachNetwork:
    """Have the network make the running sandbox's namespace ready."""

    container_id: str
    pid: int
    ip: str
    host_network: bool = False

    @property
    def key(self) -> ActionKey:
        """One attachment per sandbox."""
        return ("attach", self.container_id)


@dataclass(frozen=True)
class WriteVolume:
    """Bring a volume to this state."""

    volume: Volume

    @property
    def key(self) -> ActionKey:
        """One change at a time per volume."""
        return ("volume", self.volume.name)


@dataclass(frozen=True)
class MakeContainer:
    """Write the files and create the container, which another action starts once its ``sandbox`` runs."""

    container: str
    sandbox: str
    spec: ContainerSpec
    files: tuple[HostFile, ...] = ()

    @property
    def key(self) -> ActionKey:
        """One at a time per container."""
        return ("make", self.container)


@dataclass(frozen=True)
class RunContainer:
    """Write the files, create and start the container, then run its hook; a failing hook ends it.

    ``sub_paths`` are resolved first: the mounts whose source is such a path get the resolved one.
    ``made`` is the container if it was created before, of this very spec.
    ``resources`` are those of the spec that it is made from, ``pre_stop`` is for the end after a failed hook.
    """

    container: str
    spec: ContainerSpec
    files: tuple[HostFile, ...] = ()
    sub_paths: tuple[SubPath, ...] = ()
    post_start: Hook | None = None
    pre_stop: Hook | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)
    grace_seconds: int = 30
    field_path: str = ""
    made: str = ""

    @property
    def key(self) -> ActionKey:
        """One start at a time per container."""
        return ("run", self.container)


@dataclass(frozen=True)
class ResizeContainer:
    """Change the limits of a running container, which goes on; ``resources`` are those of the spec."""

    container: str
    container_id: str
    limits: Limits
    resources: Mapping[str, Any]
    field_path: str = ""

    @property
    def key(self) -> ActionKey:
        """Each change has its own, so that what comes after one that failed does not wait for it."""
        given = self.limits
        return (
            *RESIZE,
            self.container_id,
            f"{given.memory_bytes}-{given.cpu_quota_us}-{given.cpu_shares}",
        )


@dataclass(frozen=True)
class StopContainer:
    """Run the hook, send the stop signal, and SIGKILL when ``grace_seconds`` from now are over.

    ``asked`` is the whole grace period; a stop that was asked for with a shorter one runs beside the first.
    """

    container: str
    container_id: str
    grace_seconds: int
    asked: int
    pre_stop: Hook | None = None
    message: str = ""
    field_path: str = ""

    @property
    def key(self) -> ActionKey:
        """One stop at a time per container and grace period."""
        return ("stop", self.container_id, str(self.asked))


@dataclass(frozen=True)
class AbandonHook:
    """Wait no more for the start hook of a container that is to be stopped; the container goes on."""

    container: str

    @property
    def key(self) -> ActionKey:
        """One per container."""
        return ("abandon", self.container)


@dataclass(frozen=True)
class RunPreStop:
    """Run the stop hook of a container that is stopped later, for ``grace_seconds`` at most."""

    container: str
    container_id: str
    hook: Hook
    grace_seconds: int
    asked: int
    message: str = ""
    field_path: str = ""

    @property
    def key(self) -> ActionKey:
        """One per container and whole grace period."""
        return ("prestop", self.container_id, str(self.asked))


@dataclass(frozen=True)
class RemoveContainer:
    """Remove a container that has ended; the network forgets a sandbox first."""

    container_id: str
    sandbox: bool = False

    @property
    def key(self) -> ActionKey:
        """One removal per container."""
        return ("remove", self.container_id)


@dataclass(frozen=True)
class RemovePodDir:
    """Remove the pod's directories with all they hold."""

    paths: tuple[str, ...]

    @property
    def key(self) -> ActionKey:
        """One removal per pod."""
        return ("directory",)


@dataclass(frozen=True)
class StartProbe:
    """Run the probe against the container, again and again, and tell the planner its results."""

    container: str
    container_id: str
    probe: ProbeSpec
    field_path: str = ""

    @property
    def key(self) -> ActionKey:
        """One probe of a kind per container."""
        return ("probe", self.container_id, self.probe.kind)


@dataclass(frozen=True)
class StopProbe:
    """End the probe and forget its result."""

    container_id: str
    kind: ProbeKind

    @property
    def key(self) -> ActionKey:
        """One end of a probe of a kind per container."""
        return ("unprobe", self.container_id, self.kind)


@dataclass(frozen=True)
class Report:
    """Record the event, once per ``token`` as long as the control plane runs."""

    token: str
    event: api.RecordEvent

    @property
    def key(self) -> ActionKey:
        """One event per token."""
        return ("report", self.token)


@dataclass(frozen=True)
class FinishDeletion:
    """Delete the pod from the API for good: nothing of it is left on the node."""

    delete: api.Delete

    @property
    def key(self) -> ActionKey:
        """One deletion per pod."""
        return ("delete",)


NodeAction = (
    EnsureImage
    | CreateSandbox
    | AttachNetwork
    | WriteVolume
    | MakeContainer
    | RunContainer
    | ResizeContainer
    | StopContainer
    | AbandonHook
    | RunPreStop
    | RemoveContainer
    | RemovePodDir
    | StartProbe
    | StopProbe
    | Report
    | FinishDeletion
)
