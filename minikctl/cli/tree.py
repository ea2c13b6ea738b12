"""``tree``: an object with what it owns, who owns it, and everything that points at it."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import selection, terminal
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest
from minikctl.cli.output import graph

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from minikctl.cli.session import Session

RED, GREEN, DIM = 31, 32, 2
LEFT_OUT = frozenset(("EndpointSlice", "Endpoints", "ControllerRevision", "Event", "Lease"))
"""Kinds that only say in other words what their owners say."""


class TreeOptions(Options):
    """What ``tree`` was asked."""

    arguments: tuple[str, ...] = rest("TYPE/NAME", default=(), complete="objects")
    everything: bool = flag("--all", default=False, help="Also endpoints, revisions and leases.")


def run(options: TreeOptions, session: Session) -> int:
    """Print the tree; return the exit code."""
    found = (
        selection.parse(options.arguments, session.discovery, session.namespace) if options.arguments else []
    )
    if len(found) != 1 or not found[0].name:
        raise errors.UsageError("error: name one object: TYPE/NAME")
    target = found[0]
    root = session.client.request("GET", target.path()).json()
    ways = graph.Graph(
        collected(session, target.namespace or session.namespace, everything=options.everything)
    )
    top = root
    while (owner := ways.owner(top)) is not None:
        top = owner
    paint = terminal.has_colors(session.io.out)
    for line in _lines(top, ways, root, paint):
        session.io.say(line)
    pointing = ways.pointing_at(root)
    for number, (each, word) in enumerate(pointing):
        head = "is used by  " if number == 0 else " " * 12
        session.io.say(f"{head}{_title(each)} {word} it{_state(each, paint)}")
    named = sorted({(kind, name, word) for kind, name, word in graph.references(root)})
    for number, (kind, name, word) in enumerate(named):
        head = "uses        " if number == 0 else " " * 12
        session.io.say(f"{head}{kind.lower()}/{name} ({word}){_missing(kind, name, ways)}")
    return 0


def collected(session: Session, namespace: str, *, everything: bool = False) -> list[dict[str, Any]]:
    """Return all objects of the namespace, and those of the cluster that objects point at."""
    found = []
    for resource in selection.everything(session.discovery, namespaced=False):
        if resource.kind in LEFT_OUT and not everything:
            continue
        if not resource.namespaced and resource.kind not in (
            "Node",
            "PersistentVolume",
            "ClusterRole",
            "ClusterRoleBinding",
        ):
            continue
        place = selection.Target(resource, "", namespace)
        try:
            items = session.client.request("GET", place.path()).json().get("items") or ()
        except errors.StatusError:
            continue  # what may not be read is left out
        found += [{**each, "apiVersion": resource.api_version, "kind": resource.kind} for each in items]
    return found


def _lines(
    obj: Any, ways: graph.Graph, root: Any, paint: bool, head: str = "", tail: str = ""
) -> Iterator[str]:
    mark = " ◂" if tail + head and graph.are_one(obj, root) else ""
    yield f"{head}{_title(obj)}{_state(obj, paint)}{mark}"
    members = ways.members(obj)
    for number, each in enumerate(members):
        is_last = number == len(members) - 1
        yield from _lines(
            each,
            ways,
            root,
            paint,
            tail + ("└─ " if is_last else "├─ "),
            tail + ("   " if is_last else "│  "),
        )


def _title(obj: Any) -> str:
    group = str(obj["apiVersion"]).rpartition("/")[0]
    return f"{obj['kind'].lower()}{f'.{group}' if group else ''}/{obj['metadata']['name']}"


def _state(obj: Any, paint: bool) -> str:
    text = graph.state(obj)
    if not text:
        return ""
    if not paint:
        return f"  {text}"
    return "  " + terminal.painted(text, RED if graph.is_bad(text) else GREEN)


def _missing(kind: str, name: str, ways: graph.Graph) -> str:
    known = any(each["kind"] == kind and each["metadata"]["name"] == name for each in ways.objects)
    return "" if known or kind in ("User", "Group", "Role", "ClusterRole") else "  is not there"


COMMANDS = {
    "tree": Command(
        "Show an object with what it owns, who owns it, and everything that points at it.",
        TreeOptions,
        run,
        usage="TYPE/NAME",
        examples=(
            ("Of a Deployment", "minikctl tree deployment/web"),
            ("Who uses a ConfigMap?", "minikctl tree configmap/settings"),
        ),
    )
}
