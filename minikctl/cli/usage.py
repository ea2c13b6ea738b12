"""Help texts: each command's own declaration, laid out by Typer and Rich, which only this module loads."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import typer
from rich.markup import escape

from minikctl.cli import catalog
from minikctl.cli.commands import Command
from minikctl.cli.flags import Flag
from minikctl.cli.session import Io
from minikctl.cli.settings import Settings

INTRODUCTION = """Kubernetes manifests as plain Docker containers.

Without --context, --kubeconfig or --server every command speaks to the local cluster, whose control plane \
starts by itself.  Begin with:

[cyan]minikctl apply -f app.yaml[/cyan]   put a manifest in; real containers appear

[cyan]minikctl get pods -A[/cyan]         see them

[cyan]minikctl cluster status[/cyan]      see the cluster itself"""

CLOSING = 'Use "minikctl COMMAND --help" for more about a command, "minikctl options" for the flags of all commands.'

_TYPES: Mapping[str, Any] = {"bool": bool, "int": int, "str": str, "list": list[str]}
_VALUES = {"int": "INT", "str": "TEXT", "list": "TEXT"}


def overview(io: Io) -> None:
    """Write the help of the program itself."""
    app = _app(help=INTRODUCTION, epilog=CLOSING)
    for group, verbs in catalog.GROUPS:
        for verb in verbs:
            app.command(verb, help=catalog.SUMMARIES[verb], rich_help_panel=group)(_nothing)
    _write(app, "minikctl", io)


def of(path: list[str], command: Command, io: Io) -> None:
    """Write the help of one command."""
    app = _app(help=command.summary, epilog=_epilog(command))
    if command.children:
        for name, child in command.children.items():
            app.command(name, help=child.summary)(_nothing)
    else:
        function = _function(_visible(command.options.FLAGS))
        app.command(help=command.summary, epilog=_epilog(command))(function)
    _write(app, " ".join(path), io, command.usage)


def global_options(io: Io) -> None:
    """Write the help of the flags that every command takes."""
    app = _app()
    app.command(help="The flags that every command takes.")(_function(_visible(Settings.FLAGS)))
    _write(app, "minikctl COMMAND", io)


def _app(**options: Any) -> typer.Typer:
    return typer.Typer(add_completion=False, rich_markup_mode="rich", **options)


def _nothing() -> None:
    """Stand for a command in a list of commands."""


def _visible(declared: Mapping[str, Flag]) -> list[Flag]:
    return sorted(
        (flag for flag in declared.values() if flag.names and flag.names != ("--",) and not flag.hidden),
        key=lambda flag: flag.long,
    )


def _function(flags: list[Flag]) -> Callable[..., None]:
    """Return a function whose signature tells Typer what the declarations tell our parser."""
    parameters = []
    for flag in flags:
        default = list(flag.default) if flag.kind == "list" else flag.default  # type: ignore[call-overload]
        option = typer.Option(
            default,
            *flag.names,
            help=escape(flag.help),
            show_default=bool(flag.default),
            metavar=flag.metavar or _VALUES.get(flag.kind),
        )
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter(flag.dest, kind, default=option, annotation=_TYPES[flag.kind]))

    def function(**_: Any) -> None:
        """Never called: the help is all that is asked."""

    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return function


def _epilog(command: Command) -> str:
    lines = ["[bold]Examples[/bold]"] if command.examples else []
    for sentence, line in command.examples:
        lines += [f"[dim]# {escape(sentence)}[/dim]", f"[cyan]{escape(line)}[/cyan]"]
    return "\n\n".join([*lines, 'Use "minikctl options" for the flags that every command takes.'])


def _write(app: typer.Typer, name: str, io: Io, usage: str = "") -> None:
    command: Any = typer.main.get_command(app)
    if usage:
        command.collect_usage_pieces = lambda _: [usage, "[OPTIONS]"]
    with contextlib.redirect_stdout(io.out):
        command.main(args=["--help"], prog_name=name, standalone_mode=False)
