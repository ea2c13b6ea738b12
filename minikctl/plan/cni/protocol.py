"""What a CNI plugin is told and how its answer is read: CNI specification 1.1.0, sections 2 to 5."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minikctl.model.containers import PortBinding
from minikctl.plan.cni.conflist import Json, NetworkList

PLUGINS = "cni:"
"""Before a node's name it stands for the network that plugins make there."""
INTERFACE = "eth0"
BURST = 2**31 - 1


@dataclass(frozen=True)
class Target:
    """Whose network it is: a sandbox; ``netns`` "" once its namespace is gone."""

    container_id: str
    netns: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class Answer:
    """How a plugin ended."""

    status: int
    out: str
    err: str = ""


class PluginError(Exception):
    """A plugin's refusal, in its words; ``code`` 0 when it gave none.

    ``told``: it is the plugin's own answer; one that crashed or hangs has said nothing.
    """

    def __init__(self, words: str, code: int = 0, *, told: bool = False) -> None:
        super().__init__(words)
        self.code = code
        self.told = told


def environment(command: str, target: Target) -> dict[str, str]:
    """Return the parameters of one call."""
    arguments = {
        "IgnoreUnknown": "1",
        "K8S_POD_NAMESPACE": target.namespace,
        "K8S_POD_NAME": target.name,
        "K8S_POD_INFRA_CONTAINER_ID": target.container_id,
        "K8S_POD_UID": target.uid,
    }
    return {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": target.container_id,
        "CNI_NETNS": target.netns,
        "CNI_IFNAME": INTERFACE,
        "CNI_ARGS": ";".join(f"{key}={value}" for key, value in arguments.items()),
    }


def stdin(
    network: NetworkList, index: int, runtime: Json, previous: Json | None, more: Json | None = None
) -> str:
    """Return the ``index``-th plugin's configuration, with its part of ``runtime`` and the result so far."""
    config: Json = {
        **network.plugins[index],
        **(more or {}),
        "cniVersion": network.version,
        "name": network.name,
    }
    known = {key: value for key, value in runtime.items() if key in network.capabilities[index]}
    if known:
        config["runtimeConfig"] = known
    if previous is not None:
        config["prevResult"] = previous
    return json.dumps(config)


def result(answer: Answer, plugin: str, command: str) -> Json:
    """Return a plugin's result, {} if it printed none; ``PluginError`` as libcni words it."""
    text = answer.out.strip()
    try:
        found = json.loads(text) if text else {}
    except json.JSONDecodeError:
        found = None
    head = f'plugin type="{plugin}" failed ({command.lower()})'
    if answer.status == 0 and isinstance(found, dict):
        if wrong := _misshapen(found):
            raise PluginError(f"{head}: its answer is no result: {wrong}: {text[:200]}")
        return found
    if answer.status == 0:
        raise PluginError(f"{head}: its answer is not JSON: {text[:200]}")
    if isinstance(found, dict) and found.get("msg"):
        details = found.get("details")
        words = f"{found['msg']}; {details}" if details else str(found["msg"])
        code = found.get("code")
        raise PluginError(f"{head}: {words}", code if isinstance(code, int) else 0, told=True)
    said = answer.err.strip() or text
    if said:
        raise PluginError(f'{head}: netplugin failed: "{said[:500]}"')
    raise PluginError(f"{head}: netplugin failed with no error message: exit status {answer.status}")


def _misshapen(found: Json) -> str:
    """Return what of an answer is not as the specification has it, "" if nothing that is read here."""
    for field, kinds in (("interfaces", dict), ("ips", dict), ("supportedVersions", str)):
        listed = found.get(field) or []
        if not isinstance(listed, list) or not all(isinstance(each, kinds) for each in listed):
            return f"{field} is no list of {'objects' if kinds is dict else 'versions'}"
    numbers = [entry.get("interface") for entry in found.get("ips") or ()]
    if not all(each is None or isinstance(each, int) for each in numbers):
        return "ips.interface is no number"
    return ""


def address(found: Json) -> str:
    """Return the pod's IPv4 address: the first one of the interface within its namespace, "" if none."""
    interfaces = found.get("interfaces") or []
    for entry in found.get("ips") or ():
        number = entry.get("interface")
        inside = number is None or (
            0 <= number < len(interfaces)
            and interfaces[number].get("sandbox")
            and interfaces[number].get("name") == INTERFACE
        )
        parsed = _interface(str(entry.get("address") or ""))
        if inside and parsed is not None:
            return str(parsed.ip)
    return ""


def _interface(text: str) -> ipaddress.IPv4Interface | None:
    try:
        return ipaddress.IPv4Interface(text)
    except ValueError:
        return None


def runtime(ranges: str, ports: Sequence[PortBinding], ingress: int, egress: int) -> Json:
    """Return what is known, by capability: the node's range, host ports, limits in bits a second."""
    found: Json = {"ipRanges": [[{"subnet": ranges}]]}
    if ports:
        found["portMappings"] = [
            {
                "hostPort": port.host_port,
                "containerPort": port.container_port,
                "protocol": port.protocol,
                **({"hostIP": port.host_ip} if port.host_ip else {}),
            }
            for port in ports
        ]
    limits = {"ingress": ingress, "egress": egress}
    rates: Json = {}
    for way, rate in limits.items():
        if rate:
            rates |= {f"{way}Rate": rate, f"{way}Burst": BURST}
    if rates:
        found["bandwidth"] = rates
    return found


def supported(versions: Mapping[str, Any], wanted: str) -> bool:
    """Tell whether a plugin's answer to VERSION has the wanted version."""
    return wanted in (versions.get("supportedVersions") or ())
