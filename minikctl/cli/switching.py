"""``ctx`` and ``ns``: which cluster and namespace commands are about, for this shell or for good."""

from __future__ import annotations

import os
import shlex

from minikctl import errors
from minikctl.cli import config_edit, flags
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest
from minikctl.client import home, kubeconfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from minikctl.cli.session import Session

LOCAL = "local/"
"""Before the name of a local cluster, as opposed to a context of the user's kubeconfig."""


class ContextOptions(Options):
    """What ``ctx`` was asked."""

    names: tuple[str, ...] = rest("[NAME]", default=(), complete="switchable")
    shell: bool = flag("--shell", default=False, help="Print what switches this shell alone, for eval.")


def ctx(options: ContextOptions, session: Session) -> int:
    """List clusters and contexts, or switch; return the exit code."""
    clusters, contexts = home.list_clusters(), _contexts()
    if not options.names:
        current = session.context or f"{LOCAL}{session.home.name}"
        for name in [*(f"{LOCAL}{cluster}" for cluster in clusters), *contexts]:
            session.io.say(f"{'*' if name == current else ' '} {name}")
        return 0
    name = flags.one(options.names, "NAME")
    cluster = name.removeprefix(LOCAL)
    chosen = {"cluster": cluster, "context": ""}
    if not (name.startswith(LOCAL) or cluster in clusters):
        if name not in contexts:
            known = ", ".join([*(f"{LOCAL}{each}" for each in clusters), *contexts])
            raise errors.UsageError(f'error: there is no cluster or context "{name}"; there are: {known}')
        chosen = {"cluster": "", "context": name}
    elif cluster not in clusters:
        raise errors.UsageError(f'error: there is no local cluster "{cluster}"')
    if options.shell:
        session.io.say(
            _exports({"MINIKCTL_CLUSTER": chosen["cluster"], "MINIKCTL_CONTEXT": chosen["context"]})
        )
        return 0
    home.choose(chosen["cluster"], chosen["context"])
    session.io.say(f'Switched to "{name}".')
    if os.environ.get("MINIKCTL_CLUSTER") or os.environ.get("MINIKCTL_CONTEXT"):
        session.io.warn(
            "hint: $MINIKCTL_CLUSTER and $MINIKCTL_CONTEXT are stronger, and this shell has one of them"
        )
    return 0


def _contexts() -> list[str]:
    try:
        return [entry["name"] for entry in kubeconfig.load_merged(kubeconfig.default_paths())["contexts"]]
    except errors.UsageError:
        return []


def _exports(variables: dict[str, str]) -> str:
    lines = [
        f"export {name}={shlex.quote(value)}" if value else f"unset {name}"
        for name, value in variables.items()
    ]
    return "\n".join(lines)


class NamespaceOptions(Options):
    """What ``ns`` was asked."""

    names: tuple[str, ...] = rest("[NAME]", default=(), complete="namespaces")
    shell: bool = flag("--shell", default=False, help="Print what switches this shell alone, for eval.")


def ns(options: NamespaceOptions, session: Session) -> int:
    """List namespaces, or switch; return the exit code."""
    if not options.names:
        for each in session.client.request("GET", "/api/v1/namespaces").json().get("items") or ():
            name = each["metadata"]["name"]
            session.io.say(f"{'*' if name == session.namespace else ' '} {name}")
        return 0
    name = flags.one(options.names, "NAME")
    session.client.request("GET", f"/api/v1/namespaces/{name}")  # one that is not there is a slip
    if options.shell:
        session.io.say(_exports({"MINIKCTL_NAMESPACE": name}))
        return 0
    path = config_edit.path_of(session)
    config = kubeconfig.read(path)
    context = session.context or config.get("current-context") or ""
    if not context:
        raise errors.UsageError("error: current-context is not set")
    kubeconfig.write(path, config_edit.changed(config, "contexts", context, {"namespace": name}))
    session.io.say(f'Namespace "{name}" is the one of context "{context}" now.')
    if os.environ.get("MINIKCTL_NAMESPACE"):
        session.io.warn("hint: $MINIKCTL_NAMESPACE is stronger, and this shell has it")
    return 0


COMMANDS = {
    "ctx": Command(
        "List clusters and contexts, or switch to one: for good, or for this shell.",
        ContextOptions,
        ctx,
        usage="[NAME]",
        examples=(
            ("Switch to a local cluster", "minikctl ctx local/lab"),
            ("In this shell alone", 'eval "$(minikctl ctx --shell local/lab)"'),
        ),
    ),
    "ns": Command(
        "List namespaces, or switch to one: for good, or for this shell.",
        NamespaceOptions,
        ns,
        usage="[NAME]",
        examples=(
            ("Switch", "minikctl ns tour"),
            ("In this shell alone", 'eval "$(minikctl ns --shell tour)"'),
        ),
    ),
}
