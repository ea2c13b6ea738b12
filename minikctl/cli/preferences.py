"""kubectl's preferences file (``~/.kube/kuberc``): defaults of flags, and aliases, put into the command line.

By the rules of k8s.io/kubectl/pkg/kuberc: ``--kuberc`` names the file, else ``KUBERC`` does; ``KUBERC=off`` and
``KUBECTL_KUBERC=false`` turn it off. What the command line says itself wins. Without such a file this costs a look.
"""

from __future__ import annotations

import os

from minikctl.cli import catalog, commands, parsing
from minikctl.cli.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from minikctl.cli.session import Io

VERSIONS = ("kubectl.config.k8s.io/v1beta1", "kubectl.config.k8s.io/v1alpha1")
FIELDS = frozenset(
    ("apiVersion", "kind", "defaults", "aliases", "credentialPluginPolicy", "credentialPluginAllowlist")
)
DENIED = "error occurred while applying preferences "


class BadPreferences(parsing.Verbatim):
    """The file cannot be used."""


def applied(words: list[str], io: Io) -> list[str]:
    """Return the command line with what the preferences say of it."""
    path, is_named = place(words)
    if not path or (not is_named and not os.path.exists(path)):
        return words
    found = read(path, io, is_named=is_named)
    if not found:
        return words
    check(found)
    return _with_defaults(expanded(words, found), found, io)


def place(words: list[str]) -> tuple[str, bool]:
    """Return where the file is, "" for none, and whether somebody named it."""
    named = _named(words)
    if os.environ.get("KUBERC") == "off":
        if named:
            raise BadPreferences(
                f"{DENIED}kuberc error disabling kuberc via KUBERC=off and passing kuberc flag are mutually exclusive"
            )
        return "", False
    if os.environ.get("KUBECTL_KUBERC", "").lower() in ("false", "0", "f"):
        return "", False
    named = named or os.environ.get("KUBERC", "")
    return named or os.path.join(os.path.expanduser("~"), ".kube", "kuberc"), bool(named)


def _named(words: list[str]) -> str:
    for number, word in enumerate(words):
        if word == "--":
            break
        if word == "--kuberc" and number + 1 < len(words):
            return words[number + 1]
        if word.startswith("--kuberc="):
            return word.partition("=")[2]
    return ""


def read(path: str, io: Io, *, is_named: bool) -> dict[str, Any]:
    """Return what the file says; one that nobody named and that cannot be used is told of, and empty."""
    import yaml

    from minikctl.cli import yamlload

    try:
        with open(path, encoding="utf-8") as source:
            found = yamlload.load(source.read())
    except OSError as error:
        problem = f"open {path}: {(error.strerror or str(error)).lower()}"
    except (yaml.YAMLError, ValueError):
        problem = f"no valid preferences found in {path}"
    else:
        if (
            isinstance(found, dict)
            and found.get("apiVersion") in VERSIONS
            and found.get("kind") == "Preference"
        ):
            for name in found.keys() - FIELDS:
                io.warn(f'kuberc: ignoring strict decoding error in {path}: unknown field "{name}"')
            return found
        problem = f"no valid preferences found in {path}"
    if is_named:
        raise BadPreferences(f"{DENIED}kuberc error kuberc: {problem}")
    io.warn(f"kuberc: no preferences loaded from {path}: {problem}")
    return {}


def check(found: dict[str, Any]) -> None:
    """Refuse what kubectl refuses, in its words."""
    names: set[str] = set()
    for alias in found.get("aliases") or ():
        name = str(alias.get("name") or "")
        if not (name.isascii() and name.isalpha()):
            raise BadPreferences(f"{DENIED}invalid alias name, can only include alphabetical characters")
        if name in names:
            raise BadPreferences(f"{DENIED}duplicate alias name {name}")
        names.add(name)
    for each in (*(found.get("aliases") or ()), *(found.get("defaults") or ())):
        for option in each.get("options") or ():
            if str(option.get("name")).startswith("-"):
                raise BadPreferences(
                    f"{DENIED}flag name {option['name']} should be in long form without dashes"
                )


