"""Reading manifests from files, directories, URLs and standard input.

Each document knows where it stands, so that a complaint can name file, document, line and field.
"""

from __future__ import annotations

import json
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
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
LIMIT_BYTES = 64 * 1024 * 1024


class Document(Record):
    """One object of a manifest; ``index`` counts the file's documents from 1, ``line`` is its first line."""

    object: dict[str, Any]
    source: str
    index: int
    line: int

    @property
    def place(self) -> str:
        """Return how hints name the document: its file and line, and its object's kind and name."""
        found = self.object if isinstance(self.object, dict) else {}
        metadata = found.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        title = f", {found.get('kind')} {name}" if name else ""
        return f"{self.source}, document {self.index}, line {self.line}{title}"


class BadDocument(errors.MinikctlError):
    """A document cannot be read; the text says why in kubectl's words, ``place`` where.

    ``missing`` is what a validation says first, before the text: "" for what is not even YAML.
    """

    def __init__(self, text: str, source: str, place: str, missing: str = "") -> None:
        super().__init__(text)
        self.source = source
        self.place = place
        self.missing = missing


def read(paths: Sequence[str], recursive: bool, stdin: TextIO) -> Iterator[Document | BadDocument]:
    """Yield every document of every path; a bad one comes as a ``BadDocument`` and the others follow."""
    for path in paths:
        for source, text in _texts(path, recursive, stdin):
            yield from parse(text, source)


def labelled(documents: list[Document], selector: str) -> list[Document]:
    """Return the documents whose objects a label selector chooses; refuse one that is none, in kubectl's words."""
    from minikctl.model import objects, selectors

    try:
        chosen = selectors.parse(selector)
    except selectors.SelectorError as error:
        raise errors.UsageError(f'error: the provided selector "{selector}" is not valid: {error}') from error
    return [one for one in documents if chosen.matches(objects.labels(one.object))]


def sound(paths: Sequence[str], recursive: bool, io: Io) -> list[Document]:
    """Return the documents that can be read; complain of the others, which makes the command fail."""
    found = []
    for document in read(paths, recursive, io.stdin):
        if isinstance(document, BadDocument):
            from minikctl.cli import refusals

            io.warn(refusals.of_bad_document(document))
            io.troubled = True
        else:
            found.append(document)
    return found


def _texts(path: str, recursive: bool, stdin: TextIO) -> Iterator[tuple[str, str]]:
    if path.startswith(filing.KUSTOMIZE):
        from minikctl.cli import kustomizing

        directory = path.removeprefix(filing.KUSTOMIZE)
        yield directory, kustomizing.build(directory)
    elif path == "-":
        yield "STDIN", _standard(stdin)
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
        with open(path, "rb") as source:
            return _decoded(source.read())
    except FileNotFoundError:
        raise errors.UsageError(f'error: the path "{path}" does not exist') from None
    except UnicodeDecodeError as error:
        raise errors.UsageError(f"error: unable to read {path}: {error}; hint: save it as UTF-8") from error
    except OSError as error:
        raise errors.UsageError(f"error: unable to read {path}: {error}") from error


def _standard(stdin: TextIO) -> str:
    raw = getattr(stdin, "buffer", None)
    if raw is None:
        return stdin.read()
    try:
        return _decoded(raw.read())
    except UnicodeDecodeError as error:
        raise errors.UsageError(f"error: unable to read STDIN: {error}; hint: send it as UTF-8") from error


def _decoded(data: bytes) -> str:
    """Return the text of a manifest: UTF-8, or UTF-16 where its mark says so, as PowerShell's ``>`` writes it.

    Line ends are those of text files, whichever system wrote them.
    """
    text = data.decode("utf-16" if data.startswith(UTF16_MARKS) else "utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _fetch(url: str) -> str:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            data: bytes = answer.read(LIMIT_BYTES)
            return _decoded(data)
    except (urllib.error.URLError, OSError, UnicodeDecodeError) as error:
        raise errors.UsageError(f'error: unable to read URL "{url}": {error}') from error


def parse(text: str, source: str) -> Iterator[Document | BadDocument]:
    """Yield the documents of one text; after a syntax error the next one goes on at its ``---``."""
    for index, (line, part) in enumerate(_split(text), 1):
        try:
            found = yamlload.load(part)
        except yaml.YAMLError as error:
            yield _syntax(error, source, index, line)
            continue
        if found is None:
            continue
        yield from _objects(found, source, index, line)


def _objects(found: Any, source: str, index: int, line: int) -> Iterator[Document | BadDocument]:
    document = Document(found, source, index, line)
    wrong = _wrong(found)
    if wrong:
        yield BadDocument(f'unable to decode "{source}": {wrong[0]}', source, document.place, wrong[1])
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


def _wrong(found: Any) -> tuple[str, str] | None:
    """Return what decoding and what validation say of a document that is no object; None for an object."""
    if not isinstance(found, dict):
        what = {list: "array", str: "string", bool: "bool"}.get(type(found), "number")
        text = f"json: cannot unmarshal {what} into Go value of type unstructured.detector"
        return text, "invalid object to validate"
    gone = [field for field in ("apiVersion", "kind") if not isinstance(found.get(field), str)]
    if not gone:
        return None
    text = json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    lacks = [f"{field} not set" for field in gone]
    said = lacks[0] if len(lacks) == 1 else f"[{', '.join(lacks)}]"
    return f"Object '{'Kind' if 'kind' in gone else 'apiVersion'}' is missing in '{text}'", said


def _syntax(error: yaml.YAMLError, source: str, index: int, line: int) -> BadDocument:
    """Return the complaint in kubectl's words; it counts lines in its own way, so the hint names the place."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    place, counted = f"{source}, document {index}", ""
    if mark is not None:
        place += f", line {line + mark.line}, column {mark.column + 1}"
        number = mark.line + isinstance(error, yaml.scanner.ScannerError) if mark.line else 0
        counted = f"line {number}: " if number else ""
    text = f"error parsing {source}: error converting YAML to JSON: yaml: {counted}{problem}"
    return BadDocument(text, source, place)
