"""What the verbs that change one thing of named objects share: find them, patch each, say what happened."""

from __future__ import annotations

import json

from minikctl import errors
from minikctl.cli import filing, printing, report, selection
from minikctl.cli.flags import flag, rest
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from minikctl.cli import manifests
    from minikctl.cli.session import Session

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
CASCADES = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}
LEVELS = {"strict": "Strict", "true": "Strict", "warn": "Warn", "ignore": "Ignore", "false": "Ignore"}
"""What the server is to do about unknown fields, for each --validate."""
DRY_RUNS = {"none": "", "client": " (dry run)", "server": " (server dry run)"}


class Reported(printing.Printing):
    """What every verb that changes objects takes."""

    MANAGER = "kubectl"
    """Who owns the changed fields unless the command line says so: who it would be if kubectl had done it."""
    VALIDATION = ""
    """What the server is to do about unknown fields in patches; "": as it pleases, which is to warn."""

    dry_run: str = flag(
        "--dry-run",
        default="none",
        bare="client",
        help="none, client (change nothing) or server (let the server check, change nothing).",
        complete="none client server",
    )
    manager: str = flag("--field-manager", default="", help="Who owns the changed fields.")


def chosen(complete: str) -> Any:
    """Declare the arguments of a command that changes objects; ``complete`` says which, such as ``objects:pods``."""
    return rest("(-f FILENAME | TYPE NAME | TYPE/NAME)", default=(), complete=complete)


class Chosen(Reported, filing.Filing):
    """Which objects, and how to report on them."""

    arguments: tuple[str, ...] = chosen("objects")
    labels: str = flag("--selector", "-l", default="", help="A label selector.", complete="selector")
    all: bool = flag("--all", default=False, help="All objects of the type in the namespace.")


def check_dry_run(value: str) -> None:
    """Refuse a --dry-run value that is none, in kubectl's words."""
    if value not in DRY_RUNS:
        raise errors.UsageError(
            f'error: Invalid dry-run value ({value}). Must be "none", "server", or "client".'
        )


def check_validation(value: str) -> None:
    """Refuse a --validate value that is none, in kubectl's words."""
    if value not in LEVELS:
        raise errors.UsageError(
            f'error: invalid - validate option "{value}"; must be one of: strict (or true), warn, ignore (or false)'
        )


def check_cascade(value: str) -> None:
    """Refuse a --cascade value that is none, in kubectl's words."""
    if value not in CASCADES:
        raise errors.UsageError(
            f'error: invalid cascade value ({value}). Must be "background", "foreground", or "orphan"'
        )


def targets(chosen: Chosen, session: Session, *, takes_all: bool = False) -> list[Target]:
    """Return the objects that the command line names; with ``takes_all`` a type alone means all of its objects."""
    check_dry_run(chosen.dry_run)
    if chosen.files:
        found = documents(chosen, session)
        return [selection.target_of(document.object, session, document.source) for document in found]
    if not chosen.arguments:
        raise errors.UsageError(selection.NOTHING)  # before a cluster is asked, or made
    everywhere = getattr(chosen, "all_namespaces", False)
    fields = getattr(chosen, "fields", "")
    namespace = "" if everywhere else session.namespace
    parsed = selection.parse(chosen.arguments, session.discovery, namespace)
    if all(target.name for target in parsed):
        if everywhere:
            raise errors.UsageError("error: a resource cannot be retrieved by name across all namespaces")
        if chosen.labels or fields:
            raise selection.twice(chosen.arguments)
        return parsed
    if not (chosen.all or chosen.labels or fields or takes_all):
        raise errors.UsageError("error: resource(s) were provided, but no name was specified")
    return [
        found
        for target in parsed
        for found in selection.members(target, session, labels=chosen.labels, fields=fields)
    ]


def documents(chosen: selection.Selecting | Chosen, session: Session) -> list[manifests.Document]:
    """Return the documents of the files, beside which no objects may be named."""
    from minikctl.cli import manifests

    if chosen.kustomize:
        check_alone(chosen.arguments)
    found = manifests.sound(chosen.files, chosen.recursive, session.io)
    check_alone(chosen.arguments)
    return found


