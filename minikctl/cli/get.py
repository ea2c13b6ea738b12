"""``get``: objects as tables or in any -o format, once or as they change."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import parsing, printing, selection
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag
from minikctl.cli.output import table
from minikctl.client import lightjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from minikctl.cli.output import printers
    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


class GetOptions(selection.Selecting, printing.Printing):
    """What ``get`` was asked."""

    output: str = flag(
        "--output",
        "-o",
        default="",
        help="wide, yaml, json, kyaml, name, jsonpath=…, go-template=…, custom-columns=HEADER:PATH,…; the last three also from a file: jsonpath-file=… .",
        complete=f"wide {printing.FORMATS} custom-columns= custom-columns-file=",
    )
    fields: str = flag(
        "--field-selector", default="", help="A field selector: metadata.name=x,status.phase!=y."
    )
    show_labels: bool = flag("--show-labels", default=False, help="Add a column of labels.")
    label_columns: tuple[str, ...] = flag(
        "--label-columns", "-L", default=(), split=True, help="Labels to show as columns.", complete="labels"
    )
    sort_by: str = flag("--sort-by", default="", help="A JSONPath to sort by.")
    watch: bool = flag("--watch", "-w", default=False, help="Go on with each change.")
    watch_only: bool = flag("--watch-only", default=False, help="Only changes from now on.")
    output_events: bool = flag("--output-watch-events", default=False, help="Say what each change was.")
    no_headers: bool = flag("--no-headers", default=False, help="No header line.")
    ignore_not_found: bool = flag("--ignore-not-found", default=False, help="A missing object is no failure.")
    show_kind: bool = flag("--show-kind", default=False, help="Put the type before each name.")
    subresource: str = flag("--subresource", default="", help="status or scale.", complete="status scale")
    raw: str = flag("--raw", default="", help="Print what the server answers at this path.")
    neat: bool = flag(
        "--neat",
        default=False,
        help="Leave out status, bookkeeping and defaults: what somebody would write.",
        own=True,
    )
    decode: bool = flag(
        "--decode", default=False, help="Show what Secrets hold as text, not as base64.", own=True
    )
    at: str = flag(
        "--at",
        default="",
        help="As it was: so long ago (10m), at a time (RFC 3339) or at a revision.",
        own=True,
    )
    chunk: int = flag("--chunk-size", default=500, help="Ask for lists in pieces of so many; 0: all at once.")


def run(options: GetOptions, session: Session) -> int:
    """Print what was asked for; return the exit code."""
    if options.raw:
        from minikctl.cli import raw

        raw.check_get(options)
        return raw.get(options.raw, session)
    _check(options)
    targets = list(_targets(options, session))
    if options.watch or options.watch_only:
        from minikctl.cli import watching

        return watching.run(options, targets, session)
    printer = printing.printer(options, _name_of(targets), columns=True)
    if options.neat and printer is None:
        raise errors.UsageError("error: --neat is about whole objects: add -o yaml or -o json")
    if options.decode and printer is None:
        from minikctl.cli.output import secrets

        printer = secrets.listed
    if printer is None:
        return _tables(options, targets, session)
    return _objects(options, targets, session, printer)


def _check(options: GetOptions) -> None:
    if not options.arguments and not options.files:
        raise parsing.Verbatim(
            'You must specify the type of resource to get. Use "minikctl api-resources" '
            "for a complete list of supported resources.\n\nerror: Required resource not specified.\n"
            'Use "minikctl explain <resource>" for a detailed description of that resource '
            "(e.g. minikctl explain pods).\n"
            "See 'minikctl get -h' for help and examples"
        )
    if options.show_labels and options.output not in ("", "wide"):
        raise errors.UsageError(f"error: --show-labels option cannot be used with {options.output} printer")
    if options.at and (options.watch or options.watch_only or options.subresource):
        raise errors.UsageError("error: --at shows what was: it goes with neither --watch nor --subresource")
    if options.output_events and not (options.watch or options.watch_only):
        raise errors.UsageError(
            "error: --output-watch-events option can only be used with --watch or --watch-only"
        )


def _targets(options: GetOptions, session: Session) -> Iterator[Target]:
    if options.files:
        from minikctl.cli import changing

        for document in changing.documents(options, session):
            yield selection.target_of(document.object, session, document.source)
        return
    for target in selection.parse(options.arguments, session.discovery, ""):
        if target.name and options.all_namespaces:
            raise errors.UsageError("error: a resource cannot be retrieved by name across all namespaces")
        if target.name and (options.labels or options.fields):
            raise selection.twice(options.arguments)
        if options.subresource and not target.name:
            raise errors.UsageError("error: subresource cannot be used when bulk resources are specified")
        for namespace in _namespaces(options, session) if target.resource.namespaced else ("",):
            yield selection.Target(target.resource, target.name, namespace)


def _namespaces(options: GetOptions, session: Session) -> list[str]:
    """Return the namespaces to look in: all at once (""), or one, or several that commas join."""
    if options.all_namespaces:
        return [""]
    return session.namespaces


def style_of(options: GetOptions, target: Target, several: bool, apart: bool = False) -> table.Style:
    """Return how the target's table looks: of one of several types, or of several namespaces (``apart``)."""
    return table.Style(
        wide=options.output == "wide",
        headers=not options.no_headers,
        namespaces=(options.all_namespaces or apart) and target.resource.namespaced,
        labels=options.show_labels,
        label_columns=options.label_columns,
        kind_prefix=target.resource.title if several or options.show_kind else "",
    )


