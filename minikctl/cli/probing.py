"""A real connection from a pod's own network, made by the agent, which may enter it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from minikctl import errors
from minikctl.cli import arrival, pods
from minikctl.cli.session import Session
from minikctl.model import objects

AGENT = "k8s-app=minikctl-agent"
SECONDS = 2
CONNECTED, REFUSED, SILENT = "connected", "refused", "no answer"
BEGINNINGS = {"data": "answered", "refused": REFUSED, "": SILENT}
UNSEEN = "sent, without an answer: nobody sees there whether it arrived"
ANSWERS = {
    "data": ", and was answered",
    "refused": ", but nothing listens on that port",
    "": "; nothing came back",
}

# The pod's processes are found by the id of one of its containers, as their namespace has no name: by their
# control group or, where a rootless engine has none, as children of the process that the engine keeps for it.
PLACE_OF = """
place_of() {
  for place in $(grep -ls "$1" /proc/[0-9]*/cgroup); do echo "${place%/cgroup}"; return; done
  for place in $(grep -ls "^containerd-shim" /proc/[0-9]*/comm); do
    case $(tr '\\0' ' ' < "${place%/comm}/cmdline") in *"$1"*) ;; *) continue ;; esac
    for child in $(cat "${place%/comm}"/task/*/children); do echo "/proc/$child"; return; done
  done
}
"""
"""The shell function that prints the place in /proc of a process of container $1, nothing where there is none."""
_SCRIPT = (
    PLACE_OF
    + """
place=$(place_of "$1")
[ -n "$place" ] || { echo "the pod has no running process"; exit 0; }
nsenter --net="$place/ns/net" nc -w "$4" "$2" "$3" -e true 2>&1 && echo connected
exit 0
"""
)


class Seen(NamedTuple):
    """How a packet fared, in words, and whether it got there; None: nobody knows."""

    words: str
    arrived: bool | None = None


Goal = tuple[str, int, str]
"""An address, a port and a protocol."""


def connection(pod: dict[str, Any], goal: Goal, session: Session) -> Seen:
    """Return how a TCP connection from the pod went."""
    address, port, _ = goal
    said = _asked(
        pod,
        lambda container: ["sh", "-c", _SCRIPT, "sh", container, address, str(port), str(SECONDS)],
        session,
    )
    if isinstance(said, Seen):
        return said
    found = outcome(said)
    if found == REFUSED:
        return Seen("refused: the packets arrive, but nothing listens on that port", True)
    return Seen(found, {CONNECTED: True, SILENT: False}.get(found))


def datagram(pod: dict[str, Any], target: dict[str, Any] | None, goal: Goal, session: Session) -> Seen:
    """Return how a packet of UDP or SCTP from the pod fared, looked at in the target's network if that is a pod."""
    found = _sent(pod, target, goal, session)
    return found if isinstance(found, Seen) else sighting(found)


def _sent(
    pod: dict[str, Any], target: dict[str, Any] | None, goal: Goal, session: Session
) -> dict[str, Any] | Seen:
    """Return what the program of ``arrival`` has said, or why it was not asked."""
    address, port, protocol = goal
    looked_at = next(iter(running(target or {})), "")
    program = Path(arrival.__file__).read_text(encoding="utf-8")
    words = [looked_at, address, str(port), protocol]
    said = _asked(pod, lambda container: ["python3", "-I", "-S", "-c", program, container, *words], session)
    return said if isinstance(said, Seen) else told(said)


def association(pod: dict[str, Any], goal: tuple[str, int], session: Session) -> str:
    """Return in a word how the beginning of an association of SCTP from the pod went."""
    found = _sent(pod, None, (*goal, "SCTP"), session)
    if isinstance(found, Seen):
        return found.words
    if found.get("held"):
        return REFUSED
    return f"not tried: {found['failed']}" if "failed" in found else BEGINNINGS[found["answer"]]


def _asked(pod: dict[str, Any], argv: Callable[[str], list[str]], session: Session) -> str | Seen:
    """Return what the agent says to a command about a container of the pod, or why it was not asked."""
    container = next((one for one in running(pod) if one), "")
    if not container:
        return Seen("not tried: no container of the pod runs")
    agents = pods_of_agent(session)
    if not agents:
        return Seen("not tried: the network agent does not run")
    return output(agents[0], argv(container), session)


def told(said: str) -> dict[str, Any]:
    """Return what the program has said."""
    try:
        return dict(json.loads(said))
    except ValueError:
        return {"failed": said or "the agent said nothing"}


def sighting(found: dict[str, Any]) -> Seen:
    """Return in words what the program has said."""
    if "failed" in found:
        return Seen(f"not tried: {found['failed']}")
    if found.get("held"):
        return Seen("not sent: the pod's own network lets nothing out to there", False)
    if not found["arrived"]:
        return Seen("did not arrive", False) if found["arrived"] is False else Seen(UNSEEN)
    return Seen(f"arrived{ANSWERS[found['answer']]}", True)


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
