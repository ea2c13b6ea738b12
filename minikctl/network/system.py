"""The cluster's own pods: ordinary objects in kube-system from the manifests beside this module."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pathlib
import secrets
import string
from collections.abc import Iterable, Sequence

import yaml

from minikctl import errors
from minikctl.client import home as homes
from minikctl.client.base import Client
from minikctl.model import kinds, objects
from minikctl.model.objects import Object
from minikctl.network import dns
from minikctl.network.settings import NetworkSettings
from minikctl.plan import dns_zones, userspace
from minikctl.plan.dns_forwarding import Forwarding

MANIFESTS = pathlib.Path(__file__).parent / "manifests"
PUBLISHER = "publisher.yaml"
NODE_PROXY = "kube-proxy.yaml"
NAMESPACE = "kube-system"
PART_LABEL = "app.kubernetes.io/name"
APPLIED = "minikctl.dev/manifest"
"""An annotation with the hash of the manifest that an object was made from."""
OWNED = "minikctl.dev/owned-by-user"
"""An annotation of manifests whose objects are made once and left to their users from then on."""
SECRET_BYTES = 32
UPDATE_KEY = "dns/update.key"


def update_secret(home: homes.ClusterHome) -> str:
    """Return the key that dynamic updates of cluster DNS are signed with, made on first use."""
    path = pathlib.Path(home.file("dns", "update.key"))
    if not path.exists():
        home.write(UPDATE_KEY, base64.b64encode(secrets.token_bytes(SECRET_BYTES)))
    return path.read_text().strip()


def host_servers(settings: NetworkSettings) -> tuple[str, ...]:
    """Return the host's name servers as cluster DNS may ask them."""
    lines = [f"nameserver {server}" for server in settings.host_resolver]
    return dns_zones.forwarders(lines, egress=settings.cluster.egress)


def write_dns_files(home: homes.ClusterHome, settings: NetworkSettings, forwarding: Forwarding) -> str:
    """Write the name server's configuration below the state directory; return its hash."""
    cluster = settings.cluster
    config = dns_zones.ServerConfig(
        domain=cluster.domain,
        zones=dns.zones(settings),
        address=cluster.dns_ip,
        secret=update_secret(home),
        forwarders=forwarding.upstreams,
        stubs=forwarding.stubs,
        log=forwarding.log,
        overrides=forwarding.overrides,
        ttl=forwarding.ttl,
        asks=settings.gateway,
    )
    found = dns_zones.files(config)
    home.share("dns")  # the name server gives up root's right to read whatever there is
    for name, text in found.items():
        home.write(f"dns/{name}", text.encode(), 0o644)
    return _hash(found)


def manifests(settings: NetworkSettings, values: dict[str, str]) -> list[Object]:
    """Return the system's objects for this cluster; ``values`` fill in what the settings do not know."""
    known = {
        "image": settings.infra_image,
        "directory": settings.directory,
        "dns_ip": settings.cluster.dns_ip,
        "domain": settings.cluster.domain,
        "ingress_ip": settings.cluster.ingress_ip,
        "last_loopback": settings.cluster.last_loopback,
        "http_port": str(settings.ingress_ports[0]),
        "https_port": str(settings.ingress_ports[1]),
        "api_server": settings.api_server,
        "relay_directory": settings.relay_directory,
        **values,
    }
    left_out = set() if settings.shares_host else {PUBLISHER}
    left_out |= set() if settings.cluster.proxy_mode == userspace.MODE else {NODE_PROXY}
    found: list[Object] = []
    for path in sorted(MANIFESTS.glob("*.yaml")):
        if path.name in left_out:
            continue
        text = string.Template(path.read_text()).substitute(known)
        found += [document for document in yaml.safe_load_all(text) if document]
    if settings.cluster.pod_network == "cni":
        agent = next(obj for obj in found if obj["metadata"]["name"] == "agent")
        _mount_plugins(agent, settings)
    return found


def _mount_plugins(agent: Object, settings: NetworkSettings) -> None:
    """Show the agent the plugins' programs, and the directory in which they keep what they lend."""
    places = [path for path in settings.cluster.cni_path.split(":") if os.path.isdir(path)]
    mounts = [(path, True, "Directory") for path in places]
    mounts.append((f"{settings.directory}/cni", False, "DirectoryOrCreate"))
    spec = agent["spec"]["template"]["spec"]
    spec["volumes"] = [
        {"name": f"cni-{number}", "hostPath": {"path": path, "type": kind}}
        for number, (path, _, kind) in enumerate(mounts)
    ]
    spec["containers"][0]["volumeMounts"] = [
        {"name": f"cni-{number}", "mountPath": path, "readOnly": read_only}
        for number, (path, read_only, _) in enumerate(mounts)
    ]


def is_part(pod: Object, part: str) -> bool:
    """Tell whether the pod is of that part of the system."""
    return objects.namespace(pod) == NAMESPACE and objects.labels(pod).get(PART_LABEL) == part


def running_container(pods: Iterable[Object], part: str, container: str) -> str:
    """Return the id of the part's container of that name that runs, "" if none does."""
    for pod in pods:
        if not is_part(pod, part) or objects.is_deleting(pod):
            continue
        for status in objects.status(pod).get("containerStatuses") or ():
            if status.get("name") == container and "running" in (status.get("state") or {}):
                return str(status.get("containerID") or "").partition("://")[2]
    return ""


async def ensure(client: Client, wanted: Sequence[Object]) -> None:
    """Have the objects in the API; one that a user changed stays so until its manifest changes."""
    for obj in wanted:
        await _ensure_one(client, _marked(obj))


async def _ensure_one(client: Client, obj: Object) -> None:
    kind = kinds.of(obj)
    if kind is None:
        raise errors.UsageError(f"a system manifest names an unknown kind: {obj.get('kind')}")
    namespace, name = objects.key(obj)
    try:
        current = await client.get(kind, name, namespace)
    except errors.StatusError as error:
        if error.code != 404:
            raise
        await client.create(kind, obj)
        return
    if OWNED in objects.annotations(obj):
        return
    if objects.annotations(current).get(APPLIED) == objects.annotations(obj)[APPLIED]:
        return
    # Not a patch: the two ports of a DNS server share their merge key, the number.
    metadata = {**obj["metadata"], "resourceVersion": objects.resource_version(current)}
    await client.update(kind, {**obj, "metadata": metadata})


def _marked(obj: Object) -> Object:
    metadata = dict(obj["metadata"])
    metadata["annotations"] = {**(metadata.get("annotations") or {}), APPLIED: _hash(obj)}
    return {**obj, "metadata": metadata}


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
