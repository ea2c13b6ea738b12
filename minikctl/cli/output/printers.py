"""The -o formats other than tables: yaml, json, name, jsonpath, custom-columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from minikctl import errors

Object = dict[str, Any]
Printer = Callable[[Sequence[Object], bool], str]
"""Gets objects and whether they are a list (rather than one that was named); returns the text."""

_UNSAFE = (
    ("<", "\\u003c"),
    (">", "\\u003e"),
    ("&", "\\u0026"),
    ("\u2028", "\\u2028"),
    ("\u2029", "\\u2029"),
)

_FORMATS = (
    "go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,kyaml,name,template,"
    "templatefile"
)
_TABLES = ("custom-columns", "custom-columns-file")
_TEMPLATES = {"template": "go-template", "templatefile": "go-template-file"}


def of(
    output: str,
    names: Callable[[Object], str],
    *,
    managed_fields: bool = False,
    template: str = "",
    strict: bool = False,
    columns: str = "headed",
) -> Printer | None:
    """Return the printer for a -o value; None for "" and "wide", which are tables.

    ``template`` is used by formats that have none of their own; ``strict``: what a template misses is a
    failure; ``columns``: "" when they are not among the formats, "headed", or "bare" without a header.
    """
    form, _, argument = output.partition("=")
    form = _TEMPLATES.get(form, form)
    if form == "" and template:
        form = "go-template"
    if output in ("", "wide") and form != "go-template":
        return None
    argument = argument or (template if "template" in form or "jsonpath" in form else "")
    clean = (lambda obj: obj) if managed_fields else without_managed_fields
    makers: dict[str, Callable[[], Printer]] = {
        "kyaml": lambda: lambda objects, many: to_kyaml(_wrapped(list(map(clean, objects)), many)),
        "go-template": lambda: _go_template(argument, strict),
        "go-template-file": lambda: _go_template(argument and read_template(argument, "--template"), strict),
        "json": lambda: lambda objects, many: to_json(_wrapped(list(map(clean, objects)), many)) + "\n",
        "yaml": lambda: lambda objects, many: to_yaml(_wrapped(list(map(clean, objects)), many)),
        "name": lambda: lambda objects, many: "".join(names(obj) + "\n" for obj in objects),
        "jsonpath": lambda: _jsonpath(argument, strict),
        "jsonpath-file": lambda: _jsonpath(argument and read_template(argument, "--template"), strict),
        "jsonpath-as-json": lambda: _jsonpath_json(argument),
        "custom-columns": lambda: _columns(argument, columns == "headed"),
        "custom-columns-file": lambda: _columns_file(argument, columns == "headed"),
    }
    if form not in makers or (form in _TABLES and not columns):
        formats = f"{','.join(_TABLES)},{_FORMATS},wide,yaml" if columns else f"{_FORMATS},yaml"
        raise unmatched(output, formats)
    return makers[form]()


def unmatched(output: str, allowed: str) -> errors.UsageError:
    """Return the refusal of an output format that a command does not have."""
    return errors.UsageError(
        f'error: unable to match a printer suitable for the output format "{output}", '
        f"allowed formats are: {allowed}"
    )


def to_json(value: Any) -> str:
    """Return JSON as kubectl prints it: keys in order, and safe inside HTML."""
    return _html_safe(json.dumps(value, indent=4, ensure_ascii=False, sort_keys=True))


def _html_safe(text: str) -> str:
    for char, code in _UNSAFE:
        if char in text:
            text = text.replace(char, code)
    return text


def to_yaml(value: Any) -> str:
    """Return YAML as kubectl prints it."""
    from minikctl.cli.output import yamltext

    return yamltext.to_yaml(value)


def to_kyaml(value: Any) -> str:
    """Return KYAML as kubectl prints it."""
    from minikctl.cli.output import kyaml

    return kyaml.to_kyaml(value)


def typed(output: str, *, managed_fields: bool = False) -> Printer:
    """Return the printer for json or kyaml with fields in the order of their types."""
    from minikctl.cli.output import kyaml
    from minikctl.cli.output.typed import ordered

    clean = (lambda obj: obj) if managed_fields else without_managed_fields

    def text(objects: Sequence[Object], many: bool) -> str:
        value = ordered(_wrapped(list(map(clean, objects)), many))
        if output == "kyaml":
            return kyaml.to_kyaml(value, sort=False)
        return _html_safe(json.dumps(value, indent=4, ensure_ascii=False)) + "\n"

    return text


def without_managed_fields(obj: Object) -> Object:
    """Return the object, or the list of objects, without metadata.managedFields, which is noise to a reader."""
    if isinstance(obj.get("items"), list) and str(obj.get("kind")).endswith("List"):
        obj = {**obj, "items": list(map(without_managed_fields, obj["items"]))}
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return obj
    return {**obj, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}


def _wrapped(objects: Sequence[Object], many: bool) -> Object:
    if not many and len(objects) == 1:
        return objects[0]
    return {"apiVersion": "v1", "items": list(objects), "kind": "List", "metadata": {"resourceVersion": ""}}


def _jsonpath(template: str, strict: bool) -> Printer:
    if not template:
        raise errors.UsageError("error: template format specified but no template given")
    from minikctl.cli.output import jsonpath

    return lambda objects, many: jsonpath.render(template, _wrapped(objects, many), strict=strict)


def _go_template(template: str, strict: bool) -> Printer:
    from minikctl.cli.output import gotemplate

    if not template:
        raise errors.UsageError("error: template format specified but no template given")
    gotemplate.check(template)

    def text(objects: Sequence[Object], many: bool) -> str:
        return gotemplate.render(template, _wrapped(objects, many), strict=strict)

    return text


def _jsonpath_json(template: str) -> Printer:
    from minikctl.cli.output import jsonpath

    return lambda objects, many: to_json(jsonpath.find(template, _wrapped(objects, many))) + "\n"


def read_template(path: str, flag: str = "template") -> str:
    """Return a file's text; ``UsageError`` when it cannot be read."""
    try:
        with open(path, encoding="utf-8") as source:
            return source.read()
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise errors.UsageError(f"error: error reading {flag} {path}, open {path}: {reason}") from error


