"""kubectl's commands and flags are here, or on a list with a reason: asked of the stock program itself."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from minikctl.cli import catalog, flags, main
from minikctl.cli.commands import Command
from minikctl.cli.settings import Settings
from tests.cli.conftest import KUBECTL, call

NO_WAIT = "pods are asked for what they have written by now"
ABSENT = {
    "alpha": "kubectl's own experiments",
}
"""Commands that are not there, and why."""

EVERYWHERE = {
    "--windows-line-endings": "editors on Windows: the program runs on POSIX systems",
    "--use-protocol-buffers": "measurements are read as JSON",
    "--openapi-patch": "merge keys are always known: from the kinds' own schemas",
}
"""Flags that no command has, and why."""

FLAGS: dict[str, dict[str, str]] = {
    "config set-credentials": {
        "--auth-provider": "removed from clients in Kubernetes 1.26",
        "--auth-provider-arg": "removed from clients in Kubernetes 1.26",
    },
    "config set-context": {
        "--cluster": "the flag of all commands: with --kubeconfig it is the context's cluster"
    },
    "run": {
        **dict.fromkeys(
            ("--cascade", "--force", "--grace-period", "--timeout", "--wait"), "--rm deletes as by default"
        ),
        **dict.fromkeys(
            ("--recursive", "-R", "--kustomize", "-k"), "no effect in kubectl: run takes no files"
        ),
    },
    "get": {"--server-print": "tables are always the server's; -o chooses others"},
    "apply edit-last-applied": {"--validate": "what is edited is no object of the server"},
    "taint": {"--validate": "there is no manifest to validate"},
    "cluster-info dump": {"--pod-running-timeout": NO_WAIT},
    "proxy": {"--keepalive": "the system's own"},
    "api-resources": {"--show-managed-fields": "what is printed is no object"},
    "config view": {"--merge": "files are always merged, as by default"},
}
"""Flags that a command does not have, and why."""

GLOBAL = {
    "--log-flush-frequency": "log lines are written at once",
    "--vmodule": "log levels of kubectl's own source files",
    "--profile": "profiling of the Go runtime",
    "--profile-output": "profiling of the Go runtime",
    "--proxy-url": "requests go to the server directly",
    "--disable-compression": "answers are never asked for compressed",
}
"""Flags of all commands that are not there, and why."""


ALIKE = {
    "apply": {"--applyset": "kubectl has it, with KUBECTL_APPLYSET=true"},
    "autoscale": {"--cpu-percent": "kubectl has it, deprecated and not shown"},
    "delete": {"--confirm": "another name of --interactive"},
    "explain": {"-r": "short for --recursive"},
}
"""Flags that kubectl does not show, of commands that it has, and whose help says nothing of that."""


def _help(*words: str) -> str:
    done = subprocess.run([KUBECTL, *words], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout


def _flags(text: str) -> set[str]:
    found = re.findall(r"^    (?:(-\w), |    )?(--[\w-]+)(?:=[^:]*)?:", text, re.M)
    return {name for pair in found for name in pair if name}


def _children(text: str) -> list[str]:
    blocks = re.findall(r"^[A-Z][^\n]*Commands[^\n]*:\n((?:  [a-z][^\n]*\n)+)", text, re.M)
    return [name for block in blocks for name in re.findall(r"^  ([a-z][\w-]*)", block, re.M)]


@pytest.fixture(scope="module")
def theirs() -> dict[str, set[str]]:
    """Return kubectl's commands with their flags."""
    found: dict[str, set[str]] = {}
    waiting = [[name] for name in _children(_help("--help"))]
    with ThreadPoolExecutor(4) as pool:
        while waiting:
            texts = list(pool.map(lambda path: _help(*path, "--help"), waiting))
            found |= {" ".join(path): _flags(text) for path, text in zip(waiting, texts, strict=True)}
            waiting = [
                [*path, name] for path, text in zip(waiting, texts, strict=True) for name in _children(text)
            ]
    return found


