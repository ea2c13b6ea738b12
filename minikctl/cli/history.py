"""``history`` and ``undo``: who changed what of an object, and the last change taken back."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from minikctl import errors
from minikctl.cli import changing, past, selection
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest
from minikctl.cli.output import changes, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session


CONTROL_PLANE = "minikctl"
"""The field manager of controllers, scheduler and node."""
CONFLICT_RETRIES = 5


class HistoryOptions(Options):
    """What ``history`` was asked."""

    arguments: tuple[str, ...] = rest("TYPE/NAME", default=(), complete="objects")
    status: bool = flag("--status", default=False, help="Also what changed in the status alone.")
    limit: int = flag("--limit", default=0, help="Only so many, the newest; 0: all that is kept.")
    output: str = flag(
        "--output", "-o", default="", help="json or yaml: the versions themselves.", complete="json yaml"
    )


def history(options: HistoryOptions, session: Session) -> int:
    """Print an object's changes, oldest first; return the exit code."""
    if options.output not in ("", "json", "yaml"):
        from minikctl.cli.output import printers

        raise printers.unmatched(options.output, "json,yaml")
    target = _target(options.arguments, session)
    found = past.versions(target, session)
    if options.output:
        from minikctl.cli.output import printers

        text = printers.to_json(found) + "\n" if options.output == "json" else printers.to_yaml(found)
        session.io.out.write(text)
        return 0
    rows: list[list[str]] = []
    before: dict[str, Any] | None = None
    for version in found:
        rows += _rows(version, before, options.status)
        before = None if version["deleted"] else version["object"]
    rows = rows[-options.limit :] if options.limit else rows
    for line in table.align([["REVISION", "AGE", "BY", "CHANGE"], *rows]):
        session.io.say(line)
    return 0


def _rows(version: dict[str, Any], before: dict[str, Any] | None, with_status: bool) -> list[list[str]]:
    """Return a line for each field that the version changed."""
    obj = version["object"]
    by = changes.writer(before, obj) or "<unknown>"
    head = [str(version["revision"]), _age(version["time"]), by]
    if version["deleted"]:
        return [[*head[:2], "", "deleted"]]
    if before is None:
        return [[*head, "created" if _is_first(obj) else "(the oldest version that is kept)"]]
    found = changes.between(before, obj)
    if not with_status:
        found = [phrase for phrase in found if not phrase.startswith("status")]
        if (obj["metadata"].get("deletionTimestamp")) and not before["metadata"].get("deletionTimestamp"):
            found.append("deletion was asked for")
    blank = ["", "", ""]
    return [[*(blank if number else head), phrase] for number, phrase in enumerate(found)]


def _is_first(obj: dict[str, Any]) -> bool:
    return int(obj["metadata"].get("generation") or 1) <= 1


def _age(text: str | None) -> str:
    from minikctl.model import durations, objects

    then = objects.parse_time(text)
    return durations.human((datetime.now(UTC) - then).total_seconds()) if then else "<unknown>"


def _target(arguments: tuple[str, ...], session: Session) -> Target:
    found = selection.parse(arguments, session.discovery, session.namespace) if arguments else []
    if len(found) != 1 or not found[0].name:
        raise errors.UsageError("error: name one object: TYPE/NAME")
    return found[0]


class UndoOptions(changing.Reported):
    """What ``undo`` was asked."""

    arguments: tuple[str, ...] = rest("TYPE/NAME", default=(), complete="objects")
    at: str = flag("--at", default="", help="Back to what it was then: 10m ago, a time, or a revision.")


def undo(options: UndoOptions, session: Session) -> int:
    """Put an object back to what it was before its last change, or at a moment; return the exit code."""
    changing.check_dry_run(options.dry_run)
    target = _target(options.arguments, session)
    step = _Step(target, options, past.versions(target, session), session)
    if step.present is not None and changes.content(step.wanted) == changes.content(step.present):
        changing.tell(options, target, step.present, "unchanged", session)
        return 0
    result = changes.content(step.wanted)
    if options.dry_run != "client":
        step, result = _taken(step, options, session)
    revision = step.wanted["metadata"]["resourceVersion"]
    changing.tell(options, target, result, f"put back to revision {revision}", session)
    if not options.output and step.present is not None:
        for phrase in changes.between(changes.content(step.present), changes.content(step.wanted)):
            session.io.say(f"  {phrase}")
    return 0


