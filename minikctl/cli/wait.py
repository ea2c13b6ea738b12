"""``wait``: until objects meet a condition, have a value, exist or are gone."""

from __future__ import annotations

import json
import time

from minikctl import errors
from minikctl.cli import delete, interrupts, printing, selection, timespan
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag
from minikctl.cli.output import jsonpath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

    Test = Callable[[dict[str, Any]], bool]

POLL_SECONDS = 0.5


class WaitOptions(printing.Printing, selection.Selecting):
    """What ``wait`` was asked."""

    LACKS = ("kustomize",)

    conditions: tuple[str, ...] = flag(
        "--for",
        default=(),
        help="condition=NAME[=VALUE], delete, create or jsonpath={…}[=VALUE]; several must all be met.",
        complete="condition= delete create jsonpath=",
    )
    any: bool = flag(
        "--any", default=False, help="One object that meets one of the conditions is enough.", own=True
    )
    fail_fast: bool = flag(
        "--fail-fast",
        default=False,
        help="End at once when a pod can no longer get there, with its reason.",
        own=True,
    )
    fields: str = flag("--field-selector", default="", help="A field selector.")
    all: bool = flag("--all", default=False, help="All objects of the type in the namespace.")
    local: bool = flag("--local", default=False, help="Look at what the files say; ask no server.")
    timeout: str = flag(
        "--timeout", default="30s", duration=True, help="How long; 0 looks once, negative: a week."
    )


def run(options: WaitOptions, session: Session) -> int:
    """Wait for all objects and all conditions, in order; return the exit code."""
    if not options.conditions:
        raise errors.UsageError("error: unrecognized condition: []")
    wanted = [
        (text, None if text.lower() in ("delete", "create") else test(text)) for text in options.conditions
    ]
    if options.local:
        return _local(options, wanted, session)
    seconds = timespan.seconds(options.timeout)
    deadline = time.monotonic() + (delete.WEEK_SECONDS if seconds < 0 else seconds)
    if options.any:
        return _any(options, wanted, deadline, session)
    failures: list[str] = []
    for condition, meets in wanted:
        targets = _targets(options, condition, deadline, session)
        if not targets and condition.lower() != "delete":
            raise errors.UsageError("error: no matching resources found")
        for target in targets:
            failures += _one(options, condition.lower(), meets, target, deadline, session)
    head = "error: " if len(failures) == 1 else ""
    for failure in failures:
        session.io.warn(head + failure)
    return 1 if failures else 0


def _local(options: WaitOptions, wanted: list[tuple[str, Test | None]], session: Session) -> int:
    """Tell whether what the files say meets the conditions, without asking a server."""
    from minikctl.cli import manifests

    if not options.files:
        raise errors.UsageError(
            "error: you must specify resources by --filename when --local is set.\n"
            "Example resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'"
        )
    failed = False
    for document in manifests.sound(options.files, options.recursive, session.io):
        found = document.object
        title = f"{str(found.get('kind', '')).lower()}/{(found.get('metadata') or {}).get('name', '')}"
        for condition, meets in wanted:
            if _is_met(condition.lower(), meets, found):
                _say(options, title, found, session)
            else:
                session.io.warn(f"error: condition not met for {title}")
                failed = True
    return 1 if failed else 0


def _say(options: WaitOptions, title: str, found: dict[str, Any] | None, session: Session) -> None:
    """Tell that the object met the condition, or print it; of one that was never there nothing is printed."""
    printer = printing.printer(options, printing.named(title))
    if printer is None:
        session.io.say(f"{title} condition met")
    elif found is not None:
        session.io.out.write(printer([found], False))
    session.io.out.flush()


def _targets(options: WaitOptions, condition: str, deadline: float, session: Session) -> list[Target]:
    if options.files:
        from minikctl.cli import changing

        documents = changing.documents(options, session)
        return [selection.target_of(document.object, session, document.source) for document in documents]
    namespace = "" if options.all_namespaces else session.namespace
    parsed = selection.parse(options.arguments, session.discovery, namespace)
    if all(target.name for target in parsed):
        if options.all_namespaces:
            raise errors.UsageError("error: a resource cannot be retrieved by name across all namespaces")
        if options.labels or options.fields:
            raise selection.twice(options.arguments)
        return parsed
    if not (options.all or options.labels or options.fields):
        raise errors.UsageError("error: resource(s) were provided, but no name was specified")
    while True:
        found = [
            item
            for target in parsed
            for item in selection.members(target, session, labels=options.labels, fields=options.fields)
        ]
        if found or condition.lower() != "create" or time.monotonic() >= deadline:
            return found
        interrupts.sleep(POLL_SECONDS)


