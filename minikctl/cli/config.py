"""``config``: look at and change the kubeconfig in use: the local cluster's own, or --kubeconfig's."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from minikctl import errors
from minikctl.cli import config_edit, flags, printing
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest
from minikctl.cli.output import table
from minikctl.client import kubeconfig

if TYPE_CHECKING:
    from minikctl.cli.session import Session

REDACTED = {
    "token": "REDACTED",
    "password": "REDACTED",
    "client-key-data": "DATA+OMITTED",
    "client-certificate-data": "DATA+OMITTED",
}


CONTEXT_HEADER = ("CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE")


def path_of(session: Session) -> str:
    """Return the file that ``config`` commands read; that of a cluster which is not made yet is not there."""
    if session.settings.kubeconfig:
        return str(session.settings.kubeconfig)
    if session.context:
        paths = kubeconfig.default_paths()
        return next((path for path in paths if _has(path, session.context)), paths[0])
    return session.home.kubeconfig


def written_path_of(session: Session) -> str:
    """Return the file that ``config`` commands change; ``UsageError`` where the cluster is not made yet."""
    if session.is_local and not session.settings.kubeconfig and not session.home.exists():
        from minikctl.cli import firstrun

        raise firstrun.none_yet(session.home)
    return path_of(session)


def _has(path: str, context: str) -> bool:
    return any(
        entry["name"] == context
        for entry in kubeconfig.read(path, missing_is_empty=True).get("contexts") or ()
    )


class ViewOptions(printing.Printing):
    """What ``view`` was asked."""

    TYPED = True

    raw: bool = flag("--raw", default=False, help="Show secrets too.")
    minify: bool = flag("--minify", default=False, help="Only what the current context uses.")
    flatten: bool = flag("--flatten", default=False, help="Put in the content of the files that are named.")
    output: str = flag(
        "--output",
        "-o",
        default="",
        help="yaml (which is used if left out), json, kyaml, jsonpath=… .",
        complete="yaml json kyaml",
    )


def view(options: ViewOptions, session: Session) -> int:
    """Print the kubeconfig, secrets hidden."""
    config = kubeconfig.load(path_of(session), missing_is_empty=True)
    if options.minify:
        config = _minified(config, session.context)
    if options.flatten:
        config = _flattened(config)
    if not options.raw and not options.flatten:
        config = _redacted(config)
    # As kubectl prints it: no preferences unless there are some, and null where nothing is.
    config = {key: _by_name(value) for key, value in config.items() if value or key != "preferences"}
    config["current-context"] = config.get("current-context") or ""
    printer = printing.certain(options, "yaml")
    session.io.out.write(printer([config], False))
    return 0


def _by_name(value: Any) -> Any:
    return (
        sorted(value, key=lambda entry: str(entry["name"]))
        if isinstance(value, list) and value
        else value or None
    )


def _minified(config: dict[str, Any], asked: str) -> dict[str, Any]:
    wanted = asked or config.get("current-context") or ""
    contexts = [e for e in config.get("contexts") or () if e["name"] == wanted]
    if not contexts:
        raise errors.UsageError(f"error: cannot locate context {wanted}")
    settings = contexts[0]["context"]
    clusters = [e for e in config.get("clusters") or () if e["name"] == settings.get("cluster")]
    users = [e for e in config.get("users") or () if e["name"] == settings.get("user")]
    for what, found in (("cluster", clusters), ("user", users)):
        if settings.get(what) and not found:
            raise errors.UsageError(f"error: cannot locate {what} {settings[what]}")
    return {**config, "contexts": contexts, "clusters": clusters, "users": users, "current-context": wanted}


def _flattened(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config with the content of certificates and keys in place of their files' names."""
    flat = dict(config)
    for section, inner in (("clusters", "cluster"), ("users", "user")):
        flat[section] = []
        for entry in config.get(section) or ():
            body: dict[str, Any] = {}
            for key, value in (entry.get(inner) or {}).items():
                if key in ("certificate-authority", "client-certificate", "client-key"):
                    with open(value, "rb") as source:
                        body[f"{key}-data"] = base64.b64encode(source.read()).decode()
                else:
                    body[key] = value
            flat[section].append({**entry, inner: body})
    return flat


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


def current_context(options: Options, session: Session) -> int:
    """Print the current context; return the exit code."""
    name = kubeconfig.load(path_of(session), missing_is_empty=True).get("current-context")
    if not name:
        raise errors.UsageError("error: current-context is not set")
    session.io.say(str(name))
    return 0


class ListOptions(Options):
    """What ``config get-contexts`` was asked."""

    names: tuple[str, ...] = rest("[NAME...]", default=(), complete="entries:contexts")
    output: str = flag("--output", "-o", default="", help="name: only names.", complete="name")
    no_headers: bool = flag("--no-headers", default=False, help="No header line.")


