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
    server: dict[str, Any] | None = None
    failure: errors.MinikctlError | None = None
    if session.is_local and not session.home.exists() and not options.client:
        from minikctl.cli import firstrun

        failure = firstrun.none_yet(session.home)
    elif not options.client:
        try:
            server = session.client.request("GET", "/version").json()
        except errors.MinikctlError as error:
            failure = error
    if options.output:
        _print(server, options.output, session)
    else:
        session.io.say(f"Client Version: v{minikctl.__version__}")
        if server:
            session.io.say(f"Server Version: {server['gitVersion']}")
    if failure is not None:
        raise failure
    return 0


def _print(server: dict[str, Any] | None, output: str, session: Session) -> None:
    from minikctl.cli.output import printers

    printer = printers.of(output, lambda _: "")
    assert printer is not None
    found = {"clientVersion": _client(), **({"serverVersion": server} if server else {})}
    session.io.say(printer([found], False).rstrip("\n") + ("\n" if output == "yaml" else ""))


def _client() -> dict[str, str]:
    import platform
    import sys

    major, minor = minikctl.__version__.split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{minikctl.__version__}",
        "compiler": f"{sys.implementation.name} {platform.python_version()}",
        "platform": f"{sys.platform}/{platform.machine()}",
    }


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
