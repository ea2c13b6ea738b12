"""``describe``: an object and what belongs to it, with its events."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from minikctl import errors
from minikctl.cli import flags, manifests, report, selection
from minikctl.cli.output import describing
from minikctl.cli.selection import Target
from minikctl.cli.session import Session


class CommandOptions(Options):
    """What ``command`` was asked."""

    words: tuple[str, ...] = rest("TYPE[/NAME | PREFIX]")
    files: tuple[str, ...] = flag("--filename", "-f", default=(), help="Files that name objects.")
    labels: str = flag("--selector", "-l", default="", help="A label selector.")
    all_namespaces: bool = flag("--all-namespaces", "-A", default=False, help="Every namespace.")
    events: bool = flag("--show-events", default=True, help="With its events.")


def command(options: CommandOptions, session: Session) -> int:
    """Show details of objects."""
    failed, first = (False, True)
    for target in _targets(options.words, options.files, options.all_namespaces, session):
        try:
            found = _objects(target, options.labels, session)
        except errors.StatusError as error:
            session.io.warn(report.status_sentence(error))
            failed = True
            continue
        if not found:
            where = f" in {target.namespace} namespace." if target.namespace else ""
            session.io.warn(f"No resources found{where}")
        for obj in found:
            if not first:
                session.io.out.write("\n\n")
            first = False
            for line in describing.lines(obj, _Reader(session, target, options.events)):
                session.io.say(line)
    return 1 if failed else 0


# COMMAND command: 'Show details of objects.\n\nExamples:  minikctl describe pod web-1     minikctl describe ingress -A     minikctl describe -f app.yaml'


VERBS = {"describe": flags.single(command)}


def _targets(
    words: list[str] | None, files: list[str] | None, all_namespaces: bool, session: Session
) -> list[Target]:
    if files:
        return [
            selection.target_of(document.object, session)
            for document in manifests.read(files, False, session.io.stdin)
            if isinstance(document, manifests.Document)
        ]
    namespace = "" if all_namespaces else session.namespace
    return selection.parse(tuple(words or ()), session.discovery, namespace)


def _objects(target: Target, labels: str, session: Session) -> list[dict[str, Any]]:
    types = {"apiVersion": target.resource.api_version, "kind": target.resource.kind}
    if target.name:
        try:
            return [session.client.request("GET", target.path()).json()]
        except errors.StatusError as error:
            if error.code != 404:
                raise
            # As kubectl: a name that is not there may be the beginning of names that are.
            place = Target(target.resource, "", target.namespace)
            listed = session.client.request("GET", place.path()).json().get("items") or ()
            found = [{**types, **o} for o in listed if o["metadata"]["name"].startswith(target.name)]
            if not found:
                raise
            return found
    query = {"labelSelector": labels}
    listed = session.client.request("GET", target.path(), query=query).json().get("items") or ()
    return [{**types, **obj} for obj in listed]


class _Reader:
    """Reads what else a description needs; what cannot be read is left out."""

    def __init__(self, session: Session, target: Target, events: bool) -> None:
        self._session = session
        self._target = target
        self.shows_events = events

    def listed(self, resource: str, namespace: str, **query: str) -> list[dict[str, Any]]:
        """Return the objects of a resource, [] when they cannot be had."""
        try:
            place = Target(self._session.discovery.find(resource), "", namespace)
            answer = self._session.client.request("GET", place.path(), query=query).json()
        except errors.MinikctlError:
            return []
        return list(answer.get("items") or ())

    def events(self, obj: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the object's events."""
        metadata = obj["metadata"]
        chosen = f"involvedObject.name={metadata['name']},involvedObject.uid={metadata.get('uid', '')}"
        return self.listed("events", metadata.get("namespace", ""), fieldSelector=chosen)
