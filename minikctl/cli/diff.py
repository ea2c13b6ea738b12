"""``diff``: what apply would change, shown by diff(1) or the program in $KUBECTL_EXTERNAL_DIFF."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile

from minikctl import errors
from minikctl.cli import apply, filing, manifests, refusals, selection
from minikctl.cli.commands import Command
from minikctl.cli.flags import BadArguments, flag, rest
from minikctl.cli.output import printers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.manifests import Document
    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

TROUBLE = 2
"""The exit code of everything but "equal" (0) and "different" (1)."""
ATTEMPTS = 4
MASK, MASK_BEFORE, MASK_AFTER = "***", "*** (before)", "*** (after)"
_ARGUMENT = re.compile(r"^[a-zA-Z0-9-=]+$")


class DiffOptions(filing.Filing):
    """What ``diff`` was asked."""

    labels: str = flag("--selector", "-l", default="", help="Only documents with these labels.")
    server_side: bool = flag(
        "--server-side", default=False, help="Compare with what a server-side apply gives."
    )
    force_conflicts: bool = flag(
        "--force-conflicts", default=False, help="With --server-side: as if taking over others' fields."
    )
    manager: str = flag("--field-manager", default="", help="Who would own the fields.")
    secrets: bool = flag("--show-secrets", default=False, help="Show what Secrets hold, instead of ***.")
    managed_fields: bool = flag("--show-managed-fields", default=False, help="Keep metadata.managedFields.")
    at: str = flag(
        "--at",
        default="",
        help="Compare TYPE/NAME with what it was: 10m ago, at a time, or at a revision.",
        own=True,
    )
    concurrency: int = flag(
        "--concurrency", default=1, help="How many objects are asked about at the same time."
    )
    prune: bool = flag(
        "--prune",
        default=False,
        help="Show also what apply --prune would delete; with -l only what has the labels.",
    )
    allowlist: tuple[str, ...] = flag(
        "--prune-allowlist", default=(), help="With --prune: only this GROUP/VERSION/KIND; may repeat."
    )
    words: tuple[str, ...] = rest(default=(), complete="objects")


def run(options: DiffOptions, session: Session) -> int:
    """Print the differences; return 0 for none, 1 for some, 2 for trouble, which a failure is, too."""
    if options.at:
        return _with_past(options, session)
    if not options.files:
        raise errors.UsageError("error: must specify one of -f and -k")
    if options.words:
        raise BadArguments(f"Unexpected args: [{' '.join(options.words)}]")
    if options.force_conflicts and not options.server_side:
        raise errors.UsageError("error: --force-conflicts only works with --server-side")
    failed = False
    with (
        tempfile.TemporaryDirectory(prefix="LIVE-") as live,
        tempfile.TemporaryDirectory(prefix="MERGED-") as merged,
    ):
        meant = []
        for document in manifests.read(options.files, options.recursive, session.io.stdin):
            if isinstance(document, manifests.BadDocument):
                session.io.warn(refusals.of_bad_document(document))
                failed = True
            elif not options.labels or manifests.labelled([document], options.labels):
                meant.append(document)
        _write_all(options, meant, (live, merged), session)
        if options.prune:
            _write_pruned(options, meant, (live, merged), session)
        session.io.out.flush()
        code = _compare(live, merged, session)
    return TROUBLE if failed else code


def _write_all(
    options: DiffOptions, documents: list[Document], places: tuple[str, str], session: Session
) -> None:
    """Write each object as it is and would be, ``--concurrency`` of them at a time."""
    if options.concurrency < 2:
        for document in documents:
            _write(options, document, places, session)
        return
    from concurrent.futures import ThreadPoolExecutor

    for document in documents:
        selection.target_of(
            document.object, session, document.source
        )  # finds out about all kinds before there are threads

    def write(document: Document) -> None:
        own = session.beside()
        try:
            _write(options, document, places, own)
        finally:
            own.client.close()

    with ThreadPoolExecutor(options.concurrency) as pool:
        list(pool.map(write, documents))


def _write_pruned(
    options: DiffOptions, documents: list[Document], places: tuple[str, str], session: Session
) -> None:
    """Write what is there and would be deleted, only as it is."""
    from minikctl.cli import pruning

    asked = apply.ApplyOptions(labels=options.labels, allowlist=options.allowlist)
    named = [selection.target_of(document.object, session, document.source) for document in documents]
    present = [(target, _live(target, session)) for target in named]
    kept = [(target, obj or {"metadata": {}}) for target, obj in present]
    for target in pruning.by_label(asked, kept, session):
        _write_pair(options, target, (_live(target, session), {}), places)


def _with_past(options: DiffOptions, session: Session) -> int:
    """Compare objects as they were with what they are."""
    from minikctl.cli import past

    with (
        tempfile.TemporaryDirectory(prefix="PAST-") as before,
        tempfile.TemporaryDirectory(prefix="LIVE-") as after,
    ):
        for target in selection.parse(options.words, session.discovery, session.namespace):
            if not target.name:
                raise errors.UsageError("error: name the objects to compare: TYPE/NAME")
            versions = (_past_of(target, options.at, session, past), _present_of(target, session))
            _write_pair(options, target, versions, (before, after))
        return _compare(before, after, session)


def _past_of(target: Target, at: str, session: Session, past: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = past.version_at(target, at, session)
    except errors.StatusError as error:
        if error.code == 404:
            return {}
        raise
    return found


def _present_of(target: Target, session: Session) -> dict[str, Any]:
    try:
        found: dict[str, Any] = session.client.request("GET", target.path()).json()
    except errors.StatusError as error:
        if error.code == 404:
            return {}
        raise
    return found


def _write(options: DiffOptions, document: Document, places: tuple[str, str], session: Session) -> None:
    """Write the object as it is and as it would be, each to a file of the same name."""
    target = selection.target_of(document.object, session, document.source)
    _write_pair(options, target, _versions(options, document, target, session), places)


def _write_pair(
    options: DiffOptions,
    target: Target,
    versions: tuple[dict[str, Any], dict[str, Any]],
    places: tuple[str, str],
) -> None:
    before, after = versions
    if not options.secrets and "Secret" in (before.get("kind"), after.get("kind")):
        before, after = masked(before, after)
    resource = target.resource
    group = f"{resource.group}." if resource.group else ""
    name = f"{group}{resource.version}.{resource.kind}.{target.namespace}.{target.name}"
    for place, found in zip(places, (before, after), strict=True):
        if found:
            shown = found if options.managed_fields else printers.without_managed_fields(found)
            with open(os.path.join(place, name), "w", encoding="utf-8") as sink:
                sink.write(printers.to_yaml(shown))


def _versions(
    options: DiffOptions, document: Document, target: Target, session: Session
) -> tuple[dict[str, Any], dict[str, Any]]:
    asked = apply.ApplyOptions(
        dry_run="server",
        server_side=options.server_side,
        force_conflicts=options.force_conflicts,
        manager=options.manager,
    )
    for attempt in range(ATTEMPTS):
        before = _live(target, session)
        try:
            return before, apply.preview(asked, document.object, before, target, session)
        except errors.StatusError as error:
            if error.reason != "Conflict" or options.server_side or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _live(target: Target, session: Session) -> dict[str, Any]:
    try:
        found: dict[str, Any] = session.client.request("GET", target.path()).json()
    except errors.StatusError as error:
        if error.code != 404:
            raise
        return {}
    return found


def masked(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return both Secrets with values hidden, but so that changed ones still differ."""
    old, new = before.get("data") or {}, after.get("data") or {}
    changed = {key for key in old if key in new and old[key] != new[key]}
    hidden_old = {key: MASK_BEFORE if key in changed else MASK for key in old}
    hidden_new = {key: MASK_AFTER if key in changed else MASK for key in new}
    return (
        {**before, "data": hidden_old} if old else before,
        {**after, "data": hidden_new} if new else after,
    )


