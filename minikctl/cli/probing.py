"""A real connection from a pod's own network, made by the agent, which may enter it."""

from __future__ import annotations

from typing import Any

from minikctl import errors
from minikctl.cli import pods
from minikctl.cli.session import Session
from minikctl.model import objects

AGENT = "k8s-app=minikctl-agent"
SECONDS = 2
CONNECTED, REFUSED, SILENT = "connected", "refused", "no answer"

# The pod's processes are found by the id of one of its containers, as their namespace has no name.
_SCRIPT = """
for process in /proc/[0-9]*; do
  if grep -q "$1" $process/cgroup 2>/dev/null; then
    nsenter --net=$process/ns/net nc -w "$4" "$2" "$3" -e true 2>&1 && echo connected
    exit 0
  fi
done
echo "the pod has no running process"
"""


def connect(pod: dict[str, Any], address: str, port: int, session: Session) -> str:
    """Return how a TCP connection from the pod went: CONNECTED, REFUSED, SILENT, or why it was not tried."""
    container = next((one for one in running(pod) if one), "")
    if not container:
        return "not tried: no container of the pod runs"
    agents = pods_of_agent(session)
    if not agents:
        return "not tried: the network agent does not run"
    argv = ["sh", "-c", _SCRIPT, "sh", container, address, str(port), str(SECONDS)]
    return outcome(output(agents[0], argv, session))


def outcome(said: str) -> str:
    """Return how a connection went by what was said of it."""
    if said == "connected":
        return CONNECTED
    if "refused" in said:
        return REFUSED
    return SILENT if "timed out" in said else f"not tried: {said or 'the agent said nothing'}"


def running(pod: dict[str, Any]) -> list[str]:
    """Return the ids of the pod's containers that run."""
    status = objects.status(pod)
    listed = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    return [
        str(one.get("containerID") or "").rpartition("/")[2]
        for one in listed
        if "running" in (one.get("state") or {})
    ]


def pods_of_agent(session: Session) -> list[dict[str, Any]]:
    """Return the agent's pods that run."""
    from minikctl.cli.selection import Target

    place = Target(session.discovery.find("pods"), "", "kube-system")
    found = session.client.request("GET", place.path(), query={"labelSelector": AGENT}).json()
    return [one for one in found.get("items") or () if objects.status(one).get("phase") == "Running"]


def output(pod: dict[str, Any], argv: list[str], session: Session) -> str:
    """Return what a command in a pod prints, whatever its exit code."""
    from minikctl.client import channels

    query = {"command": argv, "stdout": True, "stderr": True}
    try:
        remote = channels.ChannelStream(session.client, pods.log_path(pod, "exec", session), query)
    except errors.MinikctlError as error:
        return str(error)
    try:
        pieces = [data for channel, data in remote.read() if channel in (channels.STDOUT, channels.STDERR)]
    finally:
        remote.close()
    return b"".join(pieces).decode(errors="replace").strip()
