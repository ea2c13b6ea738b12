"""``certificate``: approve or deny requests for certificates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from minikctl import errors
from minikctl.cli import filing, manifests, printing, report, selection
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

RETRIES = 10


class CertificateOptions(printing.Printing, filing.Filing):
    """What ``certificate approve`` and ``deny`` were asked."""

    names: tuple[str, ...] = rest("NAME", default=(), complete="names:certificatesigningrequests")
    force: bool = flag("--force", default=False, help="Also if it has been decided so already.")


class _Decision(NamedTuple):
    """What is decided, what it excludes, what is printed of it, and the words in the condition."""

    condition: str
    other: str
    said: str
    reason: str
    message: str


APPROVAL = _Decision(
    "Approved",
    "Denied",
    "approved",
    "KubectlApprove",
    "This CSR was approved by kubectl certificate approve.",
)
DENIAL = _Decision(
    "Denied", "Approved", "denied", "KubectlDeny", "This CSR was denied by kubectl certificate deny."
)


def _approve(options: CertificateOptions, session: Session) -> int:
    return _decide_all(APPROVAL, options, session)


def _deny(options: CertificateOptions, session: Session) -> int:
    return _decide_all(DENIAL, options, session)


def _decide_all(decision: _Decision, options: CertificateOptions, session: Session) -> int:
    """Decide every request that is meant; return the exit code."""
    if not options.names and not options.files:
        raise errors.UsageError("error: one or more CSRs must be specified as <name> or -f <filename>")
    if options.kustomize:
        _check_alone(options.names)
    printing.printer(options, printing.named(""))  # refuses a format that is none
    failed = False
    for target in _targets(options, session):
        try:
            result, word = _decide(decision, options, target, session)
        except errors.MinikctlError as error:
            session.io.warn(report.sentence(error))
            failed = True
            continue
        printer = printing.printer(options, printing.named(target.title))
        session.io.out.write(printer([result], False) if printer else f"{target.title} {word}\n")
    return 1 if failed else 0


def _decide(
    decision: _Decision, options: CertificateOptions, target: Target, session: Session
) -> tuple[dict[str, Any], str]:
    for attempt in range(RETRIES):
        current: dict[str, Any] = session.client.request("GET", target.path()).json()
        types = [one["type"] for one in (current.get("status") or {}).get("conditions") or ()]
        if decision.other in types:
            raise errors.UsageError(
                f'error: certificate signing request "{target.name}" is already {decision.other}'
            )
        if decision.condition in types and not options.force:
            break
        try:
            query = {"fieldManager": "kubectl"}
            body = _decided(decision, current)
            current = session.client.request("PUT", target.path("approval"), body, query=query).json()
            break
        except errors.StatusError as error:
            if error.reason != "Conflict" or attempt == RETRIES - 1:
                raise
    return current, decision.said


def _decided(decision: _Decision, current: dict[str, Any]) -> dict[str, Any]:
    status = current.get("status") or {}
    fresh = {
        "type": decision.condition,
        "status": "True",
        "reason": decision.reason,
        "message": decision.message,
        "lastUpdateTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    others = [one for one in status.get("conditions") or () if one["type"] != decision.condition]
    return {**current, "status": {**status, "conditions": [*others, fresh]}}


def _check_alone(names: tuple[str, ...]) -> None:
    if names:
        raise errors.UsageError("error: resource/name arguments cannot be provided when a path is specified")


def _targets(options: CertificateOptions, session: Session) -> list[Target]:
    if options.files:
        documents = manifests.sound(options.files, options.recursive, session.io)
        _check_alone(options.names)
        return [selection.target_of(document.object, session, document.source) for document in documents]
    resource = session.discovery.find("certificatesigningrequests")
    return [selection.Target(resource, name) for name in options.names]


COMMANDS = {
    "certificate": Command(
        "Approve or deny requests for certificates.",
        children={
            "approve": Command(
                "Approve requests, so that their signer signs them.",
                CertificateOptions,
                _approve,
                usage="(-f FILENAME | NAME)",
                examples=(
                    ("Approve one", "minikctl certificate approve csr-sqgzp"),
                    ("Approve what a file names", "minikctl certificate approve -f csr.yaml"),
                ),
            ),
            "deny": Command(
                "Deny requests: nothing is signed.",
                CertificateOptions,
                _deny,
                usage="(-f FILENAME | NAME)",
                examples=(
                    ("Deny one", "minikctl certificate deny csr-sqgzp"),
                    ("Deny what a file names", "minikctl certificate deny -f csr.yaml"),
                ),
            ),
        },
    )
}
