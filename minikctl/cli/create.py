"""``create``: new objects from files or from a few words."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import (
    changing,
    create_basic,
    create_batch,
    create_rbac,
    creating,
    filing,
    flags,
    generators,
    manifests,
    report,
    selection,
)
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session


class CreateOptions(creating.Creating, filing.Filing):
    """What ``create -f`` was asked."""

    labels: str = flag("--selector", "-l", default="", help="Only objects with these labels.")
    raw: str = flag("--raw", default="", help="Send the file to this path of the server as it is.")
    edit: bool = flag("--edit", default=False, help="Edit the objects before they are created.")
    words: tuple[str, ...] = rest(default=())


def create(options: CreateOptions, session: Session) -> int:
    """Create the objects of manifests; return the exit code."""
    changing.check_dry_run(options.dry_run)
    if options.words:
        raise flags.BadArguments(f"Unexpected args: [{' '.join(options.words)}]")
    if not options.files:
        raise errors.UsageError("error: must specify one of -f and -k")
    if options.raw:
        return _raw(options, session)
    failed = False
    for document in manifests.read(options.files, options.recursive, session.io.stdin):
        if isinstance(document, manifests.BadDocument):
            session.io.warn(f"error: {document}")
            failed = True
            continue
        try:
            _one(options, document.object, session)
        except errors.StatusError as error:
            session.io.warn(report.status_sentence(error, f'error when creating "{document.source}"'))
            failed = True
        except errors.UsageError as error:
            session.io.warn(f"error: {document.place}: {str(error).removeprefix('error: ')}")
            failed = True
    return 1 if failed else 0


def _one(options: CreateOptions, obj: dict[str, Any], session: Session) -> None:
    if options.labels:
        from minikctl.model import objects, selectors

        if not selectors.parse(options.labels).matches(objects.labels(obj)):
            return
    if options.edit:
        from minikctl.cli import edit
        from minikctl.cli.output import printers

        obj = edit.parsed(edit.content(edit.opened(printers.to_yaml(obj))))
    creating.send(options, selection.target_of(obj, session), obj, session)


def _raw(options: CreateOptions, session: Session) -> int:
    """Send the only file to a path of the server as it is; print the answer."""
    if len(options.files) != 1:
        raise errors.UsageError("error: --raw can only use a single local file or stdin")
    path = options.files[0]
    body = session.io.stdin.read().encode() if path == "-" else generators.read(path)
    session.io.out.write(session.client.request("POST", options.raw, body).body.decode())
    return 0


ALIASES = {
    "cj": "cronjob", "cm": "configmap", "dep": "deployment", "deploy": "deployment", "ing": "ingress",
    "ns": "namespace", "pc": "priorityclass", "pdb": "poddisruptionbudget", "resourcequota": "quota",
    "sa": "serviceaccount", "svc": "service",
}  # fmt: skip

COMMANDS = {
    "create": Command(
        "Create objects from files, or from a few words.",
        CreateOptions,
        create,
        usage="-f FILENAME",
        examples=(
            ("Create what a file describes", "minikctl create -f app.yaml"),
            ("Create a Deployment", "minikctl create deployment web --image=minikctl-demo:latest"),
        ),
        children={**create_basic.CHILDREN, **create_batch.CHILDREN, **create_rbac.CHILDREN},
        aliases=ALIASES,
    )
}
