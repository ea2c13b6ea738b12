"""The program: finds the verb, imports that verb's module alone, and reports what goes wrong.

Imports cost more than anything else that a command does, so what only some verbs need is not imported here.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import typer.main
from typer import _click as click
from typer.core import TyperGroup

from minikctl.cli import flags, report, session

COMMANDS = {
    "annotate": "metadata",
    "api-resources": "api_resources",
    "api-versions": "api_resources",
    "apply": "apply",
    "cluster": "cluster",
    "cluster-info": "cluster_info",
    "completion": "completion",
    "config": "config",
    "create": "create",
    "delete": "delete",
    "describe": "describe",
    "exec": "exec_",
    "expose": "create",
    "get": "get",
    "label": "metadata",
    "logs": "logs",
    "patch": "patch",
    "rollout": "rollout",
    "scale": "scale",
    "version": "version",
    "wait": "wait",
    "__complete": "completion",
}
"""Each verb and the module that has it; a module's ``VERBS`` maps the verb to its Typer application."""

HELP = """Kubernetes manifests on plain Docker containers.

Without --context or --kubeconfig every command speaks to the local cluster,
whose control plane starts by itself.

    minikctl apply -f manifests/        put manifests in, real containers appear
    minikctl get pods -A                see them
    minikctl cluster status             see the cluster itself
"""


class Root(TyperGroup):
    """The top-level command, which imports a verb's module when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs, without hidden ones."""
        return [name for name in COMMANDS if not name.startswith("_")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> Any:
        """Return the verb's command, None when there is none."""
        module = COMMANDS.get(cmd_name)
        return load(cmd_name, module) if module else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the verb and its arguments; an unknown verb is reported in kubectl's words."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise report.unknown_command(args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)


def load(verb: str, module: str) -> Any:
    """Return the command of one verb with the global flags added."""
    found = importlib.import_module(f"minikctl.cli.{module}").VERBS[verb]
    command = typer.main.get_command(found)
    command.name = verb
    flags.add_global(command)
    return command


def root() -> Root:
    """Return the program's command tree, verbs not yet loaded."""
    program = Root(name="minikctl", help=HELP, no_args_is_help=True, rich_markup_mode=None)
    flags.add_global(program)
    return program


def main(argv: list[str] | None = None) -> None:
    """Run the program with these arguments and end the process with its exit code."""
    sys.exit(run(sys.argv[1:] if argv is None else argv, session.Io.standard()))


def run(argv: list[str], io: session.Io) -> int:
    """Run one command line; return its exit code."""
    settings = flags.Globals(io=io)
    try:
        code = root().main(args=list(argv), prog_name="minikctl", standalone_mode=False, obj=settings)
        io.out.flush()
    except click.exceptions.ClickException as error:
        return report.usage(error, io)
    except Exception as error:  # noqa: BLE001 - the one place where every failure becomes text and a code
        return report.failure(error, io, settings.verbosity)
    except KeyboardInterrupt:
        return 130
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    main()
