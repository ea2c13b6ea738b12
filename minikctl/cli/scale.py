"""``scale``: set the number of replicas."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from minikctl import errors
from minikctl.cli import changing, flags, report


def command(
    ctx: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(metavar="TYPE[/NAME] [NAME...]")] = None,
    replicas: Annotated[int, typer.Option("--replicas", help="How many there shall be.")] = -1,
    current: Annotated[int, typer.Option("--current-replicas", help="Only if there are so many now.")] = -1,
    files: Annotated[
        list[str] | None, typer.Option("--filename", "-f", help="Files that name objects.")
    ] = None,
    labels: Annotated[str, typer.Option("--selector", "-l", help="A label selector.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="All objects of the type in the namespace.")] = False,
    dry_run: Annotated[str, typer.Option("--dry-run", help="none, client or server.")] = "none",
    output: Annotated[str, typer.Option("--output", "-o", help="yaml, json or name.")] = "",
) -> None:
    """Set the number of replicas.

    Examples:  minikctl scale deploy/web --replicas=3     minikctl scale deploy web --current-replicas=3 --replicas=1
    """
    session = flags.of(ctx)
    if replicas < 0:
        raise errors.UsageError(
            "error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0"
        )
    chosen = changing.Chosen(tuple(words or ()), tuple(files or ()), labels, all_, dry_run, output)
    failed = False
    for target in changing.targets(chosen, session):
        try:
            scale = session.client.request("GET", target.path("scale")).json()
            now = scale["spec"].get("replicas", 0)
            if current >= 0 and now != current:
                raise errors.UsageError(f"error: Expected replicas to be {current}, was {now}")
            body = json.dumps({"spec": {"replicas": replicas}}).encode()
            if dry_run != "client":
                query = {"dryRun": "All" if dry_run == "server" else "", "fieldManager": "kubectl-scale"}
                headers = {"Content-Type": changing.MERGE}
                session.client.request("PATCH", target.path("scale"), body, query=query, headers=headers)
            result = session.client.request("GET", target.path()).json()
        except errors.StatusError as error:
            session.io.warn(report.status_sentence(error))
            failed = True
            continue
        changing.tell(chosen, target, result, "scaled", session)
    raise typer.Exit(1 if failed else 0)


VERBS = {"scale": flags.single(command)}
