"""``version``: the program's and the server's."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import minikctl
from minikctl import errors
from minikctl.cli import flags
from minikctl.cli.output import printers


def command(
    ctx: typer.Context,
    client: Annotated[bool, typer.Option("--client", help="Do not ask the server.")] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="yaml or json.")] = "",
) -> None:
    """Print the program's version and the server's.

    Examples:  minikctl version     minikctl version --client -o json
    """
    session = flags.of(ctx)
    if output not in ("", "yaml", "json"):
        raise errors.UsageError(f"error: --output must be 'yaml' or 'json', not {output!r}")
    found: dict[str, Any] = {"clientVersion": {"gitVersion": f"v{minikctl.__version__}"}}
    failure = None
    if not client:
        try:
            found["serverVersion"] = session.client.request("GET", "/version").json()
        except errors.MinikctlError as error:
            failure = error
    if output == "json":
        session.io.say(printers.to_json(found))
    elif output == "yaml":
        session.io.out.write(printers.to_yaml(found))
    else:
        session.io.say(f"Client Version: {found['clientVersion']['gitVersion']}")
        if "serverVersion" in found:
            session.io.say(f"Server Version: {found['serverVersion']['gitVersion']}")
    if failure is not None:
        raise failure
    raise typer.Exit(0)


VERBS = {"version": flags.single(command)}
