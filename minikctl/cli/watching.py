"""``get -w``: first what is there, then every change as it comes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from minikctl import errors
from minikctl.cli import get, printing, selection
from minikctl.cli.output import printers, table
from minikctl.cli.selection import Target
from minikctl.cli.session import Session

if TYPE_CHECKING:
    from minikctl.cli.get import GetOptions


def run(options: GetOptions, targets: list[Target], session: Session) -> int:
    """Print the target's objects and their changes until the server ends the watch or the user does."""
    if len({target.namespace for target in targets}) > 1:
        raise errors.UsageError("error: changes are followed in one namespace, or in all of them: -A")
    if len(targets) != 1:
        raise errors.UsageError("error: you may only specify a single resource type")
    target = targets[0]
    view: _Tables | _Objects

    def names(shown: dict[str, Any]) -> str:
        obj = shown["object"] if options.output_events else shown
        return f"{target.resource.title}/{obj['metadata']['name']}"

    printer = printing.printer(options, names, columns=True)
    view = _Tables(options, target, session) if printer is None else _Objects(printer, options, session)
    query = get.query_of(options, target)
    query.pop("limit", None)
    try:
        body = session.client.request("GET", target.path(), query=query, headers=view.accept).body
    except errors.StatusError as error:
        if target.name or error.code not in (400, 404):
            raise
        raise selection.list_failure(error, target, options.labels, options.fields) from error
    first: dict[str, Any] = json.loads(body)
    if not options.watch_only:
        view.show_first(first, bool(target.name))
    revision = (first.get("metadata") or {}).get("resourceVersion", "")
    place, shown = target, ""
    if target.name:
        # The object's own revision may be one that is forgotten: it is followed from now on, beginning with itself.
        shown, revision = _revision_in(first), "0"
        query = {"fieldSelector": f"metadata.name={target.name}"}
        place = Target(target.resource, "", target.namespace)
    query = {**query, "watch": True, "resourceVersion": revision}
    stream = session.client.stream("GET", place.path(), query=query, headers=view.accept)
    try:
        for line in stream.lines():
            event = json.loads(line)
            if event["type"] == "ERROR":
                raise errors.StatusError.from_status(event["object"])
            if target.name and not selection.is_about(target, event["object"]):
                continue
            if event["type"] == "BOOKMARK" or (shown and _revision_in(event["object"]) == shown):
                continue
            shown = ""
            view.show(event)
            session.io.out.flush()
    finally:
        stream.close()
    return 0


def _revision_in(found: dict[str, Any]) -> str:
    """Return the revision of an object, or of the one that a table is about."""
    rows = found.get("rows") if found.get("kind") == "Table" else None
    obj = (rows[0].get("object") or {}) if rows else found
    return str((obj.get("metadata") or {}).get("resourceVersion") or "")


class _Tables:
    accept = {"Accept": get.TABLE}  # noqa: RUF012 - a constant

    def __init__(self, options: GetOptions, target: Target, session: Session) -> None:
        self._style = get.style_of(options, target, False)
        self._events = options.output_events
        self._session = session
        self._widths = table.Widths()
        self._columns: list[Any] = []
        self._is_headed = options.no_headers

    def show_first(self, answer: dict[str, Any], named: bool) -> None:
        self._print(answer, "ADDED")
        self._session.io.out.flush()

    def show(self, event: dict[str, Any]) -> None:
        self._print(event["object"], event["type"])

    def _print(self, found: dict[str, Any], kind: str) -> None:
        # Only the first table of a watch carries its column definitions.
        self._columns = found.get("columnDefinitions") or self._columns
        found = {**found, "columnDefinitions": self._columns}
        before = [kind] if self._events else []
        lines = [before + row for row in table.rows(found, self._style)]
        if not lines:
            return
        if not self._is_headed:
            self._is_headed = True
            lines.insert(0, (["EVENT"] if self._events else []) + table.header(found, self._style))
        self._widths.learn(lines)
        for line in lines:
            self._session.io.say(self._widths.line(line))


class _Objects:
    accept = {"Accept": "application/json"}  # noqa: RUF012 - a constant

    def __init__(self, printer: printers.Printer, options: GetOptions, session: Session) -> None:
        self._printer = printer
        self._events = options.output_events
        self._separate = options.output == "yaml"
        self._session = session

    def show_first(self, answer: dict[str, Any], named: bool) -> None:
        if named:
            self.show({"type": "ADDED", "object": answer})
            return
        kind = answer.get("kind", "").removesuffix("List")
        for item in answer.get("items") or ():
            item = {"apiVersion": answer.get("apiVersion"), "kind": kind, **item}
            self.show({"type": "ADDED", "object": item})

    def show(self, event: dict[str, Any]) -> None:
        shown = {"type": event["type"], "object": event["object"]} if self._events else event["object"]
        if self._separate:
            self._session.io.say("---")
        self._session.io.out.write(self._printer([shown], False))
        self._session.io.out.flush()
