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


def command(
    ctx: typer.Context,
    arguments: Annotated[list[str] | None, typer.Argument(metavar="TYPE[/NAME] [NAME...]")] = None,
    files: Annotated[
        list[str] | None, typer.Option("--filename", "-f", help="Files that name objects.")
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-R", help="Descend into directories.")] = False,
    output: Annotated[
        str, typer.Option("--output", "-o", help="wide, yaml, json, name, jsonpath=…, custom-columns=…")
    ] = "",
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Every namespace.")] = False,
    labels: Annotated[str, typer.Option("--selector", "-l", help="A label selector.")] = "",
    fields: Annotated[str, typer.Option("--field-selector", help="A field selector.")] = "",
    show_labels: Annotated[bool, typer.Option("--show-labels", help="Add a column of labels.")] = False,
    label_columns: Annotated[
        list[str] | None, typer.Option("--label-columns", "-L", help="Labels to show as columns.")
    ] = None,
    sort_by: Annotated[str, typer.Option("--sort-by", help="A JSONPath to sort by.")] = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on with each change.")] = False,
    watch_only: Annotated[bool, typer.Option("--watch-only", help="Only changes from now on.")] = False,
    output_events: Annotated[
        bool, typer.Option("--output-watch-events", help="Say what each change was.")
    ] = False,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="No header line.")] = False,
    ignore_not_found: Annotated[
        bool, typer.Option("--ignore-not-found", help="A missing object is no failure.")
    ] = False,
    show_kind: Annotated[bool, typer.Option("--show-kind", help="Put the type before each name.")] = False,
    managed_fields: Annotated[
        bool, typer.Option("--show-managed-fields", help="Keep metadata.managedFields.")
    ] = False,
    raw: Annotated[str, typer.Option("--raw", help="Print what the server answers at this path.")] = "",
    chunk: Annotated[int, typer.Option("--chunk-size", help="Ask for lists in pieces of so many.")] = CHUNK,
) -> None:
    """Display one or many objects.

    Examples:  minikctl get pods -A     minikctl get deploy/web svc/web -o wide     minikctl get ingress -w
    """
    columns = tuple(key for part in label_columns or () for key in part.split(",") if key)
    options = GetOptions(
        tuple(arguments or ()), tuple(files or ()), recursive, output, all_namespaces, labels, fields,
        show_labels, columns, sort_by, watch, watch_only, output_events, not no_headers, ignore_not_found,
        show_kind, managed_fields, raw, chunk,
    )  # fmt: skip
    raise typer.Exit(run(options, flags.of(ctx)))


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