def get_contexts(options: ListOptions, session: Session) -> int:
    """List the contexts; return the exit code."""
    if options.output not in ("", "name"):
        raise errors.UsageError(
            f"error: --output {options.output} is not available in kubectl config get-contexts; "
            "resetting to default output format"
        )
    config = kubeconfig.load(path_of(session), missing_is_empty=True)
    rows = [] if options.no_headers or options.output == "name" else [[*CONTEXT_HEADER]]
    entries = {entry["name"]: entry.get("context") or {} for entry in config.get("contexts") or ()}
    missing = [name for name in options.names if name not in entries]
    for name in missing:
        session.io.warn(f"error: context {name} not found")
    for name in sorted({*options.names} - {*missing} if options.names else entries):
        settings = entries[name]
        mark = "*" if name == config.get("current-context") else ""
        details = [settings.get(key, "") for key in ("cluster", "user", "namespace")]
        rows.append([name] if options.output == "name" else [mark, name, *details])
    for line in table.align(rows):
        session.io.say(line)
    return 1 if missing else 0


def _get_names(section: str, session: Session) -> int:
    session.io.say("NAME")
    for entry in kubeconfig.load(path_of(session), missing_is_empty=True).get(section) or ():
        session.io.say(entry["name"])
    return 0


def get_clusters(options: Options, session: Session) -> int:
    """List the clusters of the kubeconfig; return the exit code."""
    return _get_names("clusters", session)


def get_users(options: Options, session: Session) -> int:
    """List the users of the kubeconfig; return the exit code."""
    return _get_names("users", session)


class NamedOptions(Options):
    """Which context a ``config`` command is about."""

    names: tuple[str, ...] = rest("CONTEXT_NAME", default=(), complete="entries:contexts")


def use_context(options: NamedOptions, session: Session) -> int:
    """Make a context the current one; return the exit code."""
    name, path = flags.one(options.names, "CONTEXT_NAME"), written_path_of(session)
    config = kubeconfig.read(path, missing_is_empty=True)
    if name not in [entry["name"] for entry in config.get("contexts") or ()]:
        raise errors.UsageError(f'error: no context exists with the name: "{name}"')
    kubeconfig.write(path, {**config, "current-context": name})
    session.io.say(f'Switched to context "{name}".')
    return 0


def delete_context(options: NamedOptions, session: Session) -> int:
    """Remove a context; return the exit code."""
    name, path = flags.one(options.names, "CONTEXT_NAME"), written_path_of(session)
    config = kubeconfig.read(path, missing_is_empty=True)
    kept = [entry for entry in config.get("contexts") or () if entry["name"] != name]
    if len(kept) == len(config.get("contexts") or ()):
        raise errors.UsageError(f"error: cannot delete context {name}, not in {path}")
    if config.get("current-context") == name:
        session.io.warn(
            "warning: this removed your active context, "
            'use "minikctl config use-context" to select a different one'
        )
    kubeconfig.write(path, {**config, "contexts": kept})
    session.io.say(f"deleted context {name} from {path}")
    return 0


class SetContextOptions(Options):
    """What ``config set-context`` was asked."""

    names: tuple[str, ...] = rest("[NAME | --current]", default=(), complete="entries:contexts")
    current: bool = flag("--current", default=False, help="Change the current context.")
    user: str = flag("--user", default="", help="The user entry.")


def set_context(options: SetContextOptions, session: Session) -> int:
    """Change a context's namespace (-n), user or cluster, or make the context; return the exit code.

    In the local cluster's own kubeconfig there is one cluster, and --cluster says whose file is meant: there a
    new context is for that cluster, like the current one.
    """
    path = written_path_of(session)
    config = kubeconfig.read(path, missing_is_empty=True)
    if options.names and options.current:
        raise errors.UsageError("error: you cannot specify both a context name and --current")
    if not options.names and not options.current:
        raise errors.UsageError("error: you must specify a non-empty context name or --current")
    wanted = config.get("current-context", "") if options.current else flags.one(options.names)
    if not wanted:
        raise errors.UsageError("error: no current context is set")
    entries = list(config.get("contexts") or ())
    known = [entry for entry in entries if entry["name"] == wanted]
    changes = {"namespace": session.settings.namespace, "user": options.user}
    base = known
    if not session.is_local:
        changes["cluster"] = session.settings.cluster
    elif not known:
        base = [entry for entry in entries if entry["name"] == config.get("current-context")]
    context = {**(base[0].get("context") or {} if base else {})}
    context |= {key: value for key, value in changes.items() if value}
    entries = [entry for entry in entries if entry["name"] != wanted]
    entries.append({"name": wanted, "context": context})
    kubeconfig.write(path, {**config, "contexts": entries})
    session.io.say(f'Context "{wanted}" {"modified" if known else "created"}.')
    return 0


