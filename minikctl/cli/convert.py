"""``convert``: manifests from a docker-compose file."""

from __future__ import annotations

import os

import yaml

from minikctl import errors
from minikctl.cli import compose, compose_text, flags, yamlload
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


class ConvertOptions(Options):
    """What ``convert`` was asked."""

    paths: tuple[str, ...] = rest("[FILE]", default=(), complete="files")
    profiles: tuple[str, ...] = flag(
        "--profile",
        default=(),
        split=True,
        help='Take services of this profile, too ("*": of all); may repeat. Beside it those of $COMPOSE_PROFILES.',
    )
    output: str = flag("--output", "-o", default="", help="The file to write to.", complete="files")


def run(options: ConvertOptions, session: Session) -> int:
    """Print the manifests; say on the error stream what was not taken over.  Return the exit code."""
    from minikctl.cli.output import printers

    path = flags.one(options.paths, "FILE") if options.paths else _found()
    content = _parsed(_read(path), path)
    if not isinstance(content, dict):
        raise errors.UsageError(f"error: {path} is no Compose file")
    directory = os.path.dirname(os.path.abspath(path))
    beside = os.path.join(directory, ".env")
    variables = (
        compose_text.of_file(_read(beside), compose_text.Variables(os.environ))
        if os.path.exists(beside)
        else {}
    )
    known = {**variables, **os.environ}
    profiles = [*options.profiles, *known.get("COMPOSE_PROFILES", "").split(",")]
    objects, remarks = compose.convert(
        content,
        directory,
        known,
        lambda name: _read(os.path.join(directory, os.path.expanduser(name))),
        profiles,
    )
    text = "---\n".join(printers.to_yaml(obj) for obj in objects)
    if options.output:
        with open(options.output, "w", encoding="utf-8") as sink:
            sink.write(text)
        session.io.say(f"{options.output} written.  Next: minikctl apply -f {options.output} --wait")
    else:
        session.io.out.write(text)
    for remark in remarks:
        session.io.warn(f"Warning: {remark}")
    return 0


def _parsed(text: str, path: str) -> Any:
    try:
        return yamlload.load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        words = getattr(error, "problem", None) or str(error)
        raise errors.UsageError(f"error: {path}{place}: {words}") from error


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as source:
            return source.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise errors.UsageError(f"error: unable to read {path}: {reason}") from error


def _found() -> str:
    for name in NAMES:
        if os.path.exists(name):
            return name
    raise errors.UsageError(f"error: there is none of {', '.join(NAMES)} here; name the file")


COMMANDS = {
    "convert": Command(
        "Print manifests for a docker-compose file: Deployments, Services and claims.",
        ConvertOptions,
        run,
        usage="[FILE] [-o FILE]",
        examples=(
            ("Look at them", "minikctl convert docker-compose.yml"),
            ("Run the app", "minikctl convert | minikctl apply -f - --wait"),
        ),
    )
}
