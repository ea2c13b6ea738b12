"""``version``: the program's and the server's."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import minikctl
from minikctl import errors
from minikctl.cli import flags
from minikctl.cli.output import printers


class CommandOptions(Options):
    """What ``command`` was asked."""

    client: bool = flag("--client", default=False, help="Do not ask the server.")
    output: str = flag("--output", "-o", default="", help="yaml or json.")


def command(options: CommandOptions, session: Session) -> int:
    """Print the program's version and the server's."""
    if options.output not in ("", "yaml", "json"):
        raise errors.UsageError(f"error: --output must be 'yaml' or 'json', not {options.output!r}")
    found: dict[str, Any] = {"clientVersion": {"gitVersion": f"v{minikctl.__version__}"}}
    failure = None
    if not options.client:
        try:
            found["serverVersion"] = session.client.request("GET", "/version").json()
        except errors.MinikctlError as error:
            failure = error
    if options.output == "json":
        session.io.say(printers.to_json(found))
    elif options.output == "yaml":
        session.io.out.write(printers.to_yaml(found))
    else:
        session.io.say(f"Client Version: {found['clientVersion']['gitVersion']}")
        if "serverVersion" in found:
            session.io.say(f"Server Version: {found['serverVersion']['gitVersion']}")
    if failure is not None:
        raise failure
    return 0


# COMMAND command: "Print the program's version and the server's.\n\nExamples:  minikctl version     minikctl version --client -o json"


VERBS = {"version": flags.single(command)}
