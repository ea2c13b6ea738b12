"""``apply view-last-applied|set-last-applied|edit-last-applied``: the annotation that apply compares with."""

from __future__ import annotations

import json

from minikctl import errors
from minikctl.cli import changing, filing, flags, lastapplied, manifests, printing, report, selection
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

MANAGER = "kubectl-client-side-apply"


class ViewOptions(filing.Filing):
    """What ``view-last-applied`` was asked."""

    arguments: tuple[str, ...] = rest("(TYPE [NAME | -l label] | TYPE/NAME)", default=(), complete="objects")
    output: str = flag("--output", "-o", default="yaml", help="yaml or json.", complete="yaml json")
    labels: str = flag("--selector", "-l", default="", help="A label selector.", complete="selector")
    all: bool = flag("--all", default=False, help="All objects of the type in the namespace.")


def view(options: ViewOptions, session: Session) -> int:
    """Print what was applied last of each object; return the exit code."""
    from minikctl.cli.output import printers

    if options.output not in ("yaml", "json"):
        raise flags.BadArguments(
            f"Unexpected -o output mode: {options.output}, the flag 'output' must be one of yaml|json"
        )
    if not options.files and not options.arguments:
        raise errors.UsageError(selection.NOTHING)
    if options.all and options.arguments[1:]:
        raise errors.UsageError("error: name cannot be provided when a selector is specified")
    chosen = changing.Chosen(
        arguments=options.arguments,
        files=options.files,
        recursive=options.recursive,
        labels=options.labels,
        all=options.all,
    )
    for target in changing.targets(chosen, session):
        found = lastapplied.of(session.client.request("GET", target.path()).json())
        if not found:
            continue
        if options.output == "json":
            session.io.say(json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False))
        else:
            session.io.out.write(printers.to_yaml(found))
    return 0


class SetOptions(printing.Printing):
    """What ``set-last-applied`` was asked."""

    files: tuple[str, ...] = flag(
        "--filename",
        "-f",
        default=(),
        split=True,
        help="Files with what is to count as applied.",
        complete="files",
    )
    create: bool = flag("--create-annotation", default=False, help="Also on objects that have none yet.")
    dry_run: str = flag(
        "--dry-run",
        default="none",
        bare="client",
        help="none, client or server.",
        complete="none client server",
    )


def set_last(options: SetOptions, session: Session) -> int:
    """Put what files say into the annotation, without changing the objects; return the exit code."""
    changing.check_dry_run(options.dry_run)
    if not options.files:
        raise errors.UsageError(selection.NOTHING)
    failed = False
    for document in manifests.sound(options.files, False, session.io):
        try:
            _set_one(options, document.object, session)
        except errors.MinikctlError as error:
            session.io.warn(report.sentence(error))
            failed = True
    return 1 if failed else 0


def _set_one(options: SetOptions, obj: dict[str, Any], session: Session) -> None:
    target = selection.target_of(obj, session)
    current = session.client.request("GET", target.path()).json()
    present = (current["metadata"].get("annotations") or {}).get(lastapplied.ANNOTATION)
    if present is None and not options.create:
        raise errors.UsageError(
            f"error: no last-applied-configuration annotation found on resource: {target.name}, to create the "
            "annotation, run the command with --create-annotation"
        )
    text = lastapplied.text(obj, target.namespace)
    if text == present:
        session.io.say(f"set-last-applied {target.name}: no changes required.")
        return
    result = _remember(target, text, options.dry_run, "kubectl", session)
    printer = printing.printer(options, printing.named(target.title))
    suffix = changing.DRY_RUNS[options.dry_run]
    session.io.out.write(printer([result], False) if printer else f"{target.title} configured{suffix}\n")


def _remember(target: Target, text: str, dry_run: str, manager: str, session: Session) -> dict[str, Any]:
    body = {"metadata": {"annotations": {lastapplied.ANNOTATION: text}}}
    if dry_run == "client":
        current = session.client.request("GET", target.path()).json()
        metadata = current["metadata"]
        annotations = {**(metadata.get("annotations") or {}), lastapplied.ANNOTATION: text}
        return {**current, "metadata": {**metadata, "annotations": annotations}}
    query = {"dryRun": "All" if dry_run == "server" else "", "fieldManager": manager}
    media = {"Content-Type": changing.MERGE}
    sent = json.dumps(body).encode()
    answer = session.client.request("PATCH", target.path(), sent, query=query, headers=media)
    result: dict[str, Any] = answer.json()
    return result


class EditOptions(changing.Chosen):
    """What ``edit-last-applied`` was asked."""

    LACKS = ("all", "labels", "dry_run")


def edit_last(options: EditOptions, session: Session) -> int:
    """Let the user edit what counts as applied; return the exit code."""
    from minikctl.cli import edit
    from minikctl.cli.output import printers

    if not options.files and not options.arguments:
        raise errors.UsageError(selection.NOTHING)
    edit.check_output(options.output)
    for target in changing.targets(options, session):
        current = session.client.request("GET", target.path()).json()
        before = lastapplied.of(current)
        if not before:
            raise errors.UsageError(
                f"error: no last-applied-configuration annotation found on resource: {target.name}"
            )
        text = printers.to_yaml(before)
        edited = edit.content(edit.opened(edit.HEADER + text))
        if not edited.strip() or edited == text:
            session.io.warn("Edit cancelled, no changes made.")
            continue
        after = edit.parsed(edited)
        identity = (after.get("kind"), (after.get("metadata") or {}).get("name"))
        if identity != (before.get("kind"), (before.get("metadata") or {}).get("name")):
            raise errors.UsageError("error: At least one of apiVersion, kind and name was changed")
        stamped = lastapplied.annotated(after)["metadata"]["annotations"][lastapplied.ANNOTATION]
        result = _remember(target, stamped, options.dry_run, options.manager or MANAGER, session)
        changing.tell(options, target, result, "edited", session)
    return 0


CHILDREN = {
    "edit-last-applied": Command(
        "Edit what counts as applied last, in your editor.",
        EditOptions,
        edit_last,
        usage="(RESOURCE/NAME | -f FILENAME)",
        examples=(
            ("Of a Deployment", "minikctl apply edit-last-applied deployment/web"),
            ("Of what a file names", "minikctl apply edit-last-applied -f app.yaml"),
        ),
    ),
    "set-last-applied": Command(
        "Let what a file says count as applied last; the objects stay as they are.",
        SetOptions,
        set_last,
        usage="-f FILENAME",
        examples=(
            ("From a file", "minikctl apply set-last-applied -f app.yaml"),
            (
                "Also on an object that was created",
                "minikctl apply set-last-applied -f app.yaml --create-annotation",
            ),
        ),
    ),
    "view-last-applied": Command(
        "Print what was applied last.",
        ViewOptions,
        view,
        usage="(TYPE [NAME | -l label] | TYPE/NAME | -f FILENAME)",
        examples=(
            ("Of a Deployment", "minikctl apply view-last-applied deployment/web"),
            ("As JSON", "minikctl apply view-last-applied -f app.yaml -o json"),
        ),
    ),
}
