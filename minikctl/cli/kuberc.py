"""``kuberc``: the file of preferences, seen and changed."""

from __future__ import annotations

import os

from minikctl import errors
from minikctl.cli import preferences, printing
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

SECTIONS = ("defaults", "aliases", "credentialplugin")
POLICIES = ("AllowAll", "DenyAll", "Allowlist")
ORDER = (
    "kind", "apiVersion", "defaults", "aliases", "credentialPluginPolicy", "credentialPluginAllowlist",
)  # fmt: skip


class ViewOptions(printing.Printing):
    """What ``kuberc view`` was asked."""

    output: str = flag(
        "--output", "-o", default="yaml", help="yaml, json, kyaml, or a template.", complete="yaml json kyaml"
    )


class SetOptions(Options):
    """What ``kuberc set`` was asked."""

    section: str = flag(
        "--section", default="", help="defaults, aliases or credentialplugin.", complete=" ".join(SECTIONS)
    )
    command: str = flag("--command", default="", help='The command that is meant: get, "set env".')
    name: str = flag("--name", default="", help="The name of the alias.")
    options: tuple[str, ...] = flag("--option", default=(), help="A flag of it: FLAG=VALUE; may repeat.")
    before: tuple[str, ...] = flag(
        "--prependarg", default=(), help="An argument right after the alias; may repeat."
    )
    after: tuple[str, ...] = flag("--appendarg", default=(), help="An argument at the end; may repeat.")
    policy: str = flag(
        "--policy",
        default="",
        help="Which credential plugins may run: AllowAll, DenyAll or Allowlist.",
        complete=" ".join(POLICIES),
    )
    allowed: tuple[str, ...] = flag(
        "--allowlist-entry", default=(), help="One that may: command=PROGRAM; may repeat."
    )
    overwrite: bool = flag("--overwrite", default=False, help="Replace what is there.")


def _place(session: Session) -> str:
    named = session.settings.preferences
    path, _ = preferences.place([f"--kuberc={named}"] if named else [])
    if not path:
        raise errors.UsageError("error: preferences are turned off: KUBERC=off or KUBECTL_KUBERC=false")
    return path


def view(options: ViewOptions, session: Session) -> int:
    """Print the preferences; return the exit code."""
    path = _place(session)
    if not os.path.exists(path):
        session.io.say(f"kuberc file not found at {path}")
        session.io.warn("hint: `minikctl kuberc set --help` shows how to begin one")
        return 0
    found = preferences.read(path, session.io, is_named=True)
    ordered = {name: found[name] for name in ORDER if name in found}
    printer = printing.printer(options, lambda _: "preference.kubectl.config.k8s.io/")
    assert printer is not None, "yaml is the default"
    if options.output == "json":
        import json

        session.io.say(json.dumps(_typed(ordered), indent=4))
    elif options.output == "kyaml":
        from minikctl.cli.output import kyaml

        session.io.out.write(kyaml.to_kyaml(_typed(ordered), sort=False))
    else:
        session.io.out.write(printer([ordered], False))
    return 0


FIELDS = ("name", "command", "prependArgs", "appendArgs", "options")


def _typed(found: dict[str, Any]) -> dict[str, Any]:
    """Return the preferences with the fields of their entries in the order of their types."""
    typed = dict(found)
    for section in ("defaults", "aliases"):
        if section in found:
            typed[section] = [_entry(each) for each in found[section] or ()]
    return typed


def _entry(each: dict[str, Any]) -> dict[str, Any]:
    typed = {name: each[name] for name in FIELDS if name in each}
    if "options" in typed:
        typed["options"] = [
            {"name": option.get("name"), "default": option.get("default")} for option in typed["options"]
        ]
    return typed


