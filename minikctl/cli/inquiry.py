"""Live facts of the cluster's network for ``why``: what names, rules, listeners and connections are now.

One script in the network agent enters the pods' namespaces; it only reads, and makes the connections that are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from minikctl.cli import probing
from minikctl.cli.session import Session
from minikctl.model import objects
from minikctl.model.objects import Key
from minikctl.plan import readiness
from minikctl.plan.why.links import Facts, Listener

_SCRIPT = (
    probing.PLACE_OF
    + """
enter() {
  place=$(place_of "$1"); shift
  [ -n "$place" ] || { echo "no process"; return; }
  nsenter --net="$place/ns/net" "$@" 2>&1 </dev/null
}
while [ $# -gt 0 ]; do
  echo "@@ $1 $2 $3 $4"
  case $1 in
    rules) enter "$2" nft -nn list table inet minikctl ;;
    name) enter "$2" nslookup -type=a "$3" "$4" ;;
    connect) enter "$2" nc -w 2 "$3" "$4" -e true && echo connected ;;
    listeners) enter "$2" netstat -lntu ;;
  esac
  shift 4
done
"""
)
_LISTENER = re.compile(r"^(tcp|udp)\S*\s+\d+\s+\d+\s+(\S+):(\d+)\s", re.MULTILINE)
_ADDRESS = re.compile(r"^Address(?: \d+)?: (\d+\.\d+\.\d+\.\d+)$", re.MULTILINE)
SILENCE = "no servers could be reached"
RESOLVER = "127.0.0.11"
"""Where the engine's own resolver listens in each namespace."""
EVERYWHERE = "0.0.0.0"


@dataclass(frozen=True)
class Questions:
    """What to find out: from the namespace of ``client`` names, rules, connections of TCP and associations of SCTP.

    And of ``pods`` who listens.
    """

    client: dict[str, Any] | None
    pods: Sequence[dict[str, Any]] = ()
    names: Sequence[str] = ()
    connections: Sequence[tuple[str, int]] = ()
    associations: Sequence[tuple[str, int]] = ()
    server: str = ""


def ask(questions: Questions, session: Session) -> Facts:
    """Return what was found out; nothing while the agent does not run."""
    client = container_of(questions.client)
    watched = {container_of(pod): objects.key(pod) for pod in questions.pods if container_of(pod)}
    words = [word for line in _lines(questions, client, list(watched)) for word in line]
    agents = probing.pods_of_agent(session) if words else []
    if not agents:
        return Facts()
    said = probing.output(agents[0], ["sh", "-c", _SCRIPT, "sh", *words], session)
    answers = dict(_answers(said))
    name = "/".join(objects.key(questions.client)) if questions.client and client else ""
    begun = {
        goal: probing.association(questions.client, goal, session)
        for goal in questions.associations
        if questions.client and client
    }
    return replace(_facts(name, client, answers, watched), associations=begun)


def container_of(pod: dict[str, Any] | None) -> str:
    """Return the id of a running container of the pod that has a network of its own, "" without one."""
    if pod is None or objects.spec(pod).get("hostNetwork") or not readiness.address(pod):
        return ""
    return next((one for one in probing.running(pod) if one), "")


def _lines(questions: Questions, client: str, watched: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
    if client:
        yield "rules", client, "-", "-"
        yield from (("name", client, name, questions.server) for name in questions.names)
        yield from (("connect", client, address, str(port)) for address, port in questions.connections)
    yield from (("listeners", container, "-", "-") for container in watched)


def _answers(said: str) -> Iterator[tuple[tuple[str, ...], str]]:
    for piece in said.split("@@ ")[1:]:
        head, _, body = piece.partition("\n")
        yield tuple(head.split()), body


def _facts(
    name: str, client: str, answers: Mapping[tuple[str, ...], str], watched: Mapping[str, Key]
) -> Facts:
    names = {key[2]: body for key, body in answers.items() if key[0] == "name" and "no process" not in body}
    rules = answers.get(("rules", client, "-", "-"))
    return Facts(
        client=name,
        rules=None if rules is None or "no process" in rules else rules if "chain " in rules else "",
        names={name: _addresses(body) for name, body in names.items() if SILENCE not in body},
        silent=frozenset(name for name, body in names.items() if SILENCE in body),
        connections={
            (key[2], int(key[3])): probing.outcome(body.strip())
            for key, body in answers.items()
            if key[0] == "connect"
        },
        listeners={
            watched[key[1]]: frozenset(_listeners(body))
            for key, body in answers.items()
            if key[0] == "listeners" and "no process" not in body
        },
    )


def _addresses(body: str) -> tuple[str, ...]:
    """Return the addresses of an answer; the first that nslookup shows is the server's, with its port."""
    return tuple(dict.fromkeys(_ADDRESS.findall(body)))


def _listeners(body: str) -> Iterator[Listener]:
    for protocol, address, port in _LISTENER.findall(body):
        if address != RESOLVER:
            where = EVERYWHERE if address in ("::", "") else address.removeprefix("::ffff:")
            yield Listener(where, int(port), protocol)
