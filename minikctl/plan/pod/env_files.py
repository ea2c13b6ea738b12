"""Variables that an init container wrote to a file of an emptyDir (fileKeyRef, KEP-3721).

The format is a kubelet's: ``NAME='value'``, the value in single quotes, literally and over several lines if
need be; blank lines and lines that begin with ``#`` count for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan.pod import volumes
from minikctl.plan.pod.problems import ConfigError
from minikctl.plan.pod.view import EnvFile, PodView

_BLANKS = " \t"


def wanted(view: PodView) -> frozenset[EnvFile]:
    """Return the files that variables of the pod come from."""
    spec = objects.spec(view.pod or {})
    roots = {
        str(volume.get("name")): volumes.directory(view, volume)
        for volume in spec.get("volumes") or ()
        if "emptyDir" in volume
    }
    return frozenset(
        EnvFile(roots[reference["volumeName"]], str(reference.get("path")))
        for container in objects.containers(spec)
        for reference in _references(container)
        if reference.get("volumeName") in roots
    )


def _references(container: Object) -> Iterator[Object]:
    for entry in container.get("env") or ():
        reference = (entry.get("valueFrom") or {}).get("fileKeyRef")
        if reference is not None:
            yield reference


def value(view: PodView, reference: Object) -> str | None:
    """Return what the file has for the key, None if it has nothing and need not; ``ConfigError`` says why."""
    name, path, key = (str(reference.get(field) or "") for field in ("volumeName", "path", "key"))
    volume: Object = next(
        (each for each in objects.spec(view.pod or {}).get("volumes") or () if each.get("name") == name), {}
    )
    text = view.env_files.get(EnvFile(volumes.directory(view, volume), path))
    try:
        found = "" if text is None else parse(text, key)
    except ValueError as error:
        raise ConfigError(f"couldn't parse env file: {path} of volume {name}: {error}") from error
    if found:
        return found
    if reference.get("optional"):
        return None
    raise ConfigError(f'environment variable key "{key}" not found in file {path} of volume {name}')


def parse(text: str, key: str) -> str:
    """Return the value of a key, "" if there is none; ``ValueError`` names the line that cannot be read."""
    lines = enumerate(text.splitlines(), 1)
    for number, raw in lines:
        line = raw.lstrip(_BLANKS)
        if not line or line.startswith("#"):
            continue
        name, equals, rest = line.partition("=")
        start = f"invalid environment variable format at line {number}: "
        if not equals:
            raise ValueError(f"{start}missing '='")
        if not name.rstrip(_BLANKS):
            raise ValueError(f"{start}empty variable name")
        if name != name.rstrip(_BLANKS):
            raise ValueError(f"{start}whitespace before '=' is not allowed")
        if rest.startswith(tuple(_BLANKS)):
            found = ""  # as in a shell, the variable ends before the blank
        elif rest.startswith("'"):
            found = _quoted(number, rest[1:], lines)
        else:
            raise ValueError(f"{start}value must be enclosed in single quotes")
        if name == key:
            return found
    return ""


def _quoted(first: int, rest: str, lines: Iterator[tuple[int, str]]) -> str:
    """Return what is before the closing quote, on this line or a later one."""
    parts, number = [], first
    while "'" not in rest:
        parts.append(rest)
        number, rest = next(lines, (0, ""))
        if not number:
            raise ValueError(
                f"invalid environment variable format starting at line {first}: unclosed single quote"
            )
    last, _, after = rest.partition("'")
    after = after.lstrip(_BLANKS)
    if after and not after.startswith("#"):
        raise ValueError(
            f"invalid environment variable format at line {number}: unexpected content after closing quote"
        )
    return "\n".join([*parts, last])