def expanded(words: list[str], found: dict[str, Any]) -> list[str]:
    """Return the command line with the command that an alias stands for."""
    where = parsing.first_word(words, parsing.Lookup([Settings.FLAGS]))
    if where is None or words[where] in catalog.MODULES:
        return words
    alias = next((one for one in found.get("aliases") or () if one["name"] == words[where]), None)
    if alias is None:
        return words
    command = str(alias.get("command") or "").split()
    known = _command(command)
    if known is None:
        raise BadPreferences(
            f'{DENIED}command "{alias.get("command")}" not found to set alias "{alias["name"]}"'
        )
    before, after = words[:where], words[where + 1 :]
    said = [*before, *after]
    options = _options(alias.get("options"), known, said, f"invalid alias flag {{}} in alias {alias['name']}")
    return [
        *before, *command, *options, *map(str, alias.get("prependArgs") or ()), *after,
        *map(str, alias.get("appendArgs") or ()),
    ]  # fmt: skip


def _with_defaults(words: list[str], found: dict[str, Any], io: Io) -> list[str]:
    """Return the command line with the defaults for its command, as far as it does not say something itself."""
    where = parsing.first_word(words, parsing.Lookup([Settings.FLAGS]))
    if where is None or words[where] not in catalog.MODULES:
        return words
    from minikctl.cli import main

    path = [words[where]]
    command, _ = commands.descend(
        main.load(words[where]), path, words[:where] + words[where + 1 :], Settings.FLAGS
    )
    options: list[str] = []
    for default in found.get("defaults") or ():
        meant = str(default.get("command") or "").split()
        if not meant or _command(meant) is None:
            io.warn(f'Warning: command "{default.get("command")}" not found to set kuberc override')
        elif meant == path:
            refusal = f"invalid flag {{}} for command {default['command']}"
            options += _options(default.get("options"), command, words, refusal)
    return [*words[:where], *options, *words[where:]]


def _command(words: list[str]) -> commands.Command | None:
    """Return the command of that name, None if there is none."""
    if not words or words[0] not in catalog.MODULES:
        return None
    from minikctl.cli import main

    found = main.load(words[0])
    for word in words[1:]:
        if word not in found.children:
            return None
        found = found.children[word]
    return found


def _options(
    options: Iterable[dict[str, Any]] | None, command: commands.Command, words: list[str], refusal: str
) -> list[str]:
    """Return the flags that the command line does not give itself."""
    lookup = parsing.Lookup([command.options.FLAGS, Settings.FLAGS])
    given = {flag.long for flag in _given(words, lookup)}
    found = []
    for option in options or ():
        name = str(option.get("name"))
        if name not in lookup.long:
            raise BadPreferences(DENIED + refusal.format(name))
        if lookup.long[name].long not in given:
            found.append(f"--{name}={_text(option.get('default'))}")
    return found


def _given(words: list[str], lookup: parsing.Lookup) -> Iterable[Any]:
    try:
        return parsing.parse(words, lookup).given
    except parsing.BadCommandLine:
        return ()  # it is refused in its own words later


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def plugin_problem(command: str, io: Io, words: list[str]) -> str:
    """Return why a credential plugin may not run, "" if it may."""
    path, is_named = place(words)
    if not path or not os.path.exists(path):
        return ""
    found = read(path, io, is_named=is_named)
    policy = found.get("credentialPluginPolicy") or "AllowAll"
    listed = [
        str(each.get("command") or each.get("name")) for each in found.get("credentialPluginAllowlist") or ()
    ]
    if policy == "AllowAll" or (policy == "Allowlist" and _is_listed(command, listed)):
        return ""
    if policy == "DenyAll":
        return f'plugin "{command}" not allowed: policy set to "DenyAll"'
    return f'plugin "{command}" not allowed: policy "{policy}" does not list it'


def _is_listed(command: str, listed: list[str]) -> bool:
    """Tell whether an entry names the program: by its full path, or by a name that is found to be it."""
    import shutil

    meant = shutil.which(command) or command
    return any(entry in (command, meant) or shutil.which(entry) == meant for entry in listed if entry)