@pytest.fixture(scope="module")
def ours() -> dict[str, set[str]]:
    """Return minikctl's commands with their flags."""
    found: dict[str, set[str]] = {}

    def learn(path: str, command: Command) -> None:
        found[path] = _names(command.options.FLAGS) | _names(Settings.FLAGS)
        for name, child in command.children.items():
            learn(f"{path} {name}", child)
        for alias, name in command.aliases.items():
            if name in command.children:
                learn(f"{path} {alias}", command.children[name])

    for verb in catalog.SUMMARIES:
        learn(verb, main.load(verb))
    return found


def _names(declared: Mapping[str, Any]) -> set[str]:
    return {name for flag in declared.values() for name in flag.names}


def test_every_command_of_kubectl_is_there(theirs: dict[str, set[str]], ours: dict[str, set[str]]) -> None:
    assert len(theirs) > 90
    assert set(theirs) - set(ours) - set(ABSENT) == set()
    assert {name for name in ABSENT if name in ours} == set(), "no longer absent"


def test_every_flag_of_kubectl_is_there(theirs: dict[str, set[str]], ours: dict[str, set[str]]) -> None:
    missing = {
        name: sorted(flags - ours[name] - set(EVERYWHERE) - set(FLAGS.get(name, {})))
        for name, flags in theirs.items()
        if name in ours
    }
    assert {name: flags for name, flags in missing.items() if flags} == {}


def test_no_flag_on_the_list_is_there(theirs: dict[str, set[str]], ours: dict[str, set[str]]) -> None:
    """A reason that is no longer true is no reason."""
    there = {name: sorted(set(flags) & ours[name] - _names(Settings.FLAGS)) for name, flags in FLAGS.items()}
    assert {name: flags for name, flags in there.items() if flags} == {}
    gone = {name: sorted(set(flags) - theirs[name]) for name, flags in FLAGS.items()}
    assert {name: flags for name, flags in gone.items() if flags} == {}


def test_every_flag_of_all_commands_is_there() -> None:
    assert _flags(_help("options")) - _names(Settings.FLAGS) - set(GLOBAL) == set()


def test_a_flag_that_kubectl_has_not_says_so(theirs: dict[str, set[str]], ours: dict[str, set[str]]) -> None:
    """Whatever else kubectl refuses is refused here, too."""
    common = _flags(_help("options")) | _names(Settings.FLAGS) | {"--"}
    further = {
        name: {flag for flag in flags - theirs[name] - common if flag not in ALIKE.get(name, {})}
        for name, flags in ours.items()
        if name in theirs
    }
    told = {name: _own(name) for name in ours if name in theirs and _own(name)}
    assert {name: flags for name, flags in further.items() if flags} == told
    assert all(flags.OWN in _flat(_help_of(name)) for name in told)


def _own(name: str) -> set[str]:
    """Return the flags of a command that say that they are not in kubectl."""
    _, command, _ = _found(name)
    return {each for flag in command.options.FLAGS.values() if flag.own for each in flag.names}


def _found(name: str) -> tuple[list[str], Command, list[str]]:
    found = main.find(name.split())
    assert found is not None
    return found


def _help_of(name: str) -> str:
    """Return what ``--help`` prints."""
    return call(*name.split(), "--help").out


def _flat(text: str) -> str:
    """Return the text without the frame that it is in."""
    return " ".join(text.replace("│", " ").split())


def test_a_name_is_one_flag_of_its_command() -> None:
    """Of two flags of one name the second would be taken and never heard of."""

    def twice(path: str, command: Command) -> list[str]:
        names = [name for flag in command.options.FLAGS.values() for name in flag.names if name != "--"]
        found = [f"{path} {name}" for name in set(names) if names.count(name) > 1]
        return found + [
            each for name, child in command.children.items() for each in twice(f"{path} {name}", child)
        ]

    assert [each for verb in catalog.SUMMARIES for each in twice(verb, main.load(verb))] == []
