"""``describe``: an object and what belongs to it, with its events."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import report, selection
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag
from minikctl.cli.output import describing
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session


class DescribeOptions(selection.Selecting):
    """What ``describe`` was asked."""

    chunk: int = flag("--chunk-size", default=500, help="Ask for lists in pieces of so many; 0: all at once.")
    events: bool | None = flag(
        "--show-events", default=None, help="With their events; if not given, those of a single object."
    )


def run(options: DescribeOptions, session: Session) -> int:
    """Describe every object that is meant; return the exit code."""
    failed = False
    nowhere: list[str] = []
    found: list[dict[str, Any]] = []
    targets = _targets(options, session)
    # Only TYPE NAME, in two words: kubectl looks for names that begin so for no other command line.
    may_be_prefix = len(options.arguments) == 2 and not options.files
    for target in targets:
        try:
            members = _objects(target, options, may_be_prefix, session)
        except errors.StatusError as error:
            report.tell(error, session)
            failed = True
            continue
        if not members:
            nowhere.append(target.namespace or session.namespaces[0])
        found += members
    if nowhere and not found:
        where = "" if options.all_namespaces else f" in {nowhere[0]} namespace."
        session.io.warn(f"No resources found{where}")
    named = {target.name for target in targets}
    by_prefix = len(found) > 0 and found[0]["metadata"]["name"] not in named and named != {""}
    shows_events = options.events
    if shows_events is None:
        shows_events = len(found) == 1 and not by_prefix
    reader = _Reader(session, shows_events)
    for number, obj in enumerate(found):
        between = "\n\n" if number and not by_prefix else ""
        session.io.out.write(between + describing.text(obj, reader) + ("\n" if by_prefix else ""))
    return 1 if failed else 0


def _targets(options: DescribeOptions, session: Session) -> list[Target]:
    if options.files:
        from minikctl.cli import changing

        documents = changing.documents(options, session)
        return [selection.target_of(document.object, session, document.source) for document in documents]
    if not options.arguments:
        raise errors.UsageError(
            'You must specify the type of resource to describe. Use "minikctl api-resources" '
            "for a complete list of supported resources."
        )
    if options.all_namespaces:
        found = selection.parse(options.arguments, session.discovery, "")
    else:
        found = selection.everywhere(options.arguments, session)
    if options.all_namespaces and any(target.name for target in found):
        raise errors.UsageError("error: a resource cannot be retrieved by name across all namespaces")
    if options.labels and any(target.name for target in found):
        raise selection.twice(options.arguments)
    return found


def _objects(
    target: Target, options: DescribeOptions, may_be_prefix: bool, session: Session
) -> list[dict[str, Any]]:
    types = {"apiVersion": target.resource.api_version, "kind": target.resource.kind}
    if target.name:
        try:
            return [session.client.request("GET", target.path()).json()]
        except errors.StatusError as error:
            if error.code != 404 or not may_be_prefix:
                raise
            # As kubectl: a name that is not there may be the beginning of names that are.
            listed, _ = selection.listed(target.collection, session, {}, options.chunk)
            found = [{**types, **o} for o in listed if o["metadata"]["name"].startswith(target.name)]
            if not found:
                raise
            return found
    listed, _ = selection.listed(target, session, {"labelSelector": options.labels}, options.chunk)
    return [{**types, **obj} for obj in listed]


class _Reader:
    """Reads what else a description needs; what cannot be read is left out."""

    def __init__(self, session: Session, events: bool) -> None:
        self._session = session
        self.shows_events = events

    def listed(self, resource: str, namespace: str, **query: str) -> list[dict[str, Any]]:
        """Return the objects of a resource, [] when they cannot be had."""
        try:
            place = Target(self._session.discovery.find(resource), "", namespace)
            answer = self._session.client.request("GET", place.path(), query=query).json()
        except errors.MinikctlError:
            return []
        return list(answer.get("items") or ())

    def one(self, resource: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return an object, None when it cannot be had."""
        try:
            target = Target(self._session.discovery.find(resource), name, namespace)
            found: dict[str, Any] = self._session.client.request("GET", target.path()).json()
        except errors.MinikctlError:
            return None
        return found

    def events(self, obj: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the object's events; a kubelet's about its node have the node's name for a uid."""
        name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace", "")
        uids = [obj["metadata"].get("uid", ""), *([name] if obj.get("kind") == "Node" else [])]
        chosen = [f"involvedObject.name={name},involvedObject.uid={uid}" for uid in uids]
        return [each for one in chosen for each in self.listed("events", namespace, fieldSelector=one)]


COMMANDS = {
    "describe": Command(
        "Show details of objects, with what belongs to them and their events.",
        DescribeOptions,
        run,
        usage="(-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME)",
        examples=(
            ("A pod", "minikctl describe pod web-1"),
            ("Every Ingress of every namespace", "minikctl describe ingress -A"),
        ),
    )
}
