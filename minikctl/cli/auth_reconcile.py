"""``auth reconcile``: roles and bindings are given the rules and subjects that files say, and keep what they have.

Unlike ``apply`` it compares what rules allow, not how they are written, and makes bindings anew whose role changed.
What is to be done is found out in ``reconciling``.
"""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import changing, filing, manifests, printing, reconciling, report, selection
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.reconciling import Change
    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

GROUP = "rbac.authorization.k8s.io"
ATTEMPTS = 3
MANAGER = "kubectl-auth-reconcile"


class ReconcileOptions(printing.Printing, filing.Filing):
    """What ``auth reconcile`` was asked."""

    dry_run: str = flag(
        "--dry-run",
        default="none",
        bare="client",
        help="none, client or server.",
        complete="none client server",
    )
    fewer_permissions: bool = flag(
        "--remove-extra-permissions", default=False, help="Remove rules that the files do not have."
    )
    fewer_subjects: bool = flag(
        "--remove-extra-subjects", default=False, help="Remove subjects that the files do not have."
    )


def run(options: ReconcileOptions, session: Session) -> int:
    """Reconcile every role and binding of the files; return the exit code."""
    if not options.files:
        raise errors.UsageError("error: must specify one of -f and -k")
    if options.dry_run not in changing.DRY_RUNS:
        raise errors.UsageError(
            "error: error accessing --dry-run flag for command reconcile: "
            f'Invalid dry-run value ({options.dry_run}). Must be "none", "server", or "client".'
        )
    failed = False
    for document in manifests.sound(options.files, options.recursive, session.io):
        kind = document.object.get("kind")
        if (
            not str(document.object.get("apiVersion")).startswith(f"{GROUP}/")
            or kind not in reconciling.KINDS
        ):
            continue  # as kubectl: what is neither is left alone
        try:
            target = selection.target_of(document.object, session, document.source)
            change, result = _one(options, document.object, target, session)
        except errors.MinikctlError as error:
            session.io.warn(report.sentence(error))
            failed = True
            continue
        printer = printing.printer(options, printing.named(target.title))
        suffix = changing.DRY_RUNS[options.dry_run]
        session.io.out.write(printer([result], False) if printer else f"{target.title} reconciled{suffix}\n")
        for line in reconciling.told(change, fewer=_fewer(options, kind)):
            session.io.warn(line)
    return 1 if failed else 0


def _fewer(options: ReconcileOptions, kind: str) -> bool:
    return options.fewer_subjects if kind in reconciling.BINDINGS else options.fewer_permissions


def _one(
    options: ReconcileOptions,
    wanted: dict[str, Any],
    target: Target,
    session: Session,
    attempts: int = ATTEMPTS,
) -> tuple[Change, dict[str, Any]]:
    """Return what was to be done, and the object as it is then."""
    current = _current(target, session)
    change = reconciling.change(current, wanted, fewer=_fewer(options, wanted["kind"]))
    if change.is_protected or not change.operation or options.dry_run == "client":
        return change, change.object
    try:
        return change, _done(change, current, target, options, session)
    except errors.StatusError as error:
        # Somebody made, changed or deleted it meanwhile: it is looked at again.
        if attempts <= 1 or error.reason not in ("AlreadyExists", "NotFound", "Conflict"):
            raise
        if (
            error.reason == "NotFound"
            and change.operation != reconciling.UPDATE
            and not _made(target, session)
        ):
            raise
        return _one(options, wanted, target, session, attempts - 1)


def _current(target: Target, session: Session) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = session.client.request("GET", target.path()).json()
    except errors.StatusError as error:
        if error.code != 404:
            raise
        return None
    return found


def _made(target: Target, session: Session) -> bool:
    """Make the object's namespace if that is what is missing; tell whether it was."""
    if not target.namespace:
        return False
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": target.namespace}}
    try:
        session.client.request("POST", "/api/v1/namespaces", body, query={"fieldManager": MANAGER})
    except errors.StatusError as error:
        return error.reason == "AlreadyExists"
    return True


def _done(
    change: Change,
    current: dict[str, Any] | None,
    target: Target,
    options: ReconcileOptions,
    session: Session,
) -> dict[str, Any]:
    if change.operation == reconciling.UPDATE:
        return _send("PUT", target.path(), change.object, options, session)
    if change.operation == reconciling.RECREATE and current is not None:
        if options.dry_run == "server":
            return change.object  # the old one stands in its way
        body = {"preconditions": {"uid": current["metadata"]["uid"]}}
        session.client.request("DELETE", target.path(), body)
    return _send("POST", target.collection.path(), change.object, options, session)


def _send(
    method: str, path: str, body: dict[str, Any], options: ReconcileOptions, session: Session
) -> dict[str, Any]:
    query = {"dryRun": "All" if options.dry_run == "server" else "", "fieldManager": MANAGER}
    result: dict[str, Any] = session.client.request(method, path, body, query=query).json()
    return result


COMMAND = Command(
    "Give roles and bindings the rules and subjects that files say.",
    ReconcileOptions,
    run,
    usage="-f FILENAME",
    examples=(
        ("Add what is missing", "minikctl auth reconcile -f roles.yaml"),
        (
            "Remove what is too much as well",
            "minikctl auth reconcile -f roles.yaml --remove-extra-subjects --remove-extra-permissions",
        ),
    ),
)