def change(options: SetOptions, session: Session) -> int:
    """Change the preferences; return the exit code."""
    if not options.section:
        raise errors.UsageError('error: required flag(s) "section" not set')
    if options.section not in SECTIONS:
        raise errors.UsageError(
            f'error: --section must be "defaults", "aliases", or "credentialplugin", got: {options.section}'
        )
    path = _place(session)
    found: dict[str, Any] = {"apiVersion": preferences.VERSIONS[0], "kind": "Preference"}
    if os.path.exists(path):
        found = preferences.read(path, session.io, is_named=True)
    changed = _with_policy(options, found) if options.section == SECTIONS[2] else _with_entry(options, found)
    preferences.check(changed)
    _write(path, changed)
    session.io.say(f"Updated {path}")
    return 0


def _with_entry(options: SetOptions, found: dict[str, Any]) -> dict[str, Any]:
    if not options.command:
        raise errors.UsageError("error: --command is required when --section=aliases or --section=defaults")
    is_alias = options.section == "aliases"
    if is_alias and not options.name:
        raise errors.UsageError("error: --name is required when --section=aliases")
    entry: dict[str, Any] = {"command": options.command}
    if is_alias:
        parts = {"prependArgs": list(options.before), "appendArgs": list(options.after)}
        entry |= {"name": options.name, **{name: part for name, part in parts.items() if part}}
    elif options.name or options.before or options.after:
        raise errors.UsageError("error: --name, --prependarg, and --appendarg are only valid for aliases")
    given = [_option(text) for text in options.options]
    if given:
        entry["options"] = given
    key = "name" if is_alias else "command"
    entries = list(found.get(options.section) or ())
    same = [number for number, each in enumerate(entries) if each.get(key) == entry[key]]
    if same and not options.overwrite:
        what = (
            f'alias "{options.name}" already exists'
            if is_alias
            else (f'defaults for command "{options.command}" already exist')
        )
        raise errors.UsageError(f"error: {what}, use --overwrite to replace")
    if same:
        entries[same[0]] = entry
    else:
        entries.append(entry)
    return {**found, options.section: entries}


def _option(text: str) -> dict[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise errors.UsageError(f'error: invalid option format "{text}", expected flag=value')
    return {"name": name, "default": value}


def _with_policy(options: SetOptions, found: dict[str, Any]) -> dict[str, Any]:
    if options.policy not in POLICIES:
        raise errors.UsageError(
            f'error: --policy must be one of AllowAll, DenyAll or Allowlist, got: "{options.policy}"'
        )
    entries = []
    for text in options.allowed:
        field, equals, value = text.partition("=")
        if field not in ("command", "name") or not equals:
            raise errors.UsageError(f'error: invalid allowlist entry "{text}", expected command=PROGRAM')
        entries.append({"command": value})
    if bool(entries) != (options.policy == "Allowlist"):
        raise errors.UsageError("error: --allowlist-entry and --policy=Allowlist belong together")
    changed = {key: value for key, value in found.items() if key != "credentialPluginAllowlist"}
    changed["credentialPluginPolicy"] = options.policy
    return {**changed, "credentialPluginAllowlist": entries} if entries else changed


def _write(path: str, found: dict[str, Any]) -> None:
    from minikctl.cli.output import printers

    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    beside = f"{path}.{os.getpid()}"
    with open(beside, "w", encoding="utf-8") as sink:
        sink.write(printers.to_yaml(found))
    os.replace(beside, path)


COMMANDS = {
    "kuberc": Command(
        "View and change preferences, which kubectl reads, too: aliases of commands, and defaults of their flags.",
        children={
            "set": Command(
                "Change the preferences.",
                SetOptions,
                change,
                usage="--section (defaults|aliases) --command COMMAND",
                examples=(
                    (
                        "Wide tables",
                        "minikctl kuberc set --section defaults --command get --option output=wide",
                    ),
                    (
                        "A command of your own",
                        "minikctl kuberc set --section aliases --name getn --command get --prependarg nodes",
                    ),
                ),
            ),
            "view": Command(
                "Print the preferences.",
                ViewOptions,
                view,
                examples=(
                    ("What is set", "minikctl kuberc view"),
                    ("As JSON", "minikctl kuberc view -o json"),
                ),
            ),
        },
    )
}
