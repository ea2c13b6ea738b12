"""``config set|unset|set-cluster|set-credentials|rename-context|delete-…``: changes of a kubeconfig's entries."""

from __future__ import annotations

import base64
import binascii
import os
from typing import TYPE_CHECKING, Any

from minikctl import errors
from minikctl.cli import flags
from minikctl.cli.flags import Options, flag, rest
from minikctl.client import kubeconfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from minikctl.cli.session import Session

SECTIONS = {"clusters": "cluster", "users": "user", "contexts": "context"}
FIELDS = {
    "clusters": (
        "server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority",
        "certificate-authority-data", "proxy-url", "disable-compression",
    ),
    "users": (
        "client-certificate", "client-certificate-data", "client-key", "client-key-data", "token",
        "tokenFile", "as", "as-uid", "username", "password",
    ),
    "contexts": ("cluster", "user", "namespace"),
}  # fmt: skip
_TRUTHS = ("insecure-skip-tls-verify", "disable-compression")


def path_of(session: Session) -> str:
    """Return the file that ``config`` commands change."""
    from minikctl.cli import config

    return config.written_path_of(session)


class NameOptions(Options):
    """Which entry is meant."""

    names: tuple[str, ...] = rest("NAME", default=())


class ClusterNameOptions(NameOptions):
    """Which cluster entry is meant."""

    names: tuple[str, ...] = rest("NAME", default=(), complete="entries:clusters")


class UserNameOptions(NameOptions):
    """Which user entry is meant."""

    names: tuple[str, ...] = rest("NAME", default=(), complete="entries:users")


def deleting(section: str, word: str) -> Callable[[NameOptions, Session], int]:
    """Return a command that removes an entry of the section."""

    def run(options: NameOptions, session: Session) -> int:
        """Remove the entry; return the exit code."""
        name, path = flags.one(options.names, "NAME"), path_of(session)
        config = kubeconfig.read(path, missing_is_empty=True)
        kept = [entry for entry in config.get(section) or () if entry["name"] != name]
        if len(kept) == len(config.get(section) or ()):
            raise errors.UsageError(f"error: cannot delete {word} {name}, not in {path}")
        kubeconfig.write(path, {**config, section: kept})
        session.io.say(f"deleted {word} {name} from {path}")
        return 0

    return run


class RenameOptions(Options):
    """What ``config rename-context`` was asked."""

    names: tuple[str, ...] = rest("CONTEXT_NAME NEW_NAME", default=(), complete="entries:contexts")


def rename_context(options: RenameOptions, session: Session) -> int:
    """Give a context another name; return the exit code."""
    if len(options.names) != 2:
        raise flags.BadArguments("Unexpected args: " + f"[{' '.join(options.names)}]")
    old, new = options.names
    path = path_of(session)
    config = kubeconfig.read(path, missing_is_empty=True)
    entries = list(config.get("contexts") or ())
    known = [entry["name"] for entry in entries]
    if old not in known:
        raise errors.UsageError(f'error: cannot rename the context "{old}", it\'s not in {path}')
    if new in known:
        raise errors.UsageError(
            f'error: cannot rename the context "{old}", the context "{new}" already exists in {path}'
        )
    renamed = [{**entry, "name": new} if entry["name"] == old else entry for entry in entries]
    current = new if config.get("current-context") == old else config.get("current-context")
    kubeconfig.write(path, {**config, "contexts": renamed, "current-context": current or ""})
    session.io.say(f'Context "{old}" renamed to "{new}".')
    return 0


class SetOptions(Options):
    """What ``config set`` was asked."""

    words: tuple[str, ...] = rest("PROPERTY_NAME PROPERTY_VALUE", default=())
    raw: bool = flag("--set-raw-bytes", default=False, help="The value of a …-data field is not base64 yet.")


def set_property(options: SetOptions, session: Session) -> int:
    """Set a single value; return the exit code."""
    if len(options.words) != 2:
        raise flags.BadArguments(f"Unexpected args: [{' '.join(options.words)}]")
    name, value = options.words
    path = path_of(session)
    config = kubeconfig.read(path, missing_is_empty=True)
    if name == "current-context":
        config = {**config, name: value}
    else:
        section, entry, field = _place(name)
        if not field:
            raise errors.UsageError(f"error: unable to parse {name} after [] at api.Config")
        config = changed(config, section, entry, {field: _typed(field, value, options.raw)})
    kubeconfig.write(path, config)
    session.io.say(f'Property "{name}" set.')
    return 0


class UnsetOptions(Options):
    """What ``config unset`` was asked."""

    words: tuple[str, ...] = rest("PROPERTY_NAME", default=())


def unset_property(options: UnsetOptions, session: Session) -> int:
    """Remove a single value, or a whole entry; return the exit code."""
    name, path = flags.one(options.words, "PROPERTY_NAME"), path_of(session)
    config = kubeconfig.read(path, missing_is_empty=True)
    if name == "current-context":
        config = {**config, name: ""}
    elif name in SECTIONS:
        config = {**config, name: []}
    else:
        section, entry, field = _place(name)
        entries = []
        for one in config.get(section) or ():
            if one["name"] != entry:
                entries.append(one)
            elif field:
                inner = SECTIONS[section]
                body = {key: value for key, value in (one.get(inner) or {}).items() if key != field}
                entries.append({**one, inner: body})
        config = {**config, section: entries}
    kubeconfig.write(path, config)
    session.io.say(f'Property "{name}" unset.')
    return 0


