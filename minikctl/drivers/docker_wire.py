"""The Docker Engine API's JSON and stream frames, to and from plain data: no input or output here."""

from __future__ import annotations

import ipaddress
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from minikctl.drivers import engine
from minikctl.drivers.usage import Usage

Json = dict[str, Any]

EVENT_ACTIONS = ("create", "start", "restart", "die", "oom", "kill", "stop", "pause", "unpause", "destroy")
# What an event's attributes hold besides the container's labels.
_EVENT_EXTRAS = frozenset({"image", "name", "exitCode", "signal", "execID", "execDuration"})


def container_config(spec: engine.ContainerSpec) -> Json:
    """Return the body of a create request that says exactly what ``spec`` says."""
    config: Json = {
        "Image": spec.image,
        "Labels": dict(spec.labels),
        "Env": [f"{name}={value}" for name, value in spec.env],
        "OpenStdin": spec.stdin,
        "StdinOnce": spec.stdin_once,
        "Tty": spec.tty,
        "ExposedPorts": {_port_key(port): {} for port in spec.ports},
        "HostConfig": _host_config(spec),
    }
    if spec.entrypoint is not None:
        config["Entrypoint"] = list(spec.entrypoint)
    if spec.command is not None:
        config["Cmd"] = list(spec.command)
    if spec.ip:
        endpoint = {"IPAMConfig": {"IPv4Address": spec.ip}}
        config["NetworkingConfig"] = {"EndpointsConfig": {spec.network: endpoint}}
    optional = {
        "WorkingDir": spec.working_dir,
        "User": spec.user,
        "Hostname": spec.hostname,
        "StopSignal": spec.stop_signal,
        "StopTimeout": spec.stop_seconds,
    }
    return config | {key: value for key, value in optional.items() if value not in ("", None)}


def _host_config(spec: engine.ContainerSpec) -> Json:
    bindings: dict[str, list[Json]] = {}
    for port in spec.ports:
        host_port = str(port.host_port) if port.host_port else ""
        bindings.setdefault(_port_key(port), []).append({"HostIp": port.host_ip, "HostPort": host_port})
    return {
        "NetworkMode": spec.network,
        "Mounts": [_mount(mount) for mount in spec.mounts],
        "PortBindings": bindings,
        "Dns": list(spec.dns),
        "ExtraHosts": [f"{name}:{address}" for name, address in spec.extra_hosts],
        "CapAdd": list(spec.cap_add),
        "CapDrop": list(spec.cap_drop),
        "Privileged": spec.privileged,
        "ReadonlyRootfs": spec.read_only_root,
        "SecurityOpt": list(spec.security_opt),
        "GroupAdd": list(spec.group_add),
        "Sysctls": dict(spec.sysctls),
        "Init": spec.init,
        "OomScoreAdj": spec.oom_score_adj,
        # Rotated as a kubelet rotates: a container that talks for ever must not fill the disk.
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "5"}},
        **limits(engine.Limits(spec.cpu_shares, spec.cpu_quota_us, spec.memory_bytes, spec.cpu_period_us)),
        **{key: mode for key, mode in (("PidMode", spec.pid_mode), ("IpcMode", spec.ipc_mode)) if mode},
    }


def limits(wanted: engine.Limits) -> Json:
    """Return the fields of a container's configuration, or of its update, that limit it."""
    found: Json = {}
    if wanted.memory_bytes:
        # Swap equal to memory means no swap on top: the limit is the limit.
        found |= {"Memory": wanted.memory_bytes, "MemorySwap": wanted.memory_bytes}
    if wanted.cpu_shares:
        found["CpuShares"] = wanted.cpu_shares
    if wanted.cpu_quota_us:
        found |= {"CpuQuota": wanted.cpu_quota_us, "CpuPeriod": wanted.cpu_period_us}
    return found


def _mount(mount: engine.Mount) -> Json:
    body: Json = {"Type": mount.type, "Target": mount.target, "ReadOnly": mount.read_only}
    if mount.type != "tmpfs":
        body["Source"] = mount.source
    elif mount.size_bytes:
        body["TmpfsOptions"] = {"SizeBytes": mount.size_bytes}
    if mount.type == "bind" and mount.propagation:
        body["BindOptions"] = {"Propagation": mount.propagation}
    return body


def _port_key(port: engine.PortBinding) -> str:
    return f"{port.container_port}/{port.protocol.lower()}"


