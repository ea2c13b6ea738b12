"""``get``: objects as tables or in any -o format, once or as they change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from minikctl import errors
from minikctl.cli import flags, manifests, report, selection
from minikctl.cli.output import jsonpath, printers, table
from minikctl.cli.selection import Target
from minikctl.cli.session import Session

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
CHUNK = 500


@dataclass(frozen=True)
class GetOptions:
    """What ``get`` was asked."""

    arguments: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    recursive: bool = False
    output: str = ""
    all_namespaces: bool = False
    labels: str = ""
    fields: str = ""
    show_labels: bool = False
    label_columns: tuple[str, ...] = ()
    sort_by: str = ""
    watch: bool = False
    watch_only: bool = False
    output_events: bool = False
    headers: bool = True
    ignore_not_found: bool = False
    show_kind: bool = False
    managed_fields: bool = False
    raw: str = ""
    chunk: int = CHUNK


class CommandOptions(Options):
    """What ``command`` was asked."""

    arguments: tuple[str, ...] = rest("TYPE[/NAME] [NAME...]")
    files: tuple[str, ...] = flag("--filename", "-f", default=(), help="Files that name objects.")
    recursive: bool = flag("--recursive", "-R", default=False, help="Descend into directories.")
    output: str = flag(
        "--output", "-o", default="", help="wide, yaml, json, name, jsonpath=…, custom-columns=…"
    )
    all_namespaces: bool = flag("--all-namespaces", "-A", default=False, help="Every namespace.")
    labels: str = flag("--selector", "-l", default="", help="A label selector.")
    fields: str = flag("--field-selector", default="", help="A field selector.")
    show_labels: bool = flag("--show-labels", default=False, help="Add a column of labels.")
    label_columns: tuple[str, ...] = flag(
        "--label-columns", "-L", default=(), help="Labels to show as columns."
    )
    sort_by: str = flag("--sort-by", default="", help="A JSONPath to sort by.")
    watch: bool = flag("--watch", "-w", default=False, help="Go on with each change.")
    watch_only: bool = flag("--watch-only", default=False, help="Only changes from now on.")
    output_events: bool = flag("--output-watch-events", default=False, help="Say what each change was.")
    no_headers: bool = flag("--no-headers", default=False, help="No header line.")
    ignore_not_found: bool = flag("--ignore-not-found", default=False, help="A missing object is no failure.")
    show_kind: bool = flag("--show-kind", default=False, help="Put the type before each name.")
    managed_fields: bool = flag("--show-managed-fields", default=False, help="Keep metadata.managedFields.")
    raw: str = flag("--raw", default="", help="Print what the server answers at this path.")
    chunk: int = flag("--chunk-size", default=CHUNK, help="Ask for lists in pieces of so many.")


def command(options: CommandOptions, session: Session) -> int:
    """Display one or many objects."""
    columns = tuple((key for part in options.label_columns or () for key in part.split(",") if key))
    options = GetOptions(
        tuple(options.arguments or ()),
        tuple(options.files or ()),
        options.recursive,
        options.output,
        options.all_namespaces,
        options.labels,
        options.fields,
        options.show_labels,
        columns,
        options.sort_by,
        options.watch,
        options.watch_only,
        options.output_events,
        not options.no_headers,
        options.ignore_not_found,
        options.show_kind,
        options.managed_fields,
        options.raw,
        options.chunk,
    )
    return run(options, session)


# COMMAND command: 'Display one or many objects.\n\nExamples:  minikctl get pods -A     minikctl get deploy/web svc/web -o wide     minikctl get ingress -w'


VERBS = {"get": flags.single(command)}


def run(options: GetOptions, session: Session) -> int:
    """Print what was asked for; return the exit code."""
    if options.raw:
        session.io.out.write(session.client.request("GET", options.raw).body.decode())
        return 0
    targets = list(_targets(options, session))
    if options.watch or options.watch_only:
        from minikctl.cli import watching

        return watching.run(options, targets, session)
    printer = printers.of(options.output, _name_of(targets), managed_fields=options.managed_fields)
    if printer is None:
        return _tables(options, targets, session)
    return _objects(options, targets, session, printer)


def _targets(options: GetOptions, session: Session) -> Iterator[Target]:
    if options.files:
        for document in manifests.read(options.files, options.recursive, session.io.stdin):
            if isinstance(document, manifests.BadDocument):
                raise document
            yield selection.target_of(document.object, session)
        return
    namespace = "" if options.all_namespaces else session.namespace
    for target in selection.parse(options.arguments, session.discovery, namespace):
        if target.name and options.all_namespaces:
            raise errors.UsageError("error: a resource cannot be retrieved by name across all namespaces")
        if target.name and options.labels:
            raise errors.UsageError("error: name cannot be provided when a selector is specified")
        yield target


def style_of(options: GetOptions, target: Target, several: bool) -> table.Style:
    """Return how the target's table looks."""
    return table.Style(
        wide=options.output == "wide",
        headers=options.headers,
        namespaces=options.all_namespaces and target.resource.namespaced,
        labels=options.show_labels,
        label_columns=options.label_columns,
        kind_prefix=target.resource.title if several or options.show_kind else "",
    )


