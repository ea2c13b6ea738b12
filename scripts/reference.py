"""Writes docs/commands.md and docs/man/minikctl.1 from the commands' own declarations.

``--check`` writes nothing and fails when they are not as they would be written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from minikctl.cli import catalog, main
from minikctl.cli.commands import Command
from minikctl.cli.flags import Flag
from minikctl.cli.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
HEAD = """# Commands

Written by `scripts/reference.py` from what `minikctl COMMAND --help` shows; the flags that every
command takes are at the end.
"""


def walk(path: str, command: Command) -> Iterator[tuple[str, Command]]:
    """Yield each command that does something, with the words that call it."""
    if command.run is not None:
        yield path, command
    for name, child in command.children.items():
        yield from walk(f"{path} {name}", child)


def flags(command: type) -> list[Flag]:
    """Return the visible flags by name."""
    found = [f for f in command.FLAGS.values() if f.names and f.names != ("--",) and not f.hidden]  # type: ignore[attr-defined]
    return sorted(found, key=lambda flag: flag.long)


def value(flag: Flag) -> str:
    """Return how the flag's value stands in a list of flags."""
    if flag.kind == "bool":
        return ""
    return f"[={flag.bare}]" if flag.bare else "=" + {"int": "NUMBER", "list": "LIST"}.get(flag.kind, "TEXT")


def usage(path: str, command: Command) -> str:
    """Return the usage line."""
    rest = next((f.metavar for f in command.options.FLAGS.values() if not f.names), "")
    return f"minikctl {path} {command.usage or rest}".strip()


def markdown() -> str:
    """Return the reference as a page."""
    parts = [HEAD]
    for group, verbs in catalog.GROUPS:
        parts.append(f"## {group}\n")
        for verb in verbs:
            for path, command in walk(verb, main.load(verb)):
                parts.append(_entry(path, command))
    parts.append("## Flags of all commands\n\n" + "".join(_line(flag) for flag in flags(Settings)))
    return "\n".join(parts)


def _entry(path: str, command: Command) -> str:
    text = f"### {path}\n\n{command.summary}\n\n```\n{usage(path, command)}\n```\n"
    listed = flags(command.options)
    if listed:
        text += "\n" + "".join(_line(flag) for flag in listed)
    if command.examples:
        lines = "".join(f"# {sentence}\n{line}\n" for sentence, line in command.examples)
        text += f"\n```sh\n{lines}```\n"
    return text


def _line(flag: Flag) -> str:
    names = ", ".join(sorted(flag.names, key=lambda name: name.startswith("--")))
    return f"- `{names}{value(flag)}`: {flag.help}\n"


def manual() -> str:
    """Return the manual page, in roff."""
    lines = [
        '.TH MINIKCTL 1 "" "minikctl" "User Commands"',
        ".SH NAME",
        r"minikctl \- Kubernetes manifests as plain Docker containers",
        ".SH SYNOPSIS",
        r".B minikctl",
        r".I COMMAND",
        "[flags]",
        ".SH COMMANDS",
    ]
    for verb in sorted(catalog.SUMMARIES):
        for path, command in walk(verb, main.load(verb)):
            lines += [
                ".SS " + _roff(path),
                _roff(command.summary.splitlines()[0]),
                ".PP",
                ".B " + _roff(usage(path, command)),
            ]
            lines += [line for flag in flags(command.options) for line in _roff_flag(flag)]
            for sentence, example in command.examples:
                lines += [".PP", _roff(f"{sentence}:"), ".br", ".B " + _roff(example)]
    lines.append(".SH OPTIONS")
    lines += [line for flag in flags(Settings) for line in _roff_flag(flag)]
    lines += [
        ".SH ENVIRONMENT",
        *_pair("MINIKCTL_HOME", "Where the clusters' state is."),
        *_pair(
            "MINIKCTL_CLUSTER, MINIKCTL_CONTEXT, MINIKCTL_NAMESPACE", "What commands are about in this shell."
        ),
        *_pair("KUBECONFIG", "The files whose contexts --context names."),
        *_pair("KUBE_EDITOR, EDITOR", "The editor of edit."),
        *_pair("NO_COLOR", "No colours, if it is set."),
    ]
    return "\n".join(lines) + "\n"


def _pair(name: str, text: str) -> list[str]:
    return [".TP", f".B {_roff(name)}", _roff(text)]


def _roff_flag(flag: Flag) -> list[str]:
    names = ", ".join(sorted(flag.names, key=lambda name: name.startswith("--")))
    return _pair(f"{names}{value(flag)}", flag.help)


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", r"\-").replace("\n", " ")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def run() -> int:
    """Write or check both files; return the exit code."""
    wanted = {ROOT / "docs" / "commands.md": markdown(), ROOT / "docs" / "man" / "minikctl.1": manual()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what scripts/reference.py writes")
        return 1 if stale else 0
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(run())