def container_from_inspect(body: Mapping[str, Any]) -> engine.Container:
    """Return the container that an inspect answer describes."""
    state, config = body.get("State") or {}, body.get("Config") or {}
    running = bool(state.get("Running"))
    settings = body.get("NetworkSettings") or {}
    return engine.Container(
        id=body["Id"],
        name=body.get("Name", "").lstrip("/"),
        labels=config.get("Labels") or {},
        image=config.get("Image", ""),
        image_id=body.get("Image", ""),
        status=state.get("Status", "created"),
        pid=int(state.get("Pid") or 0) if running else 0,
        exit_code=int(state.get("ExitCode") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        error=state.get("Error") or "",
        created_at=moment(body.get("Created")),
        started_at=moment(state.get("StartedAt")),
        finished_at=_finished(state),
        ip=_address(settings.get("Networks")) if running else "",
        ports=tuple(_published(settings.get("Ports") or {})),
    )


def _finished(state: Mapping[str, Any]) -> datetime | None:
    """Return when a container ended; Docker may note the start of a short-lived one after its end."""
    started, finished = moment(state.get("StartedAt")), moment(state.get("FinishedAt"))
    if state.get("Running") or started is None or finished is None:
        return finished
    return max(started, finished)


def container_from_list(body: Mapping[str, Any]) -> engine.Container:
    """Return a container that was never started, for which the list answer says everything."""
    return engine.Container(
        id=body["Id"],
        name=(body.get("Names") or [""])[0].lstrip("/"),
        labels=body.get("Labels") or {},
        image=body.get("Image", ""),
        image_id=body.get("ImageID", ""),
        status=body["State"],
        created_at=datetime.fromtimestamp(body.get("Created", 0), UTC),
    )


def _address(networks: Mapping[str, Any] | None) -> str:
    found = (entry.get("IPAddress") for entry in (networks or {}).values() if entry)
    return next((address for address in found if address), "")


def _published(ports: Mapping[str, Any]) -> Iterator[engine.PortBinding]:
    for key, bindings in ports.items():
        number, _, protocol = key.partition("/")
        for binding in bindings or ():
            host_ip, host_port = binding.get("HostIp", ""), int(binding.get("HostPort") or 0)
            yield engine.PortBinding(int(number), protocol, host_ip, host_port)


def image_from_inspect(body: Mapping[str, Any]) -> engine.Image:
    """Return the image that an inspect answer describes."""
    config = body.get("Config") or {}
    return engine.Image(
        id=body["Id"],
        tags=tuple(body.get("RepoTags") or ()),
        digests=tuple(body.get("RepoDigests") or ()),
        size_bytes=int(body.get("Size") or 0),
        labels=config.get("Labels") or {},
        user=config.get("User") or "",
        entrypoint=_words(config.get("Entrypoint")),
        command=_words(config.get("Cmd")),
    )


def _words(value: str | Sequence[str] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def network_from_inspect(body: Mapping[str, Any]) -> engine.Network:
    """Return the network that a list or inspect answer describes."""
    pools = (body.get("IPAM") or {}).get("Config") or [{}]
    return engine.Network(
        id=body["Id"],
        name=body["Name"],
        subnet=pools[0].get("Subnet", ""),
        gateway=pools[0].get("Gateway", ""),
        labels=body.get("Labels") or {},
    )


def pool(subnet: str, part: str = "") -> Json:
    """Return a network's address pool, with the gateway: else the engine tells it only once it is used."""
    found = {"Subnet": subnet, "Gateway": str(next(ipaddress.ip_network(subnet).hosts()))}
    return {**found, "IPRange": part} if part else found


def info(body: Mapping[str, Any], api_version: str) -> engine.EngineInfo:
    """Return what an info answer says of the engine and its machine."""
    return engine.EngineInfo(
        version=body.get("ServerVersion", ""),
        api_version=api_version,
        os=body.get("OperatingSystem", ""),
        kernel=body.get("KernelVersion", ""),
        architecture=body.get("Architecture", ""),
        cpus=int(body.get("NCPU") or 0),
        memory_bytes=int(body.get("MemTotal") or 0),
        name=body.get("Name", ""),
        rootless="name=rootless" in (body.get("SecurityOptions") or ()),
        cgroups=body.get("CgroupDriver") != "none",
    )


def event(body: Mapping[str, Any]) -> engine.EngineEvent:
    """Return a container event; what its attributes hold besides labels is left out."""
    actor = body.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    return engine.EngineEvent(
        action=str(body.get("Action", "")).partition(":")[0],
        container_id=actor.get("ID", ""),
        labels={key: value for key, value in attributes.items() if key not in _EVENT_EXTRAS},
        time=datetime.fromtimestamp(int(body.get("timeNano") or 0) / 1e9, UTC),
    )


def label_filters(labels: Mapping[str, str], **more: Sequence[str]) -> str:
    """Return the ``filters`` parameter that selects objects with all these labels."""
    wanted = {"label": [f"{key}={value}" for key, value in labels.items()]} if labels else {}
    return json.dumps(wanted | {key: list(values) for key, values in more.items()})


def moment(text: str | None) -> datetime | None:
    """Return the time, or None for the engine's year 1, which means never."""
    if not text or text.startswith("0001-"):
        return None
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


class LineDecoder:
    """Cuts a byte stream into the JSON objects that stand on its lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Json]:
        """Return the objects that are complete with this data."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines if line.strip()]


class FrameDecoder:
    """Separates stdout from stderr in an attached stream: 8 bytes of header (stream, length), then data.

    Data is handed on as it arrives, also when its frame is not complete yet.
    """

    _HEADER = struct.Struct(">B3xI")

    def __init__(self) -> None:
        self._head = b""
        self._stream = 1
        self._missing = 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return (stream, bytes) pieces; stream is 1 or 2."""
        pieces: list[tuple[int, bytes]] = []
        position = 0
        while position < len(data):
            if not self._missing:
                position += self._take_header(data[position : position + 8 - len(self._head)])
                continue
            piece = data[position : position + self._missing]
            pieces.append((self._stream, piece))
            self._missing -= len(piece)
            position += len(piece)
        return pieces

    def _take_header(self, data: bytes) -> int:
        self._head += data
        if len(self._head) == self._HEADER.size:
            stream, self._missing = self._HEADER.unpack(self._head)
            self._stream = 2 if stream == 2 else 1
            self._head = b""
        return len(data)


def usage(body: Json) -> Usage | None:
    """Return what a container's statistics say, None if it does not run.

    Of its memory, file pages that are not in use do not count: they go whenever the memory is wanted.
    """
    spent = ((body.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage")
    memory = body.get("memory_stats") or {}
    at = moment(body.get("read"))
    if spent is None or "usage" not in memory or at is None:
        return None
    stats = memory.get("stats") or {}
    idle = stats.get("total_inactive_file", stats.get("inactive_file", 0))
    return Usage(spent / 1e9, max(memory["usage"] - idle, 0), at)