def _tables(options: GetOptions, targets: list[Target], session: Session) -> int:
    several = len({target.resource.qualified for target in targets}) > 1
    failures, shown, blank = [], 0, False
    for group in _grouped(targets, several):
        found: dict[str, Any] = {"rows": []}
        for target in group:
            try:
                answer = _table(options, target, session)
            except errors.StatusError as error:
                if not (error.code == 404 and options.ignore_not_found):
                    failures.append(error)
                continue
            found = {**answer, "rows": found["rows"] + (answer.get("rows") or [])}
        if not found["rows"]:
            continue
        style = style_of(options, group[0], several)
        lines = [table.header(found, style)] if options.headers else []
        if blank:
            session.io.say("")
        for line in table.align(lines + table.rows(found, style)):
            session.io.say(line)
        shown, blank = shown + len(found["rows"]), several
    for failure in failures:
        session.io.warn(report.status_sentence(failure))
    if not shown and not failures and not options.ignore_not_found:
        session.io.warn(_nothing_found(options, targets))
    return 1 if failures else 0


def _grouped(targets: list[Target], several: bool) -> list[list[Target]]:
    """Return the targets that share a table: neighbours of one resource."""
    if not several:
        return [targets] if targets else []
    groups: list[list[Target]] = []
    for target in targets:
        if groups and groups[-1][0].resource == target.resource:
            groups[-1].append(target)
        else:
            groups.append([target])
    return groups


def _nothing_found(options: GetOptions, targets: list[Target]) -> str:
    namespaces = {target.namespace for target in targets if target.resource.namespaced}
    if options.all_namespaces or not namespaces:
        return "No resources found"
    return f"No resources found in {namespaces.pop()} namespace."


def _table(options: GetOptions, target: Target, session: Session) -> dict[str, Any]:
    query = query_of(options, target)
    if options.sort_by or options.label_columns or options.show_labels:
        query["includeObject"] = "Object" if options.sort_by else "Metadata"
    answer: dict[str, Any] = _listed(session, target, query, TABLE, "rows")
    if options.sort_by:
        key = table.sorter(lambda row: next(iter(jsonpath.find(options.sort_by, row.get("object"))), None))
        answer["rows"] = sorted(answer.get("rows") or (), key=key)
    return answer


def query_of(options: GetOptions, target: Target) -> dict[str, Any]:
    """Return the query of a list; empty for one object."""
    if target.name:
        return {}
    return {"labelSelector": options.labels, "fieldSelector": options.fields, "limit": options.chunk}


def _listed(
    session: Session, target: Target, query: dict[str, Any], accept: str, field: str
) -> dict[str, Any]:
    """Return the whole answer of a list that may come in pieces."""
    whole: dict[str, Any] = {}
    while True:
        body = session.client.request("GET", target.path(), query=query, headers={"Accept": accept}).body
        answer: dict[str, Any] = json.loads(body)
        if whole:
            answer[field] = whole[field] + (answer.get(field) or [])
        whole = answer
        token = (answer.get("metadata") or {}).get("continue")
        if not token or target.name:
            return whole
        query = {**query, "continue": token}


def _objects(options: GetOptions, targets: list[Target], session: Session, printer: printers.Printer) -> int:
    found: list[dict[str, Any]] = []
    failures = []
    for target in targets:
        try:
            found += fetch(options, target, session)
        except errors.StatusError as error:
            if not (error.code == 404 and options.ignore_not_found):
                failures.append(error)
    if options.sort_by:
        key = table.sorter(lambda obj: next(iter(jsonpath.find(options.sort_by, obj)), None))
        found.sort(key=key)
    many = len(targets) > 1 or any(not target.name for target in targets)
    if found or (many and not failures):
        session.io.out.write(printer(found, many))
    for failure in failures:
        session.io.warn(report.status_sentence(failure))
    return 1 if failures else 0


def fetch(options: GetOptions, target: Target, session: Session) -> list[dict[str, Any]]:
    """Return the target's objects, each with apiVersion and kind."""
    answer = _listed(session, target, query_of(options, target), "application/json", "items")
    if target.name:
        return [answer]
    types = {"apiVersion": target.resource.api_version, "kind": target.resource.kind}
    return [{**types, **item} for item in answer.get("items") or ()]


def _name_of(targets: list[Target]) -> Any:
    titles = {(t.resource.api_version, t.resource.kind): t.resource.title for t in targets}

    def name(obj: dict[str, Any]) -> str:
        key = (str(obj.get("apiVersion")), str(obj.get("kind")))
        return f"{titles.get(key, key[1].lower())}/{(obj.get('metadata') or {}).get('name', '')}"

    return name