def _any(
    options: WaitOptions, wanted: list[tuple[str, Test | None]], deadline: float, session: Session
) -> int:
    """Wait until one object meets one of the conditions."""
    while True:
        for condition, meets in wanted:
            for target in _targets(options, condition, 0.0, session):
                found = _read(target, session)
                met = _is_met(condition.lower(), meets, found)
                if met:
                    _say(options, target.title, found, session)
                    return 0
                if options.fail_fast and found is not None:
                    _check_hope(target, found, session)
        if time.monotonic() >= deadline:
            raise errors.UsageError("error: timed out waiting for any of the conditions")
        interrupts.sleep(POLL_SECONDS)


def _is_met(condition: str, meets: Test | None, found: dict[str, Any] | None) -> bool:
    if condition == "delete":
        return found is None
    if condition == "create":
        return found is not None
    return meets is not None and found is not None and meets(found)


def _check_hope(target: Target, found: dict[str, Any], session: Session) -> None:
    """Raise with the pod's reason when waiting for the object cannot help any more."""
    from minikctl.cli import settling
    from minikctl.plan.why import hopeless

    if target.resource.qualified == "pods":
        why = hopeless.reason(found)
    else:
        why = settling.broken(found, target, session)
    if why:
        raise errors.UsageError(f"error: {target.title} will not get there: {why}")


def _one(
    options: WaitOptions,
    condition: str,
    meets: Test | None,
    target: Target,
    deadline: float,
    session: Session,
) -> list[str]:
    """Wait for one object; return what to complain of."""
    once = time.monotonic() >= deadline
    last: dict[str, Any] | None = None
    if condition == "delete":
        last = _read(target, session)
        if last is None:
            return []
        done = delete.gone(target, "", deadline, session)
    elif condition == "create":
        if not _created(target, deadline, session):
            return ["timed out waiting for the condition"]
        done = True
    else:
        assert meets is not None
        done = _meets(options, meets, target, deadline, session)
    if done:
        printed = options.output or options.template
        _say(options, target.title, last or (_read(target, session) if printed else None), session)
        return []
    place = f"{target.resource.name}/{target.name}"
    return [f"condition not met for {place}" if once else f"timed out waiting for the condition on {place}"]


def _created(target: Target, deadline: float, session: Session) -> bool:
    while _read(target, session) is None:
        if time.monotonic() >= deadline:
            return False
        interrupts.sleep(POLL_SECONDS)
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
    if quoted.count("{") != quoted.count("}"):
        raise errors.UsageError(
            "error: unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or "
            "'{.name1.name2}'"
        )

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


def _meets(options: WaitOptions, meets: Test, target: Target, deadline: float, session: Session) -> bool:
    found = _read(target, session)
    if found is None:
        raise errors.not_found(target.resource.name, target.resource.group, target.name)
    while not meets(found):
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        if options.fail_fast:
            _check_hope(target, found, session)
            left = min(left, 1.0)
        now, revision = selection.current(target, session)
        if now is None:
            raise errors.not_found(target.resource.name, target.resource.group, target.name)
        if meets(now) or _next(target, meets, revision, left, session):
            return True
        found = now
    return True


def _next(target: Target, meets: Test, revision: str, left: float, session: Session) -> bool:
    """Follow the object until it meets the condition (True) or the watch ends (False)."""
    query = {
        "watch": True,
        "fieldSelector": f"metadata.name={target.name}",
        "resourceVersion": revision,
        "timeoutSeconds": max(1, min(int(left + 0.999), 300)),
    }
    # Not every server hears of timeoutSeconds.
    stream = session.client.stream("GET", target.collection.path(), query=query, seconds=left)
    try:
        for line in stream.lines():
            event = json.loads(line)
            if event["type"] != "ERROR" and not selection.is_about(target, event["object"]):
                continue
            if event["type"] in ("DELETED", "ERROR"):
                return False
            if event["type"] != "BOOKMARK" and meets(event["object"]):
                return True
    finally:
        stream.close()
    return False


COMMANDS = {
    "wait": Command(
        "Wait for a condition on one or many objects.",
        WaitOptions,
        run,
        usage="([-f FILENAME] | resource.group/resource.name | resource.group [(-l label | --all)]) "
        "[--for=create|--for=delete|--for condition=available|--for=jsonpath='{}'[=value]]",
        examples=(
            (
                "Until every Deployment is available",
                "minikctl wait --for=condition=Available deployment --all",
            ),
            ("Until a pod is gone, a minute at most", "minikctl wait --for=delete pod/web --timeout=60s"),
            ("Until one of two has ended", "minikctl wait --any --for=condition=Complete job/a job/b"),
            (
                "Until it is ready, or a pod says why not",
                "minikctl wait --fail-fast --for=condition=Ready pod/web",
            ),
            ("Until a field has a value", "minikctl wait --for=jsonpath='{.status.phase}'=Running pod/web"),
        ),
    )
}
