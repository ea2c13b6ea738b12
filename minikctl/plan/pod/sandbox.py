"""The pod's sandbox: its pause container, and the files that all containers of the pod share."""

from __future__ import annotations

from typing import Any

from minikctl.model import objects
from minikctl.model.actions.node import HostFile
from minikctl.model.containers import SCTP, ContainerSpec, Mount, PortBinding
from minikctl.plan import dns
from minikctl.plan.cni import protocol
from minikctl.plan.pod import bandwidth, names
from minikctl.plan.pod.state import PodState

MAX_HOSTNAME = 63
NETWORK, ENGINE = "minikctl.dev/network", "engine"
"""An annotation, and its value, of pods that the engine itself is to connect and publish."""
NETWORK_SYSCTLS = {
    # One clock of TCP timestamps for all destinations.  A client that reaches one endpoint by its own address
    # and by Services has its ports translated; with a clock for each destination (the kernel's default) the
    # endpoint takes a new connection for a late packet of one that has ended, and the client waits a second.
    "net.ipv4.tcp_timestamps": "2",
}
"""Of a network namespace of its own, unless the pod sets them."""
_LOCAL_HOSTS = (
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
)
MANAGED = "# Kubernetes-managed hosts file."
"""The first line of a kubelet's file, by which programs and tests know it."""
MANAGED_HOST = "# Kubernetes-managed hosts file (host network)."
MAX_KERNEL_NAME = 64


def pause_spec(state: PodState) -> ContainerSpec:
    """Return the next pause container: it owns the network, the published host ports, sysctls and IPC."""
    view, spec = state.view, state.spec
    # One that is being removed still has its name.
    pauses = [one for one in view.containers if one.labels.get(names.ROLE) == names.PAUSE_ROLE]
    attempt = max((names.attempt(one) + 1 for one in pauses), default=0)
    host = state.host_network
    return ContainerSpec(
        name=names.engine_name(view, names.SANDBOX_NAME, attempt),
        image=view.node.infra_image,
        labels=names.labels(view, names.PAUSE_ROLE, names.SANDBOX_NAME, attempt),
        entrypoint=("/pause",),
        hostname="" if host else hostname(state),
        network="host" if host else network(state),
        ports=() if host else published_ports(state),
        pid_mode="host" if spec.get("hostPID") else "",
        ipc_mode="host" if spec.get("hostIPC") else "shareable",
        sysctls=_sysctls(state),
        cpu_shares=2,
        ingress_rate=bandwidth.rate(state.pod, bandwidth.INGRESS),
        egress_rate=bandwidth.rate(state.pod, bandwidth.EGRESS),
    )


def network(state: PodState) -> str:
    """Return the network that the sandbox joins: the node's, or the engine's own if the pod asks for it."""
    node = state.view.node
    if objects.annotations(state.pod).get(NETWORK) == ENGINE and node.engine_network:
        return node.engine_network
    return node.network


def refusal(state: PodState) -> str:
    """Return why there can be no such sandbox on this node, "" if there can."""
    wanted = str(state.spec.get("runtimeClassName") or "")
    if not wanted:
        limits = bandwidth.refusal(state.pod) if plugged(state) else ""
        return _too_long(hostname(state)) or limits
    return (
        f'Failed to create pod sandbox: no runtime for RuntimeClass "{wanted}" is configured: '
        "this node runs all pods by its engine's own"
    )


def _too_long(name: str) -> str:
    if len(name) <= MAX_KERNEL_NAME:
        return ""
    return (
        "Failed to create pod sandbox: failed to construct FQDN from pod hostname and cluster domain, "
        f"FQDN {name} is too long ({MAX_KERNEL_NAME} characters is the max, {len(name)} characters requested)"
    )


def plugged(state: PodState) -> bool:
    """Tell whether plugins give the pod its network."""
    return not state.host_network and network(state).startswith(protocol.PLUGINS)


def _sysctls(state: PodState) -> tuple[tuple[str, str], ...]:
    wanted = (state.spec.get("securityContext") or {}).get("sysctls") or ()
    own = {str(entry.get("name")): str(entry.get("value")) for entry in wanted}
    return tuple((own if state.host_network else NETWORK_SYSCTLS | own).items())