def _columns(spec: str, headed: bool) -> Printer:
    if not spec:
        raise errors.UsageError("error: custom-columns format specified but no custom columns given")
    pairs = []
    for part in spec.split(","):
        pairs.append(part.partition(":"))
        if not pairs[-1][1]:
            raise errors.UsageError(
                f"error: unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"
            )
    headers = [head for head, _, _ in pairs]
    paths = [path for _, _, path in pairs]
    return lambda objects, many: _column_text(headers if headed else [], paths, objects)


def _columns_file(path: str, headed: bool) -> Printer:
    lines = [line.split() for line in read_template(path).splitlines() if line.strip()]
    if len(lines) != 2 or len(lines[0]) != len(lines[1]):
        raise errors.UsageError(f"error: {path}: expected a line of headers and a line of as many paths")
    return lambda objects, many: _column_text(lines[0] if headed else [], lines[1], objects)


def _column_text(headers: Sequence[str], paths: Sequence[str], objects: Sequence[Object]) -> str:
    from minikctl.cli.output import jsonpath, table

    rows = [list(headers)] if headers else []
    for obj in objects:
        cells = (jsonpath.find(path, obj) for path in paths)
        rows.append([",".join(_column_cell(value) for value in found) or "<none>" for found in cells])
    return "".join(line + "\n" for line in table.align(rows))


def _column_cell(value: Any) -> str:
    from minikctl.cli.output import jsonpath

    if isinstance(value, dict | list):  # as Go prints them, unlike in templates of JSONPath
        from minikctl.model import govalues

        return govalues.shown(value)
    return "<none>" if value is None else jsonpath.text(value)
