"""``label`` and ``annotate``: set and remove metadata."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import changing
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
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
    names, pairs = _apart(options.arguments, word)
    changes = _changes(pairs, field)
    chosen = type(options)(**{**options.as_dict(), "arguments": names})
    if not names and not options.files:
        raise errors.UsageError(
            "error: one or more resources must be specified as <resource> <name> or <resource>/<name>"
        )
    if options.shows:
        return _list(chosen, session, field, changes)
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
    if options.local and not options.files and field == "labels":
        raise errors.UsageError(
            "error: can only use local files by -f pod.yaml or --filename=pod.json when --local=true is set"
        )
    if options.local:
        return changing.local(chosen, session, make, sentences[0])
    return changing.patch_each(chosen, changing.targets(chosen, session), session, make, sentences)


def _clash(field: str, taken: dict[str, str]) -> str:
    held = [f"'{key}' already has a value ({value})" for key, value in taken.items()]
    if field == "labels":
        return f"error: {held[0]}, and --overwrite is false"
    return f"error: --overwrite is false but found the following declared annotation(s): {'; '.join(held)}"


def _is_change(argument: str) -> bool:
    return ("=" in argument and not argument.startswith("=")) or (argument.endswith("-") and argument != "-")


def _apart(arguments: Sequence[str], word: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the arguments that name objects and, behind them, those that are changes."""
    names: list[str] = []
    pairs: list[str] = []
    for argument in arguments:
        if _is_change(argument):
            pairs.append(argument)
        elif pairs:
            raise errors.UsageError(
                f"error: all resources must be specified before {word} changes: {argument}"
            )
        else:
            names.append(argument)
    return tuple(names), pairs


def _changes(pairs: Sequence[str], field: str) -> dict[str, str | None]:
    """Return what becomes of each key, None where it is to go; refuse, in kubectl's words, what cannot be."""
    changes: dict[str, str | None] = {}
    both: list[str] = []
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if equals and field == "labels":
            _check_label(pair, value)
        key = key if equals else key.removesuffix("-")
        if key in changes and (changes[key] is None) == bool(equals):
            both.append(key)
        changes[key] = value if equals else None
    if both:
        which = "a label" if field == "labels" else "the following annotation(s)"
        named = "" if field == "labels" else f": {', '.join(both)}"
        raise errors.UsageError(f"error: can not both modify and remove {which} in the same command{named}")
    return changes


def _check_label(pair: str, value: str) -> None:
    from minikctl.model import names

    for cause in names.label_value(value):
        raise errors.UsageError(f'error: invalid label value: "{pair}": {cause}')


def _list(options: MetadataOptions, session: Session, field: str, changes: dict[str, str | None]) -> int:
    """Print what there is, and would be with the changes that were given; nothing is changed."""
    for target in changing.targets(options, session):
        current = session.client.request("GET", target.path()).json()
        present = {**(current["metadata"].get(field) or {}), **changes}
        for key, value in sorted(present.items()):
            if value is not None:
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
