"""``replace``: put objects from files in the place of those that are there."""

from __future__ import annotations

import time

from minikctl import errors
from minikctl.cli import changing, filing, lastapplied, manifests, raw, refusals, report, selection, timespan
from minikctl.cli.commands import Command
from minikctl.cli.flags import BadArguments, flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.manifests import Document
    from minikctl.cli.session import Session

SUBRESOURCES = ("status", "scale")
FORCE_SECONDS = 300.0


class ReplaceOptions(changing.Reported, filing.Filing):
    """What ``replace`` was asked."""

    cascade: str = flag(
        "--cascade",
        default="background",
        bare="background",
        help="With --force, what becomes of what the object owns: background, foreground or orphan.",
        complete="background foreground orphan",
    )
    wait: bool = flag(
        "--wait", default=False, help="With --force, as always: wait until the old one is gone."
    )
    force: bool = flag("--force", default=False, help="Delete and make anew what cannot be changed.")
    grace_period: int = flag("--grace-period", default=-1, help="With --force: seconds to end in.")
    timeout: str = flag(
        "--timeout", default="0s", duration=True, help="With --force: how long to wait for the end."
    )
    subresource: str = flag("--subresource", default="", help="status or scale.", complete="status scale")
    raw: str = flag("--raw", default="", help="Put the file to this path of the server.")
    save_config: bool = flag("--save-config", default=False, help="Remember the configuration for apply.")
    validate: str = flag(
        "--validate",
        default="strict",
        bare="strict",
        help="strict, warn or ignore.",
        complete="strict warn ignore",
    )
    words: tuple[str, ...] = rest(default=())


def run(options: ReplaceOptions, session: Session) -> int:
    """Replace each object; one that fails does not stop the others.  Return the exit code."""
    _check(options)
    if options.raw:
        return _raw(options, session)
    failed = found = False
    for document in manifests.read(options.files, options.recursive, session.io.stdin):
        if isinstance(document, manifests.BadDocument):
            session.io.warn(refusals.of_bad_document(document, options.validate))
            failed = True
            continue
        found = True
        try:
            _replace(options, document, session)
        except errors.StatusError as error:
            context = "" if options.force else f'error when replacing "{document.source}"'
            session.io.warn(report.status_sentence(error, context))
            failed = True
        except errors.UsageError as error:
            session.io.warn(refusals.of_document(error, document))
            failed = True
    if options.force and not found and not failed:
        raise errors.UsageError("error: no objects passed to replace")
    return 1 if failed else 0


def _check(options: ReplaceOptions) -> None:
    changing.check_dry_run(options.dry_run)
    if not options.files:
        raise errors.UsageError("error: must specify one of -f and -k")
    if options.words:
        raise BadArguments(f"Unexpected args: [{' '.join(options.words)}]")
    changing.check_cascade(options.cascade)
    changing.check_validation(options.validate)
    if options.force and options.dry_run != "none":
        raise errors.UsageError("error: --dry-run can not be used when --force is set")
    if options.grace_period >= 0 and not options.force:
        raise errors.UsageError("error: --grace-period must have --force specified")
    if timespan.seconds(options.timeout) and not options.force:
        raise errors.UsageError("error: --timeout must have --force specified")
    if options.subresource and options.subresource not in SUBRESOURCES:
        raise errors.UsageError(
            f'error: invalid subresource value: "{options.subresource}". Must be one of [status scale]'
        )


def _raw(options: ReplaceOptions, session: Session) -> int:
    if len(options.files) != 1:
        raise BadArguments("--raw can only use a single local file or stdin")
    if options.files[0] == "-":
        body = session.io.stdin.read().encode()
    else:
        with open(options.files[0], "rb") as source:
            body = source.read()
    answer = session.client.request(
        "PUT", raw.path(options.raw), body, headers={"Content-Type": "application/json"}
    )
    session.io.out.write(answer.body.decode())
    return 0


def _replace(options: ReplaceOptions, document: Document, session: Session) -> None:
    target = selection.target_of(document.object, session, document.source, nameless=True)
    if not target.name:
        words = selection.NAMELESS.removeprefix("error: ")
        raise errors.UsageError(f'error: error when replacing "{document.source}": {words}')
    obj = selection.placed(document.object, target)
    if options.save_config:
        obj = lastapplied.annotated(obj)
    result: dict[str, Any] = obj
    if options.dry_run != "client":
        query = {
            "fieldManager": options.manager or "kubectl-replace",
            "fieldValidation": {"warn": "Warn", "ignore": "Ignore", "false": "Ignore"}.get(
                options.validate, "Strict"
            ),
            "dryRun": "All" if options.dry_run == "server" else "",
        }
        if options.force and options.dry_run == "none":
            _remove(options, target, session)
            path, method = target.collection.path(), "POST"
        else:
            path, method = target.path(options.subresource), "PUT"
        result = session.client.request(method, path, obj, query=query).json()
    changing.tell(options, target, result, "replaced", session)


def _remove(options: ReplaceOptions, target: selection.Target, session: Session) -> None:
    """Delete the object, if it is there, and wait for its end."""
    from minikctl.cli import delete

    policy = changing.CASCADES[options.cascade]
    body: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy}
    if options.grace_period >= 0:
        body["gracePeriodSeconds"] = max(1, options.grace_period)
    try:
        answer = session.client.request("DELETE", target.path(), body).json()
    except errors.StatusError as error:
        if error.code == 404:
            return
        raise
    details = answer.get("details") or answer.get("metadata") or {}
    session.io.say(f'{target.resource.title} "{target.name}" deleted{_place(target)}')
    deadline = time.monotonic() + (timespan.seconds(options.timeout) or FORCE_SECONDS)
    if not delete.gone(target, str(details.get("uid", "")), deadline, session):
        raise errors.UsageError("error: timed out waiting for the condition")


def _place(target: selection.Target) -> str:
    return f" from {target.namespace} namespace" if target.namespace else ""


COMMANDS = {
    "replace": Command(
        "Put objects from files in the place of those that are there.",
        ReplaceOptions,
        run,
        usage="-f FILENAME",
        examples=(
            ("Replace an object", "minikctl replace -f pod.json"),
            ("Delete and make it anew", "minikctl replace --force -f pod.json"),
        ),
    )
}
