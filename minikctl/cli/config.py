"""``config``: look at and change the kubeconfig in use: the local cluster's own, or --kubeconfig's."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from minikctl import errors
from minikctl.cli import flags
from minikctl.cli.output import printers, table
from minikctl.cli.session import Session
from minikctl.client import kubeconfig, launcher

app = flags.app(help="Look at and change the kubeconfig in use.", no_args_is_help=True)
VERBS = {"config": app}

REDACTED = {"token": "REDACTED", "client-key-data": "DATA+OMITTED", "client-certificate-data": "DATA+OMITTED"}


def _path(session: Session) -> str:
    if session.settings.kubeconfig:
        return str(session.settings.kubeconfig)
    if session.settings.context:
        return kubeconfig.default_paths()[0]
    if not os.path.exists(session.home.kubeconfig):
        launcher.ensure_running(session.home)
    return session.home.kubeconfig


class ViewOptions(Options):
    """What ``view`` was asked."""

    raw: bool = flag("--raw", default=False, help="Show secrets too.")
    minify: bool = flag("--minify", default=False, help="Only what the current context uses.")
    output: str = flag("--output", "-o", default="yaml", help="yaml, json or jsonpath=….")


def view(options: ViewOptions, session: Session) -> int:
    """Print the kubeconfig, secrets hidden."""
    config = kubeconfig.load(_path(session))
    if options.minify:
        config = _minified(config, session.settings.context)
    if not options.raw:
        config = _redacted(config)
    printer = printers.of(options.output, lambda obj: "")
    assert printer is not None
    session.io.out.write(printer([config], False))
    return 0


# COMMAND view: 'Print the kubeconfig, secrets hidden.\n\nExamples:  minikctl config view     minikctl config view --raw --minify'


def _minified(config: dict[str, Any], asked: str) -> dict[str, Any]:
    wanted = asked or config.get("current-context") or ""
    contexts = [e for e in config.get("contexts") or () if e["name"] == wanted]
    if not contexts:
        raise errors.UsageError(f"error: cannot locate context {wanted}")
    settings = contexts[0]["context"]
    clusters = [e for e in config.get("clusters") or () if e["name"] == settings.get("cluster")]
    users = [e for e in config.get("users") or () if e["name"] == settings.get("user")]
    return {**config, "contexts": contexts, "clusters": clusters, "users": users, "current-context": wanted}


def _redacted(config: dict[str, Any]) -> dict[str, Any]:
    users = [
        {**entry, "user": {k: REDACTED.get(k, v) for k, v in (entry.get("user") or {}).items()}}
        for entry in config.get("users") or ()
    ]
    clusters = [
        {
            **entry,
            "cluster": {k: "DATA+OMITTED" if k.endswith("-data") else v for k, v in entry["cluster"].items()},
        }
        for entry in config.get("clusters") or ()
    ]
    return {**config, "users": users, "clusters": clusters}


class CurrentContextOptions(Options):
    """What ``current_context`` was asked."""


def current_context(options: CurrentContextOptions, session: Session) -> int:
    """Print the current context."""
    name = kubeconfig.load(_path(session)).get("current-context")
    if not name:
        raise errors.UsageError("error: current-context is not set")
    session.io.say(str(name))
    return 0


# COMMAND current_context: 'Print the current context.\n\nExamples:  minikctl config current-context     minikctl --kubeconfig kc config current-context'


class GetContextsOptions(Options):
    """What ``get_contexts`` was asked."""

    output: str = flag("--output", "-o", default="", help="name: only names.")
    no_headers: bool = flag("--no-headers", default=False, help="No header line.")


def get_contexts(options: GetContextsOptions, session: Session) -> int:
    """List the contexts."""
    config = kubeconfig.load(_path(session))
    rows = [] if options.no_headers else [["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]]
    for entry in config.get("contexts") or ():
        settings = entry.get("context") or {}
        mark = "*" if entry["name"] == config.get("current-context") else ""
        if options.output == "name":
            session.io.say(entry["name"])
        rows.append(
            [
                mark,
                entry["name"],
                settings.get("cluster", ""),
                settings.get("user", ""),
                settings.get("namespace", ""),
            ]
        )
    if options.output != "name":
        for line in table.align(rows):
            session.io.say(line)
    return 0


# COMMAND get_contexts: 'List the contexts.\n\nExamples:  minikctl config get-contexts     minikctl config get-contexts -o name'


class UseContextOptions(Options):
    """What ``use_context`` was asked."""

    name: tuple[str, ...] = rest("CONTEXT")


def use_context(options: UseContextOptions, session: Session) -> int:
    """Make a context the current one."""
    path = _path(session)
    config = kubeconfig.load(path)
    if options.name not in [entry["name"] for entry in config.get("contexts") or ()]:
        raise errors.UsageError(f'error: no context exists with the name: "{options.name}"')
    kubeconfig.write(path, {**config, "current-context": options.name})
    session.io.say(f'Switched to context "{options.name}".')
    return 0


# COMMAND use_context: 'Make a context the current one.\n\nExamples:  minikctl --kubeconfig kc config use-context dev     minikctl config use-context minikctl-default'


class SetContextOptions(Options):
    """What ``set_context`` was asked."""

    name: tuple[str, ...] = rest("[NAME]")
    current: bool = flag("--current", default=False, help="Change the current context.")
    user: str = flag("--user", default="", help="The user entry.")


def set_context(options: SetContextOptions, session: Session) -> int:
    """Change a context: its namespace (-n), its user."""
    path = _path(session)
    config = kubeconfig.load(path)
    wanted = config.get("current-context", "") if options.current else options.name
    if not wanted:
        raise errors.UsageError("error: you must specify a non-empty context name or --current")
    entries = config.get("contexts") or []
    known = [entry for entry in entries if entry["name"] == wanted]
    entry = known[0] if known else {"name": wanted, "context": {}}
    changes = {"namespace": session.settings.namespace, "user": options.user}
    entry["context"] = {**entry["context"], **{key: value for key, value in changes.items() if value}}
    if not known:
        entries.append(entry)
    kubeconfig.write(path, {**config, "contexts": entries})
    session.io.say(f'''Context "{wanted}" {("modified" if known else "created")}.''')
    return 0


# COMMAND set_context: 'Change a context: its namespace (-n), its user.\n\nExamples:  minikctl config set-context --current -n tour     minikctl config set-context dev --user admin'
