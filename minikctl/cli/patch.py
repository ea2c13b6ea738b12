"""``patch``: change fields of objects."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
import yaml

from minikctl import errors
from minikctl.cli import changing, flags, report
from minikctl.cli.output import printers

MEDIA = {
    "json": "application/json-patch+json",
    "merge": changing.MERGE,
    "strategic": changing.STRATEGIC,
}


def command(
    ctx: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="TYPE[/NAME] [NAME]")],
    body: Annotated[str, typer.Option("--patch", "-p", help="The patch, as JSON or YAML.")] = "",
    body_file: Annotated[str, typer.Option("--patch-file", help="A file with the patch.")] = "",
    kind: Annotated[str, typer.Option("--type", help="json, merge or strategic.")] = "strategic",
    subresource: Annotated[str, typer.Option("--subresource", help="status or scale.")] = "",
    dry_run: Annotated[str, typer.Option("--dry-run", help="none or server.")] = "none",
    output: Annotated[str, typer.Option("--output", "-o", help="yaml, json or name.")] = "",
) -> None:
    """Change fields of an object.

    Examples:  minikctl patch deploy web -p '{"spec":{"replicas":2}}'     minikctl patch pod x --type=json -p '[…]'
    """
    session = flags.of(ctx)
    if kind not in MEDIA:
        raise errors.UsageError(f"error: --type must be one of [json merge strategic], not {kind!r}")
    found = _body(body, body_file)
    chosen = changing.Chosen(tuple(words), dry_run=dry_run, output=output)
    failed = False
    for target in changing.targets(chosen, session):
        try:
            before = session.client.request("GET", target.path()).json()["metadata"].get("resourceVersion")
            query = {"fieldManager": "kubectl-patch", "dryRun": "All" if dry_run == "server" else ""}
            headers = {"Content-Type": MEDIA[kind]}
            data = json.dumps(found).encode()
            answer = session.client.request(
                "PATCH", target.path(subresource), data, query=query, headers=headers
            )
        except errors.StatusError as error:
            session.io.warn(report.status_sentence(error))
            failed = True
            continue
        result = answer.json()
        same = result["metadata"].get("resourceVersion") == before and dry_run == "none"
        changing.tell(chosen, target, result, "patched (no change)" if same else "patched", session)
    raise typer.Exit(1 if failed else 0)


def _body(text: str, path: str) -> Any:
    if bool(text) == bool(path):
        raise errors.UsageError(
            "error: must specify --patch or --patch-file containing the contents of the patch"
        )
    if path:
        text = printers.read_template(path)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise errors.UsageError(f'error: unable to parse "{text}": {error}') from error


VERBS = {"patch": flags.single(command)}
