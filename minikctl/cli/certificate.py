"""``certificate``: approve or deny requests for certificates."""

from __future__ import annotations

from datetime import UTC, datetime

from minikctl import errors
from minikctl.cli import filing, manifests, printing, report, selection
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

RETRIES = 10


class CertificateOptions(printing.Printing, filing.Filing):
    """What ``certificate approve`` and ``deny`` were asked."""

    names: tuple[str, ...] = rest("NAME", default=(), complete="certificatesigningrequests")
    force: bool = flag("--force", default=False, help="Also if it has been decided so already.")


def _deciding(
    condition: str, other: str, said: str, message: str
) -> Callable[[CertificateOptions, Session], int]:
    reason = f"Kubectl{condition.replace('Approved', 'Approve').replace('Denied', 'Deny')}"

    def run(options: CertificateOptions, session: Session) -> int:
        """Decide every request that is meant; return the exit code."""
        if not options.names and not options.files:
            raise errors.UsageError("error: one or more CSRs must be specified as <name> or -f <filename>")
        failed = False
        for target in _targets(options, session):
            try:
                result, word = _decide(options, target, session)
            except errors.MinikctlError as error:
                session.io.warn(report.sentence(error))
                failed = True
                continue
            printer = printing.printer(options, printing.named(target.title))
            session.io.out.write(printer([result], False) if printer else f"{target.title} {word}\n")
        return 1 if failed else 0

    def _decide(options: CertificateOptions, target: Target, session: Session) -> tuple[dict[str, Any], str]:
        for attempt in range(RETRIES):
            current: dict[str, Any] = session.client.request("GET", target.path()).json()
            conditions = list((current.get("status") or {}).get("conditions") or ())
            types = [one["type"] for one in conditions]
            if other in types:
                raise errors.UsageError(
                    f"error: certificate signing request {target.name!r} is already {other}".replace("'", '"')
                )
            if condition in types and not options.force:
                return current, said
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            fresh = {
                "type": condition,
                "status": "True",
                "reason": reason,
                "message": message,
                "lastUpdateTime": now,
            }
            conditions = [one for one in conditions if one["type"] != condition]
            body = {
                **current,
                "status": {**(current.get("status") or {}), "conditions": [*conditions, fresh]},
            }
            try:
                query = {"fieldManager": "kubectl-certificate"}
                answer = session.client.request("PUT", target.path("approval"), body, query=query)
            except errors.StatusError as error:
                if error.reason != "Conflict" or attempt == RETRIES - 1:
                    raise
            else:
                return answer.json(), said
        raise AssertionError("the last attempt returns or raises")

    return run


def _targets(options: CertificateOptions, session: Session) -> list[Target]:
    if options.files:
        documents = manifests.sound(options.files, options.recursive, session.io)
        return [selection.target_of(document.object, session) for document in documents]
    resource = session.discovery.find("certificatesigningrequests")
    return [selection.Target(resource, name) for name in options.names]


COMMANDS = {
    "certificate": Command(
        "Approve or deny requests for certificates.",
        children={
            "approve": Command(
                "Approve requests, so that their signer signs them.",
                CertificateOptions,
                _deciding(
                    "Approved", "Denied", "approved", "This CSR was approved by kubectl certificate approve."
                ),
                usage="(-f FILENAME | NAME)",
                examples=(
                    ("Approve one", "minikctl certificate approve csr-sqgzp"),
                    ("Approve what a file names", "minikctl certificate approve -f csr.yaml"),
                ),
            ),
            "deny": Command(
                "Deny requests: nothing is signed.",
                CertificateOptions,
                _deciding("Denied", "Approved", "denied", "This CSR was denied by kubectl certificate deny."),
                usage="(-f FILENAME | NAME)",
                examples=(
                    ("Deny one", "minikctl certificate deny csr-sqgzp"),
                    ("Deny what a file names", "minikctl certificate deny -f csr.yaml"),
                ),
            ),
        },
    )
}