COMMANDS = {
    "config": Command(
        "Look at and change the kubeconfig in use: the local cluster's own, or the one of --kubeconfig.",
        children={
            "current-context": Command(
                "Print the current context.",
                run=current_context,
                examples=(
                    ("Print it", "minikctl config current-context"),
                    ("That of another file", "minikctl --kubeconfig kc config current-context"),
                ),
            ),
            "delete-context": Command(
                "Remove a context from the kubeconfig.",
                NamedOptions,
                delete_context,
                usage="NAME",
                examples=(
                    ("Remove one", "minikctl config delete-context old"),
                    ("From another file", "minikctl --kubeconfig kc config delete-context old"),
                ),
            ),
            "delete-cluster": Command(
                "Remove a cluster entry from the kubeconfig.",
                config_edit.ClusterNameOptions,
                config_edit.deleting("clusters", "cluster"),
                usage="NAME",
                examples=(
                    ("Remove one", "minikctl config delete-cluster old"),
                    ("From another file", "minikctl --kubeconfig kc config delete-cluster old"),
                ),
            ),
            "delete-user": Command(
                "Remove a user entry from the kubeconfig.",
                config_edit.UserNameOptions,
                config_edit.deleting("users", "user"),
                usage="NAME",
                examples=(
                    ("Remove one", "minikctl config delete-user old"),
                    ("From another file", "minikctl --kubeconfig kc config delete-user old"),
                ),
            ),
            "get-clusters": Command(
                "List the clusters of the kubeconfig.",
                run=get_clusters,
                examples=(
                    ("List them", "minikctl config get-clusters"),
                    ("Those of another file", "minikctl --kubeconfig kc config get-clusters"),
                ),
            ),
            "get-contexts": Command(
                "List the contexts of the kubeconfig.",
                ListOptions,
                get_contexts,
                usage="[NAME...]",
                examples=(
                    ("List them", "minikctl config get-contexts"),
                    ("Only their names", "minikctl config get-contexts -o name"),
                ),
            ),
            "get-users": Command(
                "List the users of the kubeconfig.",
                run=get_users,
                examples=(
                    ("List them", "minikctl config get-users"),
                    ("Those of another file", "minikctl --kubeconfig kc config get-users"),
                ),
            ),
            "rename-context": Command(
                "Give a context another name.",
                config_edit.RenameOptions,
                config_edit.rename_context,
                usage="CONTEXT_NAME NEW_NAME",
                examples=(
                    ("Rename one", "minikctl config rename-context minikctl-default dev"),
                    ("In another file", "minikctl --kubeconfig kc config rename-context old new"),
                ),
            ),
            "set": Command(
                "Set a single value of the kubeconfig.",
                config_edit.SetOptions,
                config_edit.set_property,
                usage="PROPERTY_NAME PROPERTY_VALUE",
                examples=(
                    ("A cluster's address", "minikctl config set clusters.dev.server https://1.2.3.4"),
                    ("A context's cluster", "minikctl config set contexts.dev.cluster dev"),
                ),
            ),
            "set-cluster": Command(
                "Make or change a cluster entry; what is not given stays.",
                config_edit.SetClusterOptions,
                config_edit.set_cluster,
                usage="NAME [--server=server] [--certificate-authority=file] [--insecure-skip-tls-verify]",
                examples=(
                    ("Its address", "minikctl config set-cluster dev --server=https://1.2.3.4"),
                    (
                        "Its authority",
                        "minikctl config set-cluster dev --certificate-authority=ca.crt --embed-certs",
                    ),
                ),
            ),
            "set-credentials": Command(
                "Make or change a user entry; what is not given stays.",
                config_edit.SetCredentialsOptions,
                config_edit.set_credentials,
                usage="NAME [--token=token] [--client-certificate=file] [--client-key=file] [--exec-command=program]",
                examples=(
                    ("By a token", "minikctl config set-credentials anna --token=s3cret"),
                    (
                        "By a program",
                        "minikctl config set-credentials anna --exec-command=login --exec-api-version=client.authentication.k8s.io/v1",
                    ),
                ),
            ),
            "unset": Command(
                "Remove a single value, or a whole entry.",
                config_edit.UnsetOptions,
                config_edit.unset_property,
                usage="PROPERTY_NAME",
                examples=(
                    ("The current context", "minikctl config unset current-context"),
                    ("A context's namespace", "minikctl config unset contexts.dev.namespace"),
                ),
            ),
            "set-context": Command(
                "Change a context's namespace or user, or make a context like the current one.",
                SetContextOptions,
                set_context,
                usage="[NAME | --current] [--user=USER] [--namespace=NAMESPACE]",
                examples=(
                    ("Work in another namespace", "minikctl config set-context --current -n tour"),
                    ("Make a context for it", "minikctl config set-context tour -n tour"),
                ),
            ),
            "use-context": Command(
                "Make a context the current one.",
                NamedOptions,
                use_context,
                usage="CONTEXT_NAME",
                examples=(
                    ("Switch", "minikctl config use-context minikctl-default"),
                    ("Switch in another file", "minikctl --kubeconfig kc config use-context dev"),
                ),
            ),
            "view": Command(
                "Print the kubeconfig, secrets hidden.",
                ViewOptions,
                view,
                examples=(
                    ("Look at it", "minikctl config view"),
                    (
                        "Only what the current context uses, with secrets",
                        "minikctl config view --minify --raw",
                    ),
                ),
            ),
        },
    )
}
