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


@app.command()
def view(
    ctx: typer.Context,
    raw: Annotated[bool, typer.Option("--raw", help="Show secrets too.")] = False,
    minify: Annotated[bool, typer.Option("--minify", help="Only what the current context uses.")] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="yaml, json or jsonpath=….")] = "yaml",
) -> None:
    """Print the kubeconfig, secrets hidden.

    Examples:  minikctl config view     minikctl config view --raw --minify
    """
    session = flags.of(ctx)
    config = kubeconfig.load(_path(session))
    if minify:
        config = _minified(config, session.settings.context)
    if not raw:
        config = _redacted(config)
    printer = printers.of(output, lambda obj: "")
    assert printer is not None
    session.io.out.write(printer([config], False))
    raise typer.Exit(0)


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


@app.command(name="current-context")
def current_context(ctx: typer.Context) -> None:
    """Print the current context.

    Examples:  minikctl config current-context     minikctl --kubeconfig kc config current-context
    """
    session = flags.of(ctx)
    name = kubeconfig.load(_path(session)).get("current-context")
    if not name:
        raise errors.UsageError("error: current-context is not set")
    session.io.say(str(name))
    raise typer.Exit(0)


@app.command(name="get-contexts")
def get_contexts(
    ctx: typer.Context,
    output: Annotated[str, typer.Option("--output", "-o", help="name: only names.")] = "",
    no_headers: Annotated[bool, typer.Option("--no-headers", help="No header line.")] = False,
) -> None:
    """List the contexts.

    Examples:  minikctl config get-contexts     minikctl config get-contexts -o name
    """
    session = flags.of(ctx)
    config = kubeconfig.load(_path(session))
    rows = [] if no_headers else [["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]]
    for entry in config.get("contexts") or ():
        settings = entry.get("context") or {}
        mark = "*" if entry["name"] == config.get("current-context") else ""
        if output == "name":
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
    if output != "name":
        for line in table.align(rows):
            session.io.say(line)
    raise typer.Exit(0)


@app.command(name="use-context")
def use_context(ctx: typer.Context, name: Annotated[str, typer.Argument(metavar="CONTEXT")]) -> None:
    """Make a context the current one.

    Examples:  minikctl --kubeconfig kc config use-context dev     minikctl config use-context minikctl-default
    """
    session = flags.of(ctx)
    path = _path(session)
    config = kubeconfig.load(path)
    if name not in [entry["name"] for entry in config.get("contexts") or ()]:
        raise errors.UsageError(f'error: no context exists with the name: "{name}"')
    kubeconfig.write(path, {**config, "current-context": name})
    session.io.say(f'Switched to context "{name}".')
    raise typer.Exit(0)


@app.command(name="set-context")
def set_context(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[NAME]")] = "",
    current: Annotated[bool, typer.Option("--current", help="Change the current context.")] = False,
    user: Annotated[str, typer.Option("--user", help="The user entry.")] = "",
) -> None:
    """Change a context: its namespace (-n), its user.

    Examples:  minikctl config set-context --current -n tour     minikctl config set-context dev --user admin
    """
    session = flags.of(ctx)
    path = _path(session)
    config = kubeconfig.load(path)
    wanted = config.get("current-context", "") if current else name
    if not wanted:
        raise errors.UsageError("error: you must specify a non-empty context name or --current")
    entries = config.get("contexts") or []
    known = [entry for entry in entries if entry["name"] == wanted]
    entry = known[0] if known else {"name": wanted, "context": {}}
    changes = {"namespace": session.settings.namespace, "user": user}
    entry["context"] = {**entry["context"], **{key: value for key, value in changes.items() if value}}
    if not known:
        entries.append(entry)
    kubeconfig.write(path, {**config, "contexts": entries})
    session.io.say(f'Context "{wanted}" {"modified" if known else "created"}.')
    raise typer.Exit(0)
