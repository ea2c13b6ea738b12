"""``scale``: set the number of replicas."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from minikctl import errors
from minikctl.cli import changing, flags, report


class CommandOptions(Options):
    """What ``command`` was asked."""

    words: tuple[str, ...] = rest("TYPE[/NAME] [NAME...]")
    replicas: int = flag("--replicas", default=-1, help="How many there shall be.")
    current: int = flag("--current-replicas", default=-1, help="Only if there are so many now.")
    files: tuple[str, ...] = flag("--filename", "-f", default=(), help="Files that name objects.")
    labels: str = flag("--selector", "-l", default="", help="A label selector.")
    all_: bool = flag("--all", default=False, help="All objects of the type in the namespace.")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def command(options: CommandOptions, session: Session) -> int:
    """Set the number of replicas."""
    if options.replicas < 0:
        raise errors.UsageError(
            "error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0"
        )
    chosen = changing.Chosen(
        tuple(options.words or ()),
        tuple(options.files or ()),
        options.labels,
        options.all_,
        options.dry_run,
        options.output,
    )
    failed = False
    for target in changing.targets(chosen, session):
        try:
            scale = session.client.request("GET", target.path("scale")).json()
            now = scale["spec"].get("replicas", 0)
            if options.current >= 0 and now != options.current:
                raise errors.UsageError(f"error: Expected replicas to be {options.current}, was {now}")
            body = json.dumps({"spec": {"replicas": options.replicas}}).encode()
            if options.dry_run != "client":
                query = {
                    "dryRun": "All" if options.dry_run == "server" else "",
                    "fieldManager": "kubectl-scale",
                }
                headers = {"Content-Type": changing.MERGE}
                session.client.request("PATCH", target.path("scale"), body, query=query, headers=headers)
            result = session.client.request("GET", target.path()).json()
        except errors.StatusError as error:
            session.io.warn(report.status_sentence(error))
            failed = True
            continue
        changing.tell(chosen, target, result, "scaled", session)
    return 1 if failed else 0


# COMMAND command: 'Set the number of replicas.\n\nExamples:  minikctl scale deploy/web --replicas=3     minikctl scale deploy web --current-replicas=3 --replicas=1'


VERBS = {"scale": flags.single(command)}
