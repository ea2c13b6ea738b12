"""``label`` and ``annotate``: set and remove metadata."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from minikctl import errors
from minikctl.cli import changing, flags

Words = Annotated[list[str], typer.Argument(metavar="TYPE[/NAME] [NAME...] KEY=VALUE... KEY-...")]
Files = Annotated[list[str] | None, typer.Option("--filename", "-f", help="Files that name objects.")]
Labels = Annotated[str, typer.Option("--selector", "-l", help="A label selector.")]
All = Annotated[bool, typer.Option("--all", help="All objects of the type in the namespace.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Existing keys may change.")]
DryRun = Annotated[str, typer.Option("--dry-run", help="none, client or server.")]
Output = Annotated[str, typer.Option("--output", "-o", help="yaml, json or name.")]


class LabelOptions(Options):
    """What ``label`` was asked."""

    words: tuple[str, ...] = rest("TYPE[/NAME] [NAME...] KEY=VALUE... KEY-...")
    files: tuple[str, ...] = flag("--filename", "-f", default=(), help="Files that name objects.")
    labels: str = flag("--selector", "-l", default="", help="A label selector.")
    all_: bool = flag("--all", default=False, help="All objects of the type in the namespace.")
    overwrite: bool = flag("--overwrite", default=False, help="Existing keys may change.")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def label(options: LabelOptions, session: Session) -> int:
    """Set and remove labels."""
    chosen, changes = _split(
        options.words, options.files, options.labels, options.all_, options.dry_run, options.output
    )
    return _run(ctx, chosen, "labels", changes, options.overwrite, "labeled")


# COMMAND label: 'Set and remove labels.\n\nExamples:  minikctl label pod web-1 tier=front     minikctl label ns tour stage-'


class AnnotateOptions(Options):
    """What ``annotate`` was asked."""

    words: tuple[str, ...] = rest("TYPE[/NAME] [NAME...] KEY=VALUE... KEY-...")
    files: tuple[str, ...] = flag("--filename", "-f", default=(), help="Files that name objects.")
    labels: str = flag("--selector", "-l", default="", help="A label selector.")
    all_: bool = flag("--all", default=False, help="All objects of the type in the namespace.")
    overwrite: bool = flag("--overwrite", default=False, help="Existing keys may change.")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def annotate(options: AnnotateOptions, session: Session) -> int:
    """Set and remove annotations."""
    chosen, changes = _split(
        options.words, options.files, options.labels, options.all_, options.dry_run, options.output
    )
    return _run(ctx, chosen, "annotations", changes, options.overwrite, "annotated")


# COMMAND annotate: 'Set and remove annotations.\n\nExamples:  minikctl annotate deploy web owner=anna     minikctl annotate deploy web owner-'


VERBS = {"label": flags.single(label), "annotate": flags.single(annotate)}


def _split(
    words: list[str], files: list[str] | None, labels: str, all_: bool, dry_run: str, output: str
) -> tuple[changing.Chosen, dict[str, str | None]]:
    names = [word for word in words if "=" not in word and not word.endswith("-")]
    pairs = [word for word in words if word not in names]
    if not pairs:
        raise errors.UsageError("error: at least one label update is required")
    changes: dict[str, str | None] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        changes[key if equals else key.removesuffix("-")] = value if equals else None
    return changing.Chosen(tuple(names), tuple(files or ()), labels, all_, dry_run, output), changes


def _run(
    ctx: typer.Context,
    chosen: changing.Chosen,
    field: str,
    changes: dict[str, str | None],
    overwrite: bool,
    said: str,
) -> int:
    def make(current: dict[str, Any]) -> dict[str, Any]:
        existing = current["metadata"].get(field) or {}
        taken = [k for k, v in changes.items() if v is not None and k in existing and existing[k] != v]
        if taken and not overwrite:
            key = taken[0]
            raise errors.UsageError(
                f"error: '{key}' already has a value ({existing[key]}), and --overwrite is false"
            )
        changed = {key: value for key, value in changes.items() if existing.get(key) != value}
        return {"metadata": {field: changed}} if changed else {}

    return changing.patch_each(chosen, flags.of(ctx), make, said)
