"""Cases as data: a pod and its world, and what the plan has to hold."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from minikctl.model import objects
from minikctl.model.containers import Container
from minikctl.plan.pod import names, volumes
from minikctl.plan.pod.view import Failure, ImageState, NodeInfo, PodView, ProbeState

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
UID = "0123456789abcdef"
KEYS = {
    "pod", "orphan", "containers", "config_maps", "secrets", "services", "images", "attached",
    "probes", "messages", "failures", "busy", "reported", "has_directory", "memory_dir", "claims", "volumes", "resized",
    "written", "renewals", "stopping", "hooks", "machine", "neighbours", "unsafe_sysctls",
    "no_sctp", "rootless",
}  # fmt: skip


def node(**more: Any) -> NodeInfo:
    """Return the node of all cases."""
    return NodeInfo(
        **{
            "cluster": "test",
            "name": "node-1",
            "host_ip": "10.1.1.1",
            "network": "minikctl-test",
            "pods_dir": "/state/pods",
            "memory_dir": "",
            "infra_image": "infra:1",
            "dns_ip": "10.96.0.10",
            "cpus": 4,
            "memory_bytes": 8 << 30,
            "storage_bytes": 20 << 30,
            **more,
        }
    )


def load() -> list[tuple[str, dict[str, Any]]]:
    """Return (name, case) of every case beside this module."""
    found = []
    for path in sorted(Path(__file__).parent.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            found.append((f"{path.stem}: {document['name']}", document))
    return found


def pod(given: dict[str, Any]) -> objects.Object | None:
    """Return the case's pod with what every pod has."""
    if given.get("orphan"):
        return None
    found = given["pod"]
    metadata = {"name": "web", "namespace": "default", "uid": UID, **(found.get("metadata") or {})}
    status = {"phase": "Pending", **(found.get("status") or {})}
    if given.get("containers"):
        status.setdefault("startTime", ago(100))
    for field in ("startTime", "deletionTimestamp"):
        for place in (status, metadata):
            if isinstance(place.get(field), int):
                place[field] = ago(-place[field])
    spec = {"nodeName": "node-1", **found["spec"]}
    for container in (*spec.get("containers", ()), *spec.get("initContainers", ())):
        container.setdefault("image", "demo:1")
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def ago(seconds: float) -> str:
    return objects.timestamp(NOW - timedelta(seconds=seconds))


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else NOW + timedelta(seconds=seconds)


def container(given: dict[str, Any]) -> Container:
    """Return a container; ids are <name>-<attempt>, times are seconds from now."""
    name, attempt = given["name"], given.get("attempt", 0)
    pause = name == names.SANDBOX_NAME
    role = names.PAUSE_ROLE if pause else given.get("role", names.APP_ROLE)
    status = given.get("status", "running")
    labels = {
        names.CLUSTER: "test",
        names.ROLE: role,
        names.POD_UID: UID,
        names.CONTAINER: name,
        names.ATTEMPT: str(attempt),
        names.SPEC_HASH: names.spec_hash({"name": name, "image": given.get("image", "demo:1")}),
        names.SANDBOX: given.get("sandbox", "POD-0"),
        names.BACKOFF: str(given.get("backoff", 0)),
    }
    known = {"name", "attempt", "role", "status", "image", "sandbox", "backoff", "ip", "exit_code"}
    known |= {"oom_killed", "error", "created", "started", "finished"}
    assert given.keys() <= known, given
    return Container(
        id=f"{name}-{attempt}",
        name=f"mk_test_default_web_{name}_{UID[:8]}_{attempt}",
        labels=labels,
        image=given.get("image", "demo:1"),
        image_id="sha256:1",
        status=status,
        pid=77 if status == "running" else 0,
        exit_code=given.get("exit_code", 0),
        oom_killed=given.get("oom_killed", False),
        error=given.get("error", ""),
        created_at=_moment(given.get("created", given.get("started", -100))),
        started_at=_moment(given.get("started", -100)) if status != "created" else None,
        finished_at=_moment(given.get("finished", -50)) if status in ("exited", "dead") else None,
        ip=given.get("ip", "10.201.0.5") if pause and status == "running" else "",
    )


def _encoded(values: dict[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


def view(given: dict[str, Any]) -> PodView:
    """Return the view that a case describes; unknown keys are mistakes."""
    assert given.keys() <= KEYS, given.keys() - KEYS
    failures = {
        tuple(key.split("/")): Failure(
            value["reason"],
            value.get("message", "it broke"),
            value.get("count", 1),
            NOW + timedelta(seconds=value.get("since", 0)),
            NOW + timedelta(seconds=value.get("retry", 0)),
        )
        for key, value in (given.get("failures") or {}).items()
    }
    bare = PodView(node(), UID, "default", "web", pod=pod(given))
    found = {volume.name: volume for volume in volumes.wanted(bare).wanted}
    return PodView(
        volumes={name: found[name] for name in given.get("written") or ()},
        renewals={name: NOW + timedelta(seconds=due) for name, due in (given.get("renewals") or {}).items()},
        node=node(
            **({"lowest_port": 1024, "has_cgroups": False} if given.get("rootless") else {}),
            memory_dir=given.get("memory_dir", ""),
            unsafe_sysctls=tuple(given.get("unsafe_sysctls") or ()),
        ),
        machine=given.get("machine"),
        neighbours=tuple(
            {"metadata": {"uid": f"n{i}"}, **each} for i, each in enumerate(given.get("neighbours") or ())
        ),
        uid=UID,
        namespace="default",
        name="web",
        pod=pod(given),
        containers=tuple(container(entry) for entry in given.get("containers") or ()),
        config_maps={name: {"data": data} for name, data in (given.get("config_maps") or {}).items()},
        secrets={name: {"data": _encoded(data)} for name, data in (given.get("secrets") or {}).items()},
        claims={claim["metadata"]["name"]: claim for claim in given.get("claims") or ()},
        persistent={volume["metadata"]["name"]: volume for volume in given.get("volumes") or ()},
        services=tuple(given.get("services") or ()),
        resized=given.get("resized") or {},
        images={name: ImageState(image, "sha256:1") for name, image in (given.get("images") or {}).items()},
        attached=frozenset(given.get("attached") or ()),
        probes={
            tuple(key.split("/")): ProbeState(value) for key, value in (given.get("probes") or {}).items()
        },
        messages=given.get("messages") or {},
        failures=failures,
        busy=frozenset(tuple(key.split("/")) for key in given.get("busy") or ()),
        reported=frozenset(given.get("reported") or ()),
        stopping=frozenset(given.get("stopping") or ()),
        hooks=frozenset(given.get("hooks") or ()),
        has_directory=given.get("has_directory", True),
        no_sctp=bool(given.get("no_sctp")),
    )


def mismatch(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Return where ``found`` lacks what is wanted; lists must have equal lengths, objects may have more."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        result: list[str] = []
        for key, value in wanted.items():
            if value is None and key not in found:
                continue
            result += mismatch(value, found.get(key), f"{path}.{key}")
        return result
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return [line for i, (w, f) in pairs for line in mismatch(w, f, f"{path}[{i}]")]
    return [] if wanted == found else [f"{path}: wanted {wanted!r}, found {found!r}"]
