"""``cordon``, ``uncordon`` and ``taint``: what a node takes."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import changing, printing, report, selection
from minikctl.cli.commands import Command
from minikctl.cli.flags import BadArguments, flag, rest
from minikctl.cli.parsing import Verbatim
from minikctl.model import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

ATTEMPTS = 5
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
Taint = dict[str, str]


class NodeOptions(changing.Reported):
    """Which nodes."""

    LACKS = ("manager", "output", "template", "managed_fields", "missing_keys")

    arguments: tuple[str, ...] = rest("NODE", default=(), complete="names:nodes")
    labels: str = flag("--selector", "-l", default="", help="A label selector.", complete="selector:nodes")


def chosen(arguments: tuple[str, ...], labels: str, verb: str, session: Session) -> list[Target]:
    """Return the nodes that are named or selected, in kubectl's words if there are none."""
    if arguments and labels:
        raise BadArguments("cannot specify both a node name and a --selector option")
    if not arguments and not labels:
        usage = f"error: USAGE: {verb} NODE [flags]\nSee 'minikctl {verb} -h' for help and examples"
        raise Verbatim(usage)
    nodes = selection.parse(("nodes",), session.discovery, session.namespace)[0]
    if labels:
        return selection.members(nodes, session, labels=labels)
    return [selection.Target(nodes.resource, name.removeprefix("node/")) for name in arguments]


def mark(target: Target, cordoned: bool, options: changing.Reported, session: Session) -> None:
    """Have the node take no new pods, or take them again, and say so."""
    node: dict[str, Any] = session.client.request("GET", target.path()).json()
    word = "cordoned" if cordoned else "uncordoned"
    if bool(node["spec"].get("unschedulable")) == cordoned:
        changing.tell(options, target, node, f"already {word}", session)
        return
    if options.dry_run != "client":
        body = {"spec": {"unschedulable": True if cordoned else None}}
        node = changing.send_patch(target, body, changing.MERGE, options, session)
    changing.tell(options, target, node, word, session)


def cordon(options: NodeOptions, session: Session) -> int:
    """Have nodes take no new pods; return the exit code."""
    return _mark_each(options, "cordon", session)


def uncordon(options: NodeOptions, session: Session) -> int:
    """Have nodes take pods again; return the exit code."""
    return _mark_each(options, "uncordon", session)


def _mark_each(options: NodeOptions, verb: str, session: Session) -> int:
    changing.check_dry_run(options.dry_run)
    nodes = chosen(options.arguments, options.labels, verb, session)
    if options.arguments:
        for target in nodes:  # like kubectl: one that is not there, and none is changed
            session.client.request("GET", target.path())
    failed = False
    for target in nodes:
        try:
            mark(target, verb == "cordon", options, session)
        except errors.MinikctlError as error:
            report.tell(error, session)
            failed = True
    return 1 if failed else 0


# --- taints ---------------------------------------------------------------------------------------------


class TaintOptions(changing.Reported):
    """What ``taint`` was asked."""

    MANAGER = "kubectl-taint"

    arguments: tuple[str, ...] = rest(
        "NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ...", default=(), complete="objects:nodes"
    )
    labels: str = flag("--selector", "-l", default="", help="A label selector.", complete="selector:nodes")
    all: bool = flag("--all", default=False, help="All nodes.")
    overwrite: bool = flag("--overwrite", default=False, help="Existing taints may change.")


def taint(options: TaintOptions, session: Session) -> int:
    """Set and remove taints; return the exit code."""
    changing.check_dry_run(options.dry_run)
    words = list(options.arguments)
    changes = [word for word in words if _is_change(word)]
    named = [word for word in words if not _is_change(word)]
    if not named:
        raise errors.UsageError("error: one or more resources must be specified as <resource> <name>")
    if not changes:
        raise errors.UsageError("error: at least one taint update is required")
    added, removed = _parse(changes)
    failed = False
    for target in _nodes(named, options, session):
        try:
            _tried(target, added, removed, options, session)
        except errors.MinikctlError as error:
            report.tell(error, session)
            failed = True
    return 1 if failed else 0


def _nodes(names: list[str], options: TaintOptions, session: Session) -> list[Target]:
    kinds = selection.parse((names[0].partition("/")[0],), session.discovery, session.namespace)
    if kinds[0].resource.kind != "Node":
        kind = names[0].partition("/")[0]
        raise errors.UsageError(f"error: invalid resource type {kind}, only node types are supported")
    if options.all and options.labels:
        raise errors.UsageError("error: setting 'all' parameter with a non empty selector is prohibited")
    if options.all or options.labels:
        return selection.members(kinds[0], session, labels=options.labels)
    return [found for found in selection.parse(tuple(names), session.discovery, "") if found.name]


def _is_change(word: str) -> bool:
    return ":" in word or word.endswith("-") or "=" in word