def _tables(options: GetOptions, targets: list[Target], session: Session) -> int:
    several = len({target.resource.qualified for target in targets}) > 1
    apart = not options.files and len({t.namespace for t in targets if t.resource.namespaced}) > 1
    failures: list[errors.StatusError] = []
    shown = 0
    for group in _grouped(targets, several):
        found = _merged(options, group, session, failures)
        if not found["rows"]:
            continue
        style = style_of(options, group[0], several, apart)
        if shown and several and not options.no_headers:
            session.io.say("")
        for line in _aligned(found, style, session):
            session.io.say(line)
        shown += len(found["rows"])
    if not shown and not failures and not options.ignore_not_found:
        session.io.warn(_nothing_found(options, targets))
        _hint_namespace(options, targets, session)
        _hint_elsewhere(options, targets, session)
    return _complain(failures, session)


def _aligned(found: dict[str, Any], style: table.Style, session: Session) -> list[str]:
    header, rows = table.header(found, style), table.rows(found, style)
    if session.io.out.isatty():
        from minikctl.cli import terminal

        if terminal.has_colors(session.io.out):
            from minikctl.cli.output import painting

            return painting.lines(header, rows, headed=style.headers)
    return table.align([header, *rows] if style.headers else rows)


def _merged(
    options: GetOptions, group: list[Target], session: Session, failures: list[errors.StatusError]
) -> dict[str, Any]:
    """Return the targets' rows as one table; what cannot be read goes to ``failures``."""
    found: dict[str, Any] = {"rows": []}
    for target in group:
        try:
            answer = _table(options, target, session)
        except errors.StatusError as error:
            if not (error.code == 404 and options.ignore_not_found):
                failures.append(error)
            continue
        found = {**answer, "rows": found["rows"] + (answer.get("rows") or [])}
    if options.sort_by:
        from minikctl.cli.output import jsonpath

        key = table.sorter(lambda row: next(iter(jsonpath.find(options.sort_by, row.get("object"))), None))
        found["rows"] = sorted(found["rows"], key=key)
    return found


def _complain(failures: list[errors.StatusError], session: Session) -> int:
    if not failures:
        return 0
    from minikctl.cli import report

    for failure in failures:
        report.tell(failure, session)
        near = _near(failure, session)
        if near:
            session.io.warn(f"hint: did you mean {near}?")
    return 1


def _near(failure: errors.StatusError, session: Session) -> str:
    """Return names that are like the one that is not there."""
    if failure.code != 404 or not failure.details.get("name"):
        return ""
    import difflib

    try:
        kind = ".".join(filter(None, (failure.details.get("kind"), failure.details.get("group"))))
        place = selection.Target(session.discovery.find(kind), "", session.namespaces[0])
        names = [member.name for member in selection.members(place, session)]
    except errors.MinikctlError:
        return ""
    return " or ".join(difflib.get_close_matches(failure.details["name"], names, 2, 0.6))


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
    namespaces = sorted({target.namespace for target in targets if target.resource.namespaced})
    if options.all_namespaces or not namespaces:
        return "No resources found"
    if len(namespaces) > 1:
        return f"No resources found in {', '.join(namespaces)} namespaces."
    return f"No resources found in {namespaces.pop()} namespace."


def _hint_namespace(options: GetOptions, targets: list[Target], session: Session) -> None:
    """Say so when nothing was found because there is no such namespace; only a name that was given can be wrong."""
    namespaces = {target.namespace for target in targets if target.namespace}
    if not session.settings.namespace or len(namespaces) != 1:
        return
    name = namespaces.pop()
    try:
        session.client.request("GET", f"/api/v1/namespaces/{name}")
    except errors.StatusError as error:
        if error.code == 404:
            session.io.warn(f"hint: there is no namespace {name}; `minikctl ns` lists those that are there")