class _Step:
    """What an object is (``present``: None if it was deleted), and what it is to be again (``wanted``)."""

    def __init__(
        self, target: Target, options: UndoOptions, versions: list[dict[str, Any]], session: Session
    ) -> None:
        newest = versions[-1]
        self.target = target
        self.present = None if newest["deleted"] else newest["object"]
        self.wanted = past.version_at(target, options.at, session) if options.at else _before(versions)

    def take(self, query: dict[str, Any], session: Session) -> dict[str, Any]:
        """Write what is wanted; what has changed meanwhile is not undone unseen, but a conflict."""
        body = changes.content(self.wanted)
        if self.present is None:
            path = self.target.collection.path()
            created: dict[str, Any] = session.client.request("POST", path, body, query=query).json()
            return created
        for field in ("resourceVersion", "uid"):
            body["metadata"][field] = self.present["metadata"][field]
        changed: dict[str, Any] = session.client.request("PUT", self.target.path(), body, query=query).json()
        return changed


def _taken(step: _Step, options: UndoOptions, session: Session) -> tuple[_Step, dict[str, Any]]:
    """Write what is wanted, again if the control plane alone has written meanwhile; return what was taken."""
    query = {"fieldManager": options.manager or "minikctl-undo", "dryRun": _dry(options.dry_run)}
    for _ in range(CONFLICT_RETRIES):
        try:
            return step, step.take(query, session)
        except errors.StatusError as error:
            versions = past.versions(step.target, session)
            if error.reason != "Conflict" or not _is_its_own(versions, step.present):
                raise
        step = _Step(step.target, options, versions, session)
    return step, step.take(query, session)


def _is_its_own(versions: list[dict[str, Any]], present: dict[str, Any] | None) -> bool:
    """Tell whether the control plane alone changed the content of what was present, and all of that is kept."""
    if present is None or versions[-1]["deleted"]:
        return False
    revisions = [version["revision"] for version in versions]
    seen = int(present["metadata"]["resourceVersion"])
    if seen not in revisions:
        return False
    since = [version["object"] for version in versions[revisions.index(seen) :] if not version["deleted"]]
    return all(changes.writer(*pair) == CONTROL_PLANE for pair in _steps(since))


def _dry(value: str) -> str:
    return "All" if value == "server" else ""


def _before(versions: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the object without its last change; what the control plane wrote after that stays.

    Its own writing, such as the number of a Deployment's revision or the replicas that an autoscaler chose, is
    taken back only if nobody else changed anything.
    """
    from minikctl.model import json_patches

    last = versions[-1]["object"]
    if versions[-1]["deleted"]:
        return dict(last)
    pairs = list(_steps([version["object"] for version in versions if not version["deleted"]]))
    if not pairs:
        raise errors.UsageError("error: no earlier version of it is kept")
    by_others = [pair for pair in pairs if changes.writer(*pair) != CONTROL_PLANE]
    before, after = (by_others or pairs)[-1]
    patch = json_patches.merge_diff(changes.content(after), changes.content(before))
    wanted = json_patches.merge(changes.content(last), patch)
    version = before["metadata"]["resourceVersion"]
    return {**wanted, "metadata": {**wanted["metadata"], "resourceVersion": version}}


def _steps(found: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the versions before and after each change of the content."""
    for before, after in itertools.pairwise(found):
        if changes.content(before) != changes.content(after):
            yield before, after


COMMANDS = {
    "history": Command(
        "Who changed which field of an object when, as far back as the control plane's log goes.",
        HistoryOptions,
        history,
        usage="TYPE/NAME",
        examples=(
            ("Of a Deployment", "minikctl history deployment/web"),
            ("Of its status too, the last ten lines", "minikctl history deployment/web --status --limit=10"),
        ),
    ),
    "undo": Command(
        "Take the last change of an object back; one that was deleted is made again.",
        UndoOptions,
        undo,
        usage="TYPE/NAME",
        examples=(
            ("The last change", "minikctl undo configmap/settings"),
            (
                "See what ten minutes would take back",
                "minikctl undo deployment/web --at=10m --dry-run=server",
            ),
        ),
    ),
}
