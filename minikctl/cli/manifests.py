"""Reading manifests from files, directories, URLs and standard input.

Each document knows where it stands, so that a complaint can name file, document, line and field.
"""

from __future__ import annotations

import os

import yaml

from minikctl import errors
from minikctl.cli import filing, yamlload
from minikctl.client.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, TextIO

    from minikctl.cli.session import Io

SUFFIXES = (".yaml", ".yml", ".json")
LIMIT_BYTES = 64 * 1024 * 1024


class Document(Record):
    """One object of a manifest; ``index`` counts the file's documents from 1, ``line`` is its first line."""

    object: dict[str, Any]
    source: str
    index: int
    line: int

    @property
    def place(self) -> str:
        """Return how messages name the document."""
        return f"{self.source} (document {self.index}, line {self.line})"


class BadDocument(errors.MinikctlError):
    """A document cannot be read; the text says where and why."""


def read(paths: Sequence[str], recursive: bool, stdin: TextIO) -> Iterator[Document | BadDocument]:
    """Yield every document of every path; a bad one comes as a ``BadDocument`` and the others follow."""
    for path in paths:
        for source, text in _texts(path, recursive, stdin):
            yield from parse(text, source)


def sound(paths: Sequence[str], recursive: bool, io: Io) -> list[Document]:
    """Return the documents that can be read; complain of the others."""
    found = []
    for document in read(paths, recursive, io.stdin):
        if isinstance(document, BadDocument):
            io.warn(f"error: {document}")
        else:
            found.append(document)
    return found


def _texts(path: str, recursive: bool, stdin: TextIO) -> Iterator[tuple[str, str]]:
    if path.startswith(filing.KUSTOMIZE):
        from minikctl.cli import kustomizing

        directory = path.removeprefix(filing.KUSTOMIZE)
        yield directory, kustomizing.build(directory)
    elif path == "-":
        yield "STDIN", stdin.read()
    elif path.startswith(("http://", "https://")):
        yield path, _fetch(path)
    elif os.path.isdir(path):
        found = list(_files(path, recursive))
        if not found:
            raise errors.UsageError(
                f"error: error reading [{path}]: recognized file extensions are [.json .yaml .yml]"
            )
        for name in found:
            yield name, _read(name)
    else:
        yield path, _read(path)


def _files(directory: str, recursive: bool) -> Iterator[str]:
    for entry in sorted(os.listdir(directory)):
        path = os.path.join(directory, entry)
        if os.path.isdir(path):
            if recursive:
                yield from _files(path, recursive)
        elif entry.endswith(SUFFIXES):
            yield path


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as source:
            return source.read()
    except FileNotFoundError:
        raise errors.UsageError(f'error: the path "{path}" does not exist') from None
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UsageError(f"error: unable to read {path}: {error}") from error


def _fetch(url: str) -> str:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            data: bytes = answer.read(LIMIT_BYTES)
            return data.decode()
    except (urllib.error.URLError, OSError, UnicodeDecodeError) as error:
        raise errors.UsageError(f'error: unable to read URL "{url}": {error}') from error


def parse(text: str, source: str) -> Iterator[Document | BadDocument]:
    """Yield the documents of one text; after a syntax error the next one goes on at its ``---``."""
    for index, (line, part) in enumerate(_split(text), 1):
        try:
            found = yamlload.load(part)
        except yaml.YAMLError as error:
            yield BadDocument(_syntax(error, source, index, line))
            continue
        if found is None:
            continue
        yield from _objects(found, source, index, line)


def _objects(found: Any, source: str, index: int, line: int) -> Iterator[Document | BadDocument]:
    document = Document(found, source, index, line)
    if not isinstance(found, dict):
        yield BadDocument(f"{document.place}: expected an object, found {type(found).__name__}")
    elif not isinstance(found.get("kind"), str):
        yield BadDocument(f"{document.place}: kind: Required value")
    elif not isinstance(found.get("apiVersion"), str):
        yield BadDocument(f"{document.place}: apiVersion: Required value")
    elif found["kind"].endswith("List") and isinstance(found.get("items"), list):
        for item in found["items"]:
            yield from _objects(item, source, index, line)
    else:
        yield Document(found, source, index, line)


def _split(text: str) -> Iterator[tuple[int, str]]:
    """Yield (first line, text) of each document, so that a broken one does not take the others along."""
    start = 1
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if line.startswith("---") and (len(line) == 3 or line[3] in " \t\r\n"):
            if any(part.strip() and not part.lstrip().startswith("#") for part in lines):
                yield start, "".join(lines)
            start, lines = number + 1, [line[3:]] if line[3:].strip() else []
        else:
            lines.append(line)
    if any(part.strip() and not part.lstrip().startswith("#") for part in lines):
        yield start, "".join(lines)


def _syntax(error: yaml.YAMLError, source: str, index: int, line: int) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    if mark is None:
        return f"error parsing {source} (document {index}): {problem}"
    where = f"line {line + mark.line}, column {mark.column + 1}"
    return f"error parsing {source} (document {index}): {where}: {problem}"
