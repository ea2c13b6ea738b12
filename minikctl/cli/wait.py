"""``wait``: until objects meet a condition, have a value, exist or are gone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from minikctl import errors
from minikctl.cli import delete, flags, manifests, selection, timespan
from minikctl.cli.output import jsonpath
from minikctl.cli.selection import Target
from minikctl.cli.session import Session

POLL_SECONDS = 0.5

Test = Callable[[dict[str, Any]], bool]


@dataclass(frozen=True)
class WaitOptions:
    """What ``wait`` was asked."""

    arguments: tuple[str, ...]
    files: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    labels: str = ""
    fields: str = ""
    all: bool = False
    all_namespaces: bool = False
    timeout: str = "30s"


class CommandOptions(Options):
    """What ``command`` was asked."""

    arguments: tuple[str, ...] = rest("TYPE[/NAME] [NAME...]")
    conditions: tuple[str, ...] = flag(
        "--for", default=(), help="condition=NAME[=VALUE], delete, create or jsonpath={…}[=VALUE]."
    )
    files: tuple[str, ...] = flag("--filename", "-f", default=(), help="Files that name objects.")
    labels: str = flag("--selector", "-l", default="", help="A label selector.")
    fields: str = flag("--field-selector", default="", help="A field selector.")
    all_: bool = flag("--all", default=False, help="All objects of the type in the namespace.")
    all_namespaces: bool = flag("--all-namespaces", "-A", default=False, help="Every namespace.")
    timeout: str = flag("--timeout", default="30s", help="How long; 0 looks once, negative a week.")


def command(options: CommandOptions, session: Session) -> int:
    """Wait for a condition on one or many objects."""
    options = WaitOptions(
        tuple(options.arguments or ()),
        tuple(options.files or ()),
        tuple(options.conditions or ()),
        options.labels,
        options.fields,
        options.all_,
        options.all_namespaces,
        options.timeout,
    )
    return run(options, session)


# COMMAND command: 'Wait for a condition on one or many objects.\n\nExamples:  minikctl wait --for=condition=Available deploy --all     minikctl wait --for=delete pod/web --timeout=60s'


VERBS = {"wait": flags.single(command)}


def run(options: WaitOptions, session: Session) -> int:
    """Wait for all objects and all conditions, in order; return the exit code."""
    if not options.conditions:
        raise errors.UsageError("error: --for must be specified")
    seconds = timespan.seconds(options.timeout)
    deadline = time.monotonic() + (delete.WEEK_SECONDS if seconds < 0 else seconds)
    failed = False
    for condition in options.conditions:
        targets = _targets(options, condition, deadline, session)
        if not targets and condition.lower() != "delete":
            raise errors.UsageError("error: no matching resources found")
        for target in targets:
            failed = not _one(condition, target, deadline, session) or failed
    return 1 if failed else 0


def _targets(options: WaitOptions, condition: str, deadline: float, session: Session) -> list[Target]:
    if options.files:
        return [
            selection.target_of(document.object, session)
            for document in manifests.read(options.files, False, session.io.stdin)
            if isinstance(document, manifests.Document)
        ]
    namespace = "" if options.all_namespaces else session.namespace
    parsed = selection.parse(options.arguments, session.discovery, namespace)
    if all(target.name for target in parsed):
        return parsed
    if not (options.all or options.labels or options.fields):
        raise errors.UsageError("error: resource(s) were provided, but no name was specified")
    chosen = delete.DeleteOptions(labels=options.labels, fields=options.fields)
    while True:
        found = [item for target in parsed for item in delete.members(chosen, target, session)]
        if found or condition.lower() != "create" or time.monotonic() >= deadline:
            return found
        time.sleep(POLL_SECONDS)


def _one(condition: str, target: Target, deadline: float, session: Session) -> bool:
    lowered = condition.lower()
    if lowered == "delete":
        done = _deleted(target, deadline, session)
    elif lowered == "create":
        done = _created(target, deadline, session)
    else:
        done = _meets(test(condition), target, deadline, session)
    place = f"{target.resource.name}/{target.name}"
    if not done:
        session.io.warn(f"error: timed out waiting for the condition on {place}")
    else:
        session.io.say(f"{target.title} {'condition met'}")
        session.io.out.flush()
    return done


def _deleted(target: Target, deadline: float, session: Session) -> bool:
    return delete.gone(target, "", deadline, session)


def _created(target: Target, deadline: float, session: Session) -> bool:
    while _read(target, session) is None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def test(condition: str) -> Test:
    """Return the test that a --for value describes."""
    kind, equals, rest = condition.partition("=")
    if kind == "condition" and equals:
        name, _, value = rest.partition("=")
        return _condition_test(name.lower(), (value or "true").lower())
    if kind == "jsonpath" and equals:
        return _jsonpath_test(rest)
    raise errors.UsageError(f'error: unrecognized condition: "{condition}"')


def _condition_test(name: str, value: str) -> Test:
    def meets(obj: dict[str, Any]) -> bool:
        generation = (obj.get("metadata") or {}).get("generation") or 0
        for found in (obj.get("status") or {}).get("conditions") or ():
            if str(found.get("type", "")).lower() != name:
                continue
            observed = found.get("observedGeneration") or (obj.get("status") or {}).get("observedGeneration")
            if observed is not None and observed < generation:
                return False
            return str(found.get("status", "")).lower() == value
        return False

    return meets


def _jsonpath_test(rest: str) -> Test:
    quoted = rest.strip("'\"")
    end = quoted.rfind("}")
    path, wanted = quoted[: end + 1], quoted[end + 1 :]
    if end < 0:
        path, _, wanted = quoted.partition("=")
        wanted = f"={wanted}" if wanted else ""
    value = wanted.removeprefix("=").strip("'\"")

    def meets(obj: dict[str, Any]) -> bool:
        found = jsonpath.find(path, obj)
        if not wanted:
            return bool(found)
        return len(found) == 1 and jsonpath.text(found[0]) == value

    return meets


def _read(target: Target, session: Session) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = session.client.request("GET", target.path()).json()
    except errors.StatusError as error:
        if error.code == 404:
            return None
        raise
    return found


def _meets(meets: Test, target: Target, deadline: float, session: Session) -> bool:
    found = _read(target, session)
    if found is None:
        raise errors.not_found(target.resource.name, target.resource.group, target.name)
    while not meets(found):
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        changed = _next(target, meets, found["metadata"]["resourceVersion"], left, session)
        if changed:
            return True
        found = _read(target, session)
        if found is None:
            raise errors.not_found(target.resource.name, target.resource.group, target.name)
    return True


def _next(target: Target, meets: Test, revision: str, left: float, session: Session) -> bool:
    """Follow the object until it meets the condition (True) or the watch ends (False)."""
    query = {
        "watch": True,
        "fieldSelector": f"metadata.name={target.name}",
        "resourceVersion": revision,
        "timeoutSeconds": max(1, min(int(left + 0.999), 300)),
    }
    stream = session.client.stream("GET", Target(target.resource, "", target.namespace).path(), query=query)
    try:
        for line in stream.lines():
            event = json.loads(line)
            if event["type"] in ("DELETED", "ERROR"):
                return False
            if event["type"] != "BOOKMARK" and meets(event["object"]):
                return True
    finally:
        stream.close()
    return False
