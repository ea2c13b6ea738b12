"""What the verbs that change one thing of named objects share: find them, patch each, say what happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minikctl import errors
from minikctl.cli import manifests, report, selection
from minikctl.cli.output import printers
from minikctl.cli.selection import Target
from minikctl.cli.session import Session

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
DRY_RUNS = {"none": "", "client": " (dry run)", "server": " (server dry run)"}


@dataclass(frozen=True)
class Chosen:
    """Which objects, and how to report on them."""

    arguments: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    labels: str = ""
    all: bool = False
    dry_run: str = "none"
    output: str = ""
    manager: str = "minikctl"


def targets(chosen: Chosen, session: Session) -> list[Target]:
    """Return the objects that the command line names."""
    if chosen.dry_run not in DRY_RUNS:
        raise errors.UsageError(
            f'error: Invalid dry-run value ({chosen.dry_run}). Must be "none", "server", or "client".'
        )
    if chosen.files:
        return [
            selection.target_of(document.object, session)
            for document in manifests.read(chosen.files, False, session.io.stdin)
            if isinstance(document, manifests.Document)
        ]
    parsed = selection.parse(chosen.arguments, session.discovery, session.namespace)
    if all(target.name for target in parsed):
        return parsed
    if not (chosen.all or chosen.labels):
        raise errors.UsageError("error: resource(s) were provided, but no name was specified")
    found = []
    for target in parsed:
        listed = session.client.request("GET", target.path(), query={"labelSelector": chosen.labels}).json()
        found += [Target(target.resource, o["metadata"]["name"], target.namespace) for o in listed["items"]]
    return found


def patch_each(
    chosen: Chosen,
    session: Session,
    make: Callable[[dict[str, Any]], dict[str, Any]],
    said: str,
    media: str = MERGE,
) -> int:
    """Patch every chosen object with what ``make`` returns for it ({}: nothing to do); return the exit code."""
    failed = False
    for target in targets(chosen, session):
        try:
            current: dict[str, Any] = session.client.request("GET", target.path()).json()
            result, changed = _patch(chosen, target, current, make(current), media, session)
        except errors.StatusError as error:
            session.io.warn(report.status_sentence(error))
            failed = True
            continue
        tell(chosen, target, result, said if changed else f"{said} (no change)", session)
    return 1 if failed else 0


def _patch(
    chosen: Chosen,
    target: Target,
    current: dict[str, Any],
    body: dict[str, Any],
    media: str,
    session: Session,
) -> tuple[dict[str, Any], bool]:
    if not body:
        return current, False
    if chosen.dry_run == "client":
        return current, True
    query = {"fieldManager": chosen.manager, "dryRun": "All" if chosen.dry_run == "server" else ""}
    headers = {"Content-Type": media}
    answer = session.client.request(
        "PATCH", target.path(), json.dumps(body).encode(), query=query, headers=headers
    )
    result: dict[str, Any] = answer.json()
    before = current["metadata"].get("resourceVersion")
    return result, chosen.dry_run == "server" or result["metadata"].get("resourceVersion") != before


def tell(chosen: Chosen, target: Target, result: dict[str, Any], said: str, session: Session) -> None:
    """Print the object in the -o format, or what happened to it."""
    printer = printers.of(chosen.output, lambda obj: target.title)
    if printer is not None:
        session.io.out.write(printer([result], False))
    else:
        session.io.say(f"{target.title} {said}{DRY_RUNS[chosen.dry_run]}")