def _place(name: str) -> tuple[str, str, str]:
    """Return section, entry and field of ``clusters.NAME.server``; names may have dots, as fields have none."""
    section, _, rest_ = name.partition(".")
    if section not in SECTIONS or not rest_:
        raise errors.UsageError(f"error: unable to parse {section} after [] at api.Config")
    entry, dot, field = rest_.rpartition(".")
    if dot and field in FIELDS[section]:
        return section, entry, field
    return section, rest_, ""


def _typed(field: str, value: str, raw: bool) -> Any:
    if field in _TRUTHS:
        if value not in ("true", "false"):
            raise errors.UsageError(f'error: strconv.ParseBool: parsing "{value}": invalid syntax')
        return value == "true"
    if field.endswith("-data"):
        if raw:
            return base64.b64encode(value.encode()).decode()
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise errors.UsageError(f"error: error decoding base64 data: {error}") from error
    return value


def changed(config: dict[str, Any], section: str, name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the config with the entry changed, or made; fields that become None are removed."""
    inner = SECTIONS[section]
    entries = list(config.get(section) or ())
    known = next((entry for entry in entries if entry["name"] == name), None)
    body = {**((known or {}).get(inner) or {}), **changes}
    fresh = {"name": name, inner: {key: value for key, value in body.items() if value is not None}}
    if known is None:
        return {**config, section: [*entries, fresh]}
    return {**config, section: [fresh if entry is known else entry for entry in entries]}


class SetClusterOptions(Options):
    """What ``config set-cluster`` was asked; the server and its authority come from the flags of all commands."""

    names: tuple[str, ...] = rest("NAME", default=(), complete="entries:clusters")
    embed: bool = flag("--embed-certs", default=False, help="Put the file's content into the kubeconfig.")
    proxy: str = flag(
        "--proxy-url", default="", help="The proxy on the way to the server: http://, https:// or socks5://."
    )


def set_cluster(options: SetClusterOptions, session: Session) -> int:
    """Make or change a cluster entry; return the exit code."""
    name, given = flags.one(options.names, "NAME"), session.settings
    if given.insecure and given.certificate_authority:
        raise errors.UsageError(
            "error: you cannot specify a certificate authority and insecure mode at the same time"
        )
    changes: dict[str, Any] = {}
    if given.server:
        changes["server"] = given.server
    if given.server_name:
        changes["tls-server-name"] = given.server_name
    if options.proxy:
        changes["proxy-url"] = options.proxy
    if given.insecure:
        changes |= {
            "insecure-skip-tls-verify": True,
            "certificate-authority": None,
            "certificate-authority-data": None,
        }
    if given.certificate_authority:
        changes |= _file("certificate-authority", given.certificate_authority, options.embed)
        changes["insecure-skip-tls-verify"] = None
    path = path_of(session)
    kubeconfig.write(path, changed(kubeconfig.read(path, missing_is_empty=True), "clusters", name, changes))
    session.io.say(f'Cluster "{name}" set.')
    return 0


class SetCredentialsOptions(Options):
    """What ``config set-credentials`` was asked; secrets come from the flags of all commands."""

    names: tuple[str, ...] = rest("NAME", default=(), complete="entries:users")
    embed: bool = flag("--embed-certs", default=False, help="Put the files' content into the kubeconfig.")
    command: str = flag("--exec-command", default="", help="A program that prints credentials.")
    api_version: str = flag("--exec-api-version", default="", help="The version of what it prints.")
    arguments: tuple[str, ...] = flag("--exec-arg", default=(), split=True, help="An argument of it.")
    environment: tuple[str, ...] = flag("--exec-env", default=(), help="KEY=VALUE of its environment.")
    interactive: str = flag("--exec-interactive-mode", default="", help="Never, IfAvailable or Always.")
    cluster_info: bool = flag(
        "--exec-provide-cluster-info", default=False, help="Tell it which cluster it is for."
    )


def set_credentials(options: SetCredentialsOptions, session: Session) -> int:
    """Make or change a user entry; return the exit code."""
    name, given = flags.one(options.names, "NAME"), session.settings
    if given.token and (given.username or given.password):
        raise errors.UsageError(
            "error: you cannot specify more than one authentication method at the same time: "
            "--token, --username/--password"
        )
    changes: dict[str, Any] = {}
    if given.client_certificate:
        changes |= _file("client-certificate", given.client_certificate, options.embed)
    if given.client_key:
        changes |= _file("client-key", given.client_key, options.embed)
    if given.token:
        changes |= {"token": given.token, "username": None, "password": None}
    if given.username or given.password:
        named = {"username": given.username or None, "password": given.password or None}
        changes |= {"token": None, **{key: value for key, value in named.items() if value}}
    if options.command:
        changes["exec"] = _plugin(options)
    path = path_of(session)
    kubeconfig.write(path, changed(kubeconfig.read(path, missing_is_empty=True), "users", name, changes))
    session.io.say(f'User "{name}" set.')
    return 0


def _plugin(options: SetCredentialsOptions) -> dict[str, Any]:
    pairs = [entry.partition("=") for entry in options.environment]
    found = {
        "apiVersion": options.api_version,
        "command": options.command,
        "args": list(options.arguments),
        "env": [{"name": key, "value": value} for key, _, value in pairs],
        "interactiveMode": options.interactive,
        "provideClusterInfo": options.cluster_info,
    }
    return {key: value for key, value in found.items() if value or key == "provideClusterInfo"}


def _file(field: str, path: str, embed: bool) -> dict[str, Any]:
    place = os.path.abspath(os.path.expanduser(path))
    if embed and not os.path.isfile(place):
        raise errors.UsageError(
            f"error: could not stat {field} file {path}: stat {path}: no such file or directory"
        )
    if not embed:
        return {field: place, f"{field}-data": None}
    with open(place, "rb") as source:
        return {field: None, f"{field}-data": base64.b64encode(source.read()).decode()}
