"""``label`` and ``annotate``: set and remove metadata."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import changing
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session


class MetadataOptions(changing.Chosen):
    """What ``label`` or ``annotate`` was asked; the arguments hold the changes too."""

    MANAGER = "kubectl-label"

    arguments: tuple[str, ...] = changing.chosen("marked:labels")
    all_namespaces: bool = flag("--all-namespaces", "-A", default=False, help="Every namespace.")
    fields: str = flag("--field-selector", default="", help="A field selector.")
    local: bool = flag("--local", default=False, help="Change what the files say, without asking the server.")

    overwrite: bool = flag("--overwrite", default=False, help="Existing keys may change.")
    shows: bool = flag("--list", default=False, help="Print what there is.")
    resource_version: str = flag(
        "--resource-version", default="", help="Only if the object is at this version."
    )


class AnnotateOptions(MetadataOptions):
    """What ``annotate`` was asked."""

    MANAGER = "kubectl-annotate"

    arguments: tuple[str, ...] = changing.chosen("marked:annotations")


def label(options: MetadataOptions, session: Session) -> int:
    """Set and remove labels; return the exit code."""
    return _run(options, session, "labels")


def annotate(options: AnnotateOptions, session: Session) -> int:
    """Set and remove annotations; return the exit code."""
    return _run(options, session, "annotations")


_WORDS = {"labels": ("label", "labeled"), "annotations": ("annotation", "annotated")}


def _run(options: MetadataOptions, session: Session, field: str) -> int:
    word, said = _WORDS[field]
    names = tuple(argument for argument in options.arguments if not _is_change(argument))
    changes = _changes([argument for argument in options.arguments if _is_change(argument)])
    chosen = type(options)(**{**options.as_dict(), "arguments": names})
    if not names and not options.files:
        raise errors.UsageError(
            "error: one or more resources must be specified as <resource> <name> or <resource>/<name>"
        )
    if options.shows:
        return _list(chosen, session, field)
    if not changes:
        raise errors.UsageError(f"error: at least one {word} update is required")

    def make(current: dict[str, Any]) -> dict[str, Any]:
        existing = current["metadata"].get(field) or {}
        taken = [k for k, v in changes.items() if v is not None and k in existing and existing[k] != v]
        if taken and not options.overwrite:
            raise errors.UsageError(_clash(field, {key: existing[key] for key in taken}))
        for key, value in changes.items():
            if value is None and key not in existing and field == "labels":
                session.io.say(f'{word} "{key}" not found.')
        changed = {key: value for key, value in changes.items() if existing.get(key) != value}
        if not changed:
            return {}
        body: dict[str, Any] = {"metadata": {field: changed}}
        if options.resource_version:
            body["metadata"]["resourceVersion"] = options.resource_version
        return body

    if field == "labels":
        only_removes = all(value is None for value in changes.values())
        sentences = ("unlabeled" if only_removes else said, "not labeled")
    else:
        sentences = (said, said)
    if options.local:
        return changing.local(chosen, session, make, sentences[0])
    return changing.patch_each(chosen, changing.targets(chosen, session), session, make, sentences)


def _clash(field: str, taken: dict[str, str]) -> str:
    held = [f"'{key}' already has a value ({value})" for key, value in taken.items()]
    if field == "labels":
        return f"error: {held[0]}, and --overwrite is false"
    return f"error: --overwrite is false but found the following declared annotation(s): {'; '.join(held)}"


def _is_change(argument: str) -> bool:
    return ("=" in argument and "/" not in argument.partition("=")[0].partition("/")[0]) or (
        argument.endswith("-")
    )


def _changes(pairs: list[str]) -> dict[str, str | None]:
    changes: dict[str, str | None] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        changes[key if equals else key.removesuffix("-")] = value if equals else None
    return changes


def _list(options: MetadataOptions, session: Session, field: str) -> int:
    for target in changing.targets(options, session):
        current = session.client.request("GET", target.path()).json()
        for key, value in sorted((current["metadata"].get(field) or {}).items()):
            session.io.say(f"{key}={value}")
    return 0


COMMANDS = {
    "label": Command(
        "Set and remove labels of objects.",
        MetadataOptions,
        label,
        usage="[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N",
        examples=(
            ("Set a label", "minikctl label pod web-1 tier=front"),
            ("Remove a label from every pod", "minikctl label pods --all tier-"),
        ),
    ),
    "annotate": Command(
        "Set and remove annotations of objects.",
        AnnotateOptions,
        annotate,
        usage="[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N",
        examples=(
            ("Set an annotation", "minikctl annotate deployment web owner=anna"),
            ("Remove it", "minikctl annotate deployment web owner-"),
        ),
    ),
}
