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
    raw,
    refusals,
    selection,
)
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from minikctl.cli.session import Session


class CreateOptions(creating.Creating, filing.Filing):
    """What ``create -f`` was asked."""

    TYPED = False

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
    failed = found = False
    for document in manifests.read(options.files, options.recursive, session.io.stdin):
        if isinstance(document, manifests.BadDocument):
            session.io.warn(refusals.of_bad_document(document, options.validate))
            failed = True
            continue
        if options.labels and not manifests.labelled([document], options.labels):
            continue
        found = True
        try:
            _one(options, document, session)
        except errors.MinikctlError as error:
            told = refusals.creating(error) if isinstance(error, errors.StatusError) else error
            session.io.warn(refusals.of_document(told, document))
            failed = True
    if not found and not failed:
        raise errors.UsageError("error: no objects passed to create")
    return 1 if failed else 0


def _one(options: CreateOptions, document: manifests.Document, session: Session) -> None:
    obj = document.object
    if options.edit:
        from minikctl.cli import edit
        from minikctl.cli.output import printers

        obj = edit.parsed(edit.content(edit.opened(printers.to_yaml(obj))))
    target = selection.target_of(obj, session, document.source, nameless=True)
    creating.send(options, target, selection.placed(obj, target), session)


def _raw(options: CreateOptions, session: Session) -> int:
    """Send the only file to a path of the server as it is; print the answer."""
    if len(options.files) != 1:
        raise errors.UsageError("error: --raw can only use a single local file or stdin")
    path = options.files[0]
    body = session.io.stdin.read().encode() if path == "-" else generators.read(path)
    session.io.out.write(session.client.request("POST", raw.path(options.raw), body).body.decode())
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
