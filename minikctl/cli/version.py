"""``version``: the program's and the server's; ``options``: the flags that every command takes."""

from __future__ import annotations

import minikctl
from minikctl import errors
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session


class VersionOptions(Options):
    """What ``version`` was asked."""

    client: bool = flag("--client", default=False, help="Do not ask the server.")
    output: str = flag("--output", "-o", default="", help="yaml or json.", complete="yaml json")


def run(options: VersionOptions, session: Session) -> int:
    """Print the versions; return the exit code."""
    if options.output not in ("", "yaml", "json"):
        raise errors.UsageError("error: --output must be 'yaml' or 'json'")
    found: dict[str, Any] = {"clientVersion": {"gitVersion": f"v{minikctl.__version__}"}}
    failure = None
    if not options.client:
        try:
            found["serverVersion"] = session.client.request("GET", "/version").json()
        except errors.MinikctlError as error:
            failure = error
    _print(found, options.output, session)
    if failure is not None:
        raise failure
    return 0


def _print(found: dict[str, Any], output: str, session: Session) -> None:
    if output:
        from minikctl.cli.output import printers

        printer = printers.of(output, lambda _: "")
        assert printer is not None
        session.io.out.write(printer([found], False))
        return
    session.io.say(f"Client Version: {found['clientVersion']['gitVersion']}")
    if "serverVersion" in found:
        session.io.say(f"Server Version: {found['serverVersion']['gitVersion']}")


def options(_: Options, session: Session) -> int:
    """Print the flags that every command takes; return the exit code."""
    from minikctl.cli import usage

    usage.global_options(session.io)
    return 0


COMMANDS = {
    "version": Command(
        "Print the client's and the server's version.",
        VersionOptions,
        run,
        examples=(
            ("Print both", "minikctl version"),
            ("Only the client's, for a program", "minikctl version --client -o json"),
        ),
    ),
    "options": Command(
        "Print the flags that every command takes.",
        run=options,
        examples=(
            ("Print them", "minikctl options"),
            ("Find one", "minikctl options | grep -A1 context"),
        ),
    ),
}
