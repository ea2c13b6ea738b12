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


class CommandOptions(Options):
    """What ``command`` was asked."""

    words: tuple[str, ...] = rest("TYPE[/NAME] [NAME]")
    body: str = flag("--patch", "-p", default="", help="The patch, as JSON or YAML.")
    body_file: str = flag("--patch-file", default="", help="A file with the patch.")
    kind: str = flag("--type", default="strategic", help="json, merge or strategic.")
    subresource: str = flag("--subresource", default="", help="status or scale.")
    dry_run: str = flag("--dry-run", default="none", help="none or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def command(options: CommandOptions, session: Session) -> int:
    """Change fields of an object."""
    if options.kind not in MEDIA:
        raise errors.UsageError(f"error: --type must be one of [json merge strategic], not {options.kind!r}")
    found = _body(options.body, options.body_file)
    chosen = changing.Chosen(tuple(options.words), dry_run=options.dry_run, output=options.output)
    failed = False
    for target in changing.targets(chosen, session):
        try:
            before = session.client.request("GET", target.path()).json()["metadata"].get("resourceVersion")
            query = {"fieldManager": "kubectl-patch", "dryRun": "All" if options.dry_run == "server" else ""}
            headers = {"Content-Type": MEDIA[options.kind]}
            data = json.dumps(found).encode()
            answer = session.client.request(
                "PATCH", target.path(options.subresource), data, query=query, headers=headers
            )
        except errors.StatusError as error:
            session.io.warn(report.status_sentence(error))
            failed = True
            continue
        result = answer.json()
        same = result["metadata"].get("resourceVersion") == before and options.dry_run == "none"
        changing.tell(chosen, target, result, "patched (no change)" if same else "patched", session)
    return 1 if failed else 0


# COMMAND command: 'Change fields of an object.\n\nExamples:  minikctl patch deploy web -p \'{"spec":{"replicas":2}}\'     minikctl patch pod x --type=json -p \'[…]\''


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