def _compare(live: str, merged: str, session: Session) -> int:
    words = _program(session)
    try:
        done = subprocess.run([*words, live, merged], capture_output=True, check=False)
    except OSError as error:
        raise errors.UsageError(f'error: failed to run "{words[0]}": {error.strerror}') from error
    session.io.out.write(_coloured(done.stdout.decode(errors="replace"), session))
    session.io.err.write(done.stderr.decode(errors="replace"))
    if done.returncode > 1:
        raise errors.UsageError(f'error: failed to run "{words[0]}": exit status {done.returncode}')
    return done.returncode


def _program(session: Session) -> list[str]:
    given = os.environ.get("KUBECTL_EXTERNAL_DIFF", "")
    if not given:
        return ["diff", "-u", "-N"]
    program, *arguments = given.split(" ")
    for argument in arguments:
        if not _ARGUMENT.match(argument):
            session.io.warn(
                f"Warning: invalid argument is ignored: {argument}, "
                "only Alphanumeric (case-insensitive), dash and equal are allowed"
            )
    return [program, *(argument for argument in arguments if _ARGUMENT.match(argument))]


def _coloured(text: str, session: Session) -> str:
    """Return the text with added and removed lines in colour, on a terminal that may have it."""
    if os.environ.get("NO_COLOR") or os.environ.get("KUBECTL_EXTERNAL_DIFF") or not session.io.out.isatty():
        return text
    codes = {"+": "32", "-": "31", "@": "36"}
    lines = text.splitlines(keepends=True)
    return "".join(
        f"\033[{codes[line[0]]}m{line.rstrip()}\033[0m\n" if line[:1] in codes else line for line in lines
    )


COMMANDS = {
    "diff": Command(
        "Show what apply would change. Exit code: 0 nothing, 1 something, more than 1 trouble.",
        DiffOptions,
        run,
        usage="-f FILENAME",
        failed=TROUBLE,
        examples=(
            ("What a file would change", "minikctl diff -f app.yaml"),
            ("The same of what another program writes", "cat app.yaml | minikctl diff -f -"),
        ),
    )
}