def check_alone(arguments: Sequence[str]) -> None:
    """Refuse objects that are named beside files, in kubectl's words."""
    if arguments:
        raise errors.UsageError(
            "error: when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well"
        )


def local(
    chosen: Chosen, session: Session, make: Callable[[dict[str, Any]], dict[str, Any]], said: str
) -> int:
    """Change what the files say by merge patches, without asking the server; return the exit code."""
    from minikctl.cli import manifests
    from minikctl.model import json_patches

    if not chosen.files:
        raise errors.UsageError(
            "error: can only use local files by -f rsrc.yaml or --filename=rsrc.json when --local=true is set"
        )
    for document in manifests.sound(chosen.files, chosen.recursive, session.io):
        changed = json_patches.merge(document.object, make(document.object))
        kind, name = str(changed.get("kind", "")).lower(), (changed.get("metadata") or {}).get("name", "")
        printer = printing.printer(chosen, printing.named(f"{kind}/{name}"))
        session.io.out.write(printer([changed], False) if printer else f"{kind}/{name} {said}\n")
    return 0


def patch_each(
    chosen: Chosen,
    found: Sequence[Target],
    session: Session,
    make: Callable[[dict[str, Any]], dict[str, Any]],
    said: tuple[str, str],
) -> int:
    """Merge-patch every object with what ``make`` returns for it ({}: nothing to do); return the exit code.

    ``said`` is what is printed of a changed object, and of one that was so already.
    """
    failed = False
    for target in found:
        try:
            current: dict[str, Any] = session.client.request("GET", target.path()).json()
            result, changed = _patch(chosen, target, current, make(current), session)
        except errors.MinikctlError as error:
            report.tell(error, session)
            failed = True
            continue
        tell(chosen, target, result, said[0] if changed else said[1], session)
    return 1 if failed else 0


def _patch(
    chosen: Chosen,
    target: Target,
    current: dict[str, Any],
    body: dict[str, Any],
    session: Session,
) -> tuple[dict[str, Any], bool]:
    if not body:
        return current, False
    if chosen.dry_run == "client":
        from minikctl.model import json_patches

        return dict(json_patches.merge(current, body)), True
    result = send_patch(target, body, MERGE, chosen, session)
    before = current["metadata"].get("resourceVersion")
    after = result["metadata"].get("resourceVersion")
    # A server without versions of objects does not tell whether anything changed: there was something to change.
    return result, chosen.dry_run == "server" or after is None or after != before


def merged(way: str, found: dict[str, Any], patch: Any) -> dict[str, Any]:
    """Return what an object would be with a patch of the type json, merge or strategic."""
    from minikctl.model import json_patches, kinds, strategic

    if way == "json":
        return dict(json_patches.json_patch(found, patch))
    kind = kinds.of(found)
    if way == "strategic" and kind is not None:
        return strategic.strategic(kind, found, patch)
    return dict(json_patches.merge(found, patch))


def send_patch(
    target: Target, body: Any, media: str, chosen: Reported, session: Session, subresource: str = ""
) -> dict[str, Any]:
    """Send a patch and return the outcome."""
    query = {
        "fieldManager": chosen.manager or chosen.MANAGER,
        "dryRun": "All" if chosen.dry_run == "server" else "",
        "fieldValidation": chosen.VALIDATION,
    }
    answer = session.client.request(
        "PATCH",
        target.path(subresource),
        json.dumps(body).encode(),
        query=query,
        headers={"Content-Type": media},
    )
    result: dict[str, Any] = answer.json()
    return result


def tell(
    chosen: Reported,
    target: Target,
    result: dict[str, Any],
    said: str,
    session: Session,
    dry_run: str = "",
) -> None:
    """Print the object in the -o format, or what happened to it; ``dry_run``: said instead of the command line's."""
    printer = printing.printer(chosen, lambda _: target.title)
    if printer is not None:
        session.io.out.write(printer([result], False))
    else:
        session.io.say(f"{target.title} {said}{DRY_RUNS[dry_run or chosen.dry_run]}")