def _hint_elsewhere(options: GetOptions, targets: list[Target], session: Session) -> None:
    """Say where there are some, when everything was asked for and the namespace was nobody's choice."""
    from minikctl.cli import elsewhere

    if len(targets) != 1 or options.all_namespaces or options.labels or options.fields:
        return
    place = elsewhere.of_kind(targets[0].resource, session)
    if place:
        session.io.warn(f"hint: {place}")


def _table(options: GetOptions, target: Target, session: Session) -> dict[str, Any]:
    query = query_of(options, target)
    if options.sort_by or options.label_columns or options.show_labels:
        query["includeObject"] = "Object" if options.sort_by else "Metadata"
    return _listed(options, target, query, TABLE, session)


def query_of(options: GetOptions, target: Target) -> dict[str, Any]:
    """Return the query of a list; empty for one object."""
    if target.name:
        return {}
    return {"labelSelector": options.labels, "fieldSelector": options.fields, "limit": options.chunk or None}


def _listed(
    options: GetOptions, target: Target, query: dict[str, Any], accept: str, session: Session
) -> dict[str, Any]:
    """Return the whole answer of a list that may come in pieces."""
    field = "rows" if accept is TABLE else "items"
    whole: dict[str, Any] = {}
    while True:
        body = _read(options, target, query, accept, session)
        answer: dict[str, Any] = lightjson.loads(body)
        if accept is TABLE and answer.get("kind") != "Table":
            answer = table.of_object(answer)
        if whole:
            answer[field] = whole[field] + (answer.get(field) or [])
        whole = answer
        token = (answer.get("metadata") or {}).get("continue")
        if not token or target.name:
            return whole
        query = {**query, "continue": token}


def _read(options: GetOptions, target: Target, query: dict[str, Any], accept: str, session: Session) -> bytes:
    path = target.path(options.subresource)
    if options.at:
        from minikctl.cli import past

        path, query = past.path(target), {**query, **past.moment(options.at)}
    try:
        return session.client.request("GET", path, query=query, headers={"Accept": accept}).body
    except errors.StatusError as error:
        if target.name or error.code not in (400, 404):
            raise
        raise selection.list_failure(error, target, options.labels, options.fields) from error


def _objects(options: GetOptions, targets: list[Target], session: Session, printer: printers.Printer) -> int:
    found: list[dict[str, Any]] = []
    failures: list[errors.StatusError] = []
    for target in targets:
        try:
            found += fetch(options, target, session)
        except errors.StatusError as error:
            if not (error.code == 404 and options.ignore_not_found):
                failures.append(error)
    if options.sort_by:
        from minikctl.cli.output import jsonpath

        key = table.sorter(lambda obj: next(iter(jsonpath.find(options.sort_by, obj)), None))
        found.sort(key=key)
    many = len(targets) > 1 or any(not target.name for target in targets)
    if options.decode:
        from minikctl.cli.output import secrets

        found = [secrets.decoded(obj) for obj in found]
    if options.neat:
        from minikctl.cli.output import neat

        found = [neat.neat(obj) for obj in found]
    if found or (many and not failures):
        session.io.out.write(printer(found, many))
    return _complain(failures, session)


def fetch(options: GetOptions, target: Target, session: Session) -> list[dict[str, Any]]:
    """Return the target's objects, each with apiVersion and kind."""
    answer = _listed(options, target, query_of(options, target), "application/json", session)
    if target.name:
        return [answer]
    types = {"apiVersion": target.resource.api_version, "kind": target.resource.kind}
    return [{**types, **item} for item in answer.get("items") or ()]


def _name_of(targets: list[Target]) -> Callable[[dict[str, Any]], str]:
    return printing.kind_names(
        [(each.resource.api_version, each.resource.kind, each.resource.title) for each in targets]
    )


COMMANDS = {
    "get": Command(
        "Display one or many objects.\n\nTables are the server's; -o wide shows all of their columns.",
        GetOptions,
        run,
        usage="(TYPE[.VERSION][.GROUP] [NAME | -l label] | TYPE[.VERSION][.GROUP]/NAME ...) [flags]",
        examples=(
            ("All pods of all namespaces", "minikctl get pods -A"),
            ("A Deployment and a Service", "minikctl get deployment/web service/web -o wide"),
            ("Follow the Ingresses", "minikctl get ingress -w"),
            ("The pods of ten minutes ago", "minikctl get pods --at 10m"),
            ("All that is in a namespace, of every kind", "minikctl get everything -n tour"),
            ("What a Secret holds", "minikctl get secret keys --decode"),
            ("A manifest without what the server put in", "minikctl get deployment web -o yaml --neat"),
            ("One field", "minikctl get service web -o jsonpath='{.spec.clusterIP}'"),
        ),
    )
}