def hostname(state: PodState) -> str:
    """Return the pod's host name: the chosen one, else the pod's name as far as it fits.

    ``hostnameOverride`` is taken as it is, and nothing is added to it (KEP-4762).
    """
    if override := state.spec.get("hostnameOverride"):
        return str(override)
    name = str(state.spec.get("hostname") or state.view.name)[:MAX_HOSTNAME].rstrip("-.")
    if state.spec.get("setHostnameAsFQDN") and state.spec.get("subdomain"):
        return f"{name}.{_domain(state)}"
    return name


def _domain(state: PodState) -> str:
    return f"{state.spec.get('subdomain')}.{state.view.namespace}.svc.{state.view.node.domain}"


def published_ports(state: PodState) -> tuple[PortBinding, ...]:
    """Return the host ports that the engine, or a plugin, is to publish."""
    lost = unpublished_ports(state)
    return tuple(port for port in _host_ports(state) if port not in lost)


def unpublished_ports(state: PodState) -> tuple[PortBinding, ...]:
    """Return the host ports that nobody can publish here: of SCTP, and low ones, where the engine says so."""
    if plugged(state):
        return ()
    view = state.view
    return tuple(
        port
        for port in _host_ports(state)
        if (view.no_sctp and port.protocol == SCTP) or port.host_port < view.node.lowest_port
    )


def _host_ports(state: PodState) -> tuple[PortBinding, ...]:
    found: list[PortBinding] = []
    containers: list[Any] = [container.spec for container in state.all if container.role != "init"]
    for container in containers:
        for port in container.get("ports") or ():
            if not port.get("hostPort"):
                continue
            binding = PortBinding(
                container_port=int(port.get("containerPort") or 0),
                protocol=str(port.get("protocol") or "TCP").lower(),
                host_ip=str(port.get("hostIP") or ("" if plugged(state) else state.view.node.publish_ip)),
                host_port=int(port["hostPort"]),
            )
            if binding not in found:
                found.append(binding)
    return tuple(found)


def hosts(state: PodState) -> str:
    """Return the text of the pod's /etc/hosts: on the host's network the host's own, with the aliases."""
    if state.host_network:
        return "".join(
            f"{line}\n" for line in (MANAGED_HOST, state.view.node.hosts.rstrip(), *_aliases(state))
        )
    lines = [MANAGED, *_LOCAL_HOSTS]
    name = hostname(state)
    if state.spec.get("hostnameOverride"):
        lines.append(f"{state.ip}\t{name}")
    elif state.spec.get("subdomain"):
        name = name.partition(".")[0]
        lines.append(f"{state.ip}\t{name}.{_domain(state)}\t{name}")
    else:
        lines.append(f"{state.ip}\t{name.partition('.')[0]}")
    return "".join(f"{line}\n" for line in (*lines, *_aliases(state)))


def _aliases(state: PodState) -> list[str]:
    aliases = state.spec.get("hostAliases") or ()
    head = ["", "# Entries added by HostAliases."] if aliases else []
    return head + ["\t".join((str(alias.get("ip")), *(alias.get("hostnames") or ()))) for alias in aliases]


def resolution(state: PodState) -> dns.Resolution:
    """Return the pod's resolv.conf, and what did not fit into it."""
    node = state.view.node
    return dns.resolution(state.pod, node.dns_ip, node.domain, node.resolver_lines)


def shared_files(
    state: PodState, container: objects.Object
) -> tuple[tuple[HostFile, ...], tuple[Mount, ...]]:
    """Return the resolv.conf and hosts files and their mounts, except where the container mounts its own."""
    view = state.view
    own = {str(mount.get("mountPath")) for mount in container.get("volumeMounts") or ()}
    base = names.pod_dir(view.node, view.uid)
    found = [("/etc/resolv.conf", f"{base}/resolv.conf", resolution(state).text)]
    if not state.host_network or state.spec.get("hostAliases"):
        found.append(("/etc/hosts", f"{base}/hosts", hosts(state)))
    chosen = [entry for entry in found if entry[0] not in own]
    return (
        tuple(HostFile(path, text) for _, path, text in chosen),
        tuple(Mount(path, target) for target, path, _ in chosen),
    )