def _parse(changes: list[str]) -> tuple[list[Taint], list[Taint]]:
    """Return the taints to set and those to remove."""
    added: list[Taint] = []
    removed: list[Taint] = []
    for text in changes:
        (removed if text.endswith("-") else added).append(_one(text.removesuffix("-"), text.endswith("-")))
    for number, each in enumerate(added):
        if any(_same(each, other) for other in added[:number]):
            shown = f"{{{each['key']} {each.get('value', '')} {each['effect']} <nil>}}"
            raise _misused(f"duplicated taints with the same key and effect: {shown}")
    doubled = {(each["key"], each["effect"]) for each in added} & {
        (each["key"], each["effect"]) for each in removed
    }
    if doubled:
        shown = ", ".join(f"{key}={effect}" for key, effect in sorted(doubled))
        text = "can not both modify and remove the following taint(s) in the same command:"
        raise errors.UsageError(f"error: {text} {shown}")
    return added, removed


def _one(text: str, removes: bool) -> Taint:
    head, colon, effect = text.partition(":")
    key, equals, value = head.partition("=")
    if not colon and (equals or not removes):
        key = head  # without an effect, all of it is taken for the name
    faults = list(names.qualified_name(key))
    if faults:
        raise _misused(f"invalid taint spec: {text}, {'; '.join(faults)}")
    if not colon and not removes:
        raise _misused(f"invalid taint spec: {text}")
    if colon and effect not in EFFECTS and not (removes and not effect):
        raise _misused(f"invalid taint effect: {effect}, unsupported taint effect")
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


def _misused(text: str) -> Verbatim:
    return Verbatim(f"error: {text}\nSee 'minikctl taint -h' for help and examples")


def _tried(
    target: Target, added: list[Taint], removed: list[Taint], options: TaintOptions, session: Session
) -> None:
    """Change the node's taints; work them out again, a few times, when somebody else changed it meanwhile."""
    for attempt in range(ATTEMPTS):
        try:
            _taint(target, added, removed, options, session)
        except errors.StatusError as error:
            if error.reason != "Conflict" or attempt == ATTEMPTS - 1:
                raise
        else:
            return


def _taint(
    target: Target, added: list[Taint], removed: list[Taint], options: TaintOptions, session: Session
) -> None:
    node: dict[str, Any] = session.client.request("GET", target.path()).json()
    present: list[Taint] = node["spec"].get("taints") or []
    if not options.overwrite:
        _check_kept(target.name, present, added)
    kept = [each for each in present if not any(_same(each, one) for one in added)]
    for one in removed:
        if not any(_removes(one, each) for each in kept):
            shown = f"{one['key']}:{one['effect']}" if one["effect"] else one["key"]
            raise errors.UsageError(f'error: taint "{shown}" not found')
        kept = [each for each in kept if not _removes(one, each)]
    grew = len([each for each in present if not any(_same(each, one) for one in added)]) + len(added)
    word = "untainted"
    if options.overwrite or (grew != len(present) and removed):
        word = "modified"
    elif grew != len(present):
        word = "tainted"
    version, taints = node["metadata"]["resourceVersion"], [*added, *kept]
    if options.dry_run == "client":
        node = {**node, "spec": {**node["spec"], "taints": taints}}
    else:
        body = {"metadata": {"resourceVersion": version}, "spec": {"taints": taints or None}}
        node = changing.send_patch(target, body, changing.MERGE, options, session)
    printer = printing.printer(options, lambda _: target.title)
    if printer is not None:
        session.io.out.write(printer([node], False))
    else:
        session.io.say(f"{target.title} {word}")  # kubectl does not say here that nothing was changed


def _check_kept(name: str, present: list[Taint], added: list[Taint]) -> None:
    clashes = [one["key"] for one in added if any(_same(one, each) for each in present)]
    if clashes:
        text = f"node {name} already has {', '.join(clashes)} taint(s) with same effect(s)"
        raise errors.UsageError(f"error: {text} and --overwrite is false")


def _same(left: Taint, right: Taint) -> bool:
    return (left["key"], left["effect"]) == (right["key"], right["effect"])


def _removes(wanted: Taint, taint: Taint) -> bool:
    return wanted["key"] == taint["key"] and wanted["effect"] in ("", taint["effect"])


COMMANDS: dict[str, Command] = {
    "cordon": Command(
        "Mark a node as unschedulable.",
        NodeOptions,
        cordon,
        usage="NODE",
        examples=(
            ("Let a node take no new pods", "minikctl cordon minikctl-default-2"),
            ("All nodes of a zone", "minikctl cordon -l topology.kubernetes.io/zone=zone-a"),
        ),
    ),
    "uncordon": Command(
        "Mark a node as schedulable.",
        NodeOptions,
        uncordon,
        usage="NODE",
        examples=(
            ("Let a node take pods again", "minikctl uncordon minikctl-default-2"),
            ("See what would be done", "minikctl uncordon minikctl-default-2 --dry-run=client"),
        ),
    ),
    "taint": Command(
        "Update the taints of nodes.",
        TaintOptions,
        taint,
        usage="NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ... KEY_N=VAL_N:TAINT_EFFECT_N",
        examples=(
            ("Keep pods off a node", "minikctl taint nodes minikctl-default-2 dedicated=db:NoSchedule"),
            ("Remove the taint", "minikctl taint nodes minikctl-default-2 dedicated:NoSchedule-"),
        ),
    ),
}
