"""The flags that every verb takes, and the settings that they fill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
import typer.main

from minikctl.cli.session import Io, Session


@dataclass
class Globals:
    """What was said before or after the verb; one per command line."""

    io: Io = field(default_factory=Io.standard)
    namespace: str = ""
    context: str = ""
    kubeconfig: str = ""
    cluster: str = ""
    server: str = ""
    token: str = ""
    request_timeout: str = ""
    verbosity: int = 0


def _template(
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="The namespace of this request.")] = "",
    context: Annotated[str, typer.Option("--context", help="The kubeconfig context to use.")] = "",
    kubeconfig: Annotated[str, typer.Option("--kubeconfig", help="The kubeconfig file to use.")] = "",
    cluster: Annotated[
        str, typer.Option("--cluster", help="The local cluster to use (or $MINIKCTL_CLUSTER).")
    ] = "",
    server: Annotated[str, typer.Option("--server", "-s", help="The address of the API server.")] = "",
    token: Annotated[str, typer.Option("--token", help="The bearer token to authenticate with.")] = "",
    request_timeout: Annotated[
        str, typer.Option("--request-timeout", help="How long to wait for one answer, such as 5s.")
    ] = "",
    verbosity: Annotated[int, typer.Option("--v", "-v", help="How much to tell; 9 shows traces.")] = 0,
) -> None:
    """Declare the global flags; never called."""


def add_global(command: Any) -> None:
    """Add the global flags to a command and to all commands below it."""
    taken = {declared for param in command.params for declared in param.opts}
    params = typer.main.get_command(single(_template)).params
    for param in params:
        if taken.intersection(param.opts):
            continue
        param.expose_value = False
        param.callback = _remember
        command.params.append(param)
    for child in getattr(command, "commands", {}).values():
        add_global(child)


def _remember(ctx: Any, param: Any, value: Any) -> Any:
    if value:
        setattr(ctx.find_root().obj, param.name, value)
    return value


def of(ctx: typer.Context) -> Session:
    """Return the session that the global flags describe."""
    settings: Globals = ctx.find_root().obj
    return Session(settings)


def app(**options: Any) -> typer.Typer:
    """Return a Typer application in the program's style."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **options)


def single(function: Callable[..., None], **options: Any) -> typer.Typer:
    """Return an application of one command."""
    made = app()
    made.command(**options)(function)
    return made
