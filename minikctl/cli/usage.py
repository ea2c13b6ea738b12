"""Help texts, laid out as kubectl's users know them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from minikctl.cli import catalog
from minikctl.cli.commands import Command
from minikctl.cli.flags import Flag
from minikctl.cli.settings import Settings

WIDTH = 96
INTRODUCTION = """minikctl runs Kubernetes manifests as plain Docker containers.

Without --context, --kubeconfig or --server every command speaks to the local cluster,
whose control plane starts by itself.  Begin with:

  minikctl apply -f app.yaml      put a manifest in; real containers appear
  minikctl get pods -A            see them
  minikctl cluster status         see the cluster itself
"""


def overview() -> str:
    """Return the help of the program itself."""
    parts = [INTRODUCTION]
    for group, verbs in catalog.GROUPS:
        parts.append(f"{group}:")
        parts += [f"  {verb:<15} {catalog.SUMMARIES[verb]}" for verb in verbs]
        parts.append("")
    parts.append("Usage:\n  minikctl [flags] [options]\n")
    parts.append('Use "minikctl <command> --help" for more information about a given command.')
    parts.append(
        'Use "minikctl options" for a list of global command-line options (applies to all commands).'
    )
    return "\n".join(parts) + "\n"


def of(path: list[str], command: Command) -> str:
    """Return the help of one command."""
    parts = [command.summary, ""]
    if command.examples:
        parts.append("Examples:")
        for sentence, line in command.examples:
            parts += [f"  # {sentence}", *(f"  {part}" for part in line.splitlines()), "  "]
        parts[-1] = ""
    if command.children:
        parts.append("Available Commands:")
        parts += [f"  {name:<15} {child.summary.splitlines()[0]}" for name, child in command.children.items()]
        parts.append("")
    if any(True for _ in _visible(command.options.FLAGS)):
        parts.append("Options:")
        parts += _flags(command.options.FLAGS)
    parts.append("Usage:")
    parts.append(f"  {' '.join(path)} {_usage(command)}".rstrip())
    parts.append("")
    parts.append(
        'Use "minikctl options" for a list of global command-line options (applies to all commands).'
    )
    return "\n".join(parts) + "\n"


def global_options() -> str:
    """Return the help of the flags that every command takes."""
    lines = ["The following options can be passed to any command:", "", *_flags(Settings.FLAGS)]
    return "\n".join(lines)


def _usage(command: Command) -> str:
    if command.children:
        return "SUBCOMMAND [options]"
    return f"{command.usage} [options]".strip()


def _visible(declared: Mapping[str, Flag]) -> Iterator[Flag]:
    for flag in declared.values():
        if flag.names and flag.names != ("--",) and not flag.hidden:
            yield flag


def _flags(declared: Mapping[str, Flag]) -> list[str]:
    lines: list[str] = []
    for flag in sorted(_visible(declared), key=lambda flag: flag.long):
        short = f"-{flag.short}, " if flag.short else ""
        lines.append(f"    {short}--{flag.long}={_default(flag)}:")
        lines += textwrap.wrap(flag.help, WIDTH, initial_indent="\t", subsequent_indent="\t")
        lines.append("")
    return lines


def _default(flag: Flag) -> str:
    if flag.kind == "list":
        return "[]"
    if flag.kind == "str":
        return f"'{flag.default}'"
    return str(flag.default).lower()
