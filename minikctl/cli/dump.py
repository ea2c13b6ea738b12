"""``cluster-info dump``: what the control plane knows and what the pods wrote, for a report on trouble."""

from __future__ import annotations

import json
import os

from minikctl import errors
from minikctl.cli import pods, printing
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

CLUSTER_WIDE = (("nodes", "nodes"),)
NAMESPACED = (
    ("events", "events"), ("replicationcontrollers", "replication-controllers"), ("services", "services"),
    ("daemonsets.apps", "daemonsets"), ("deployments.apps", "deployments"), ("replicasets.apps", "replicasets"),
    ("pods", "pods"),
)  # fmt: skip
"""Each resource, and the name of its file: those that kubectl dumps, in its order."""


class DumpOptions(printing.Printing):
    """What ``cluster-info dump`` was asked."""

    TYPED = True

    output: str = flag(
        "--output", "-o", default="", help="json (which is used if left out) or yaml.", complete="json yaml"
    )
    directory: str = flag(
        "--output-directory", default="", help="Where to put files; - or nothing: print.", complete="files"
    )
    namespaces: tuple[str, ...] = flag(
        "--namespaces", default=(), split=True, help="Which namespaces.", complete="namespaces"
    )
    all_namespaces: bool = flag("--all-namespaces", "-A", default=False, help="Every namespace.")


def run(options: DumpOptions, session: Session) -> int:
    """Dump; return the exit code."""
    printer = printing.certain(options, "json")
    suffix = "yaml" if options.output == "yaml" else "json"
    directory = "" if options.directory == "-" else options.directory

    def put(place: str, text: str) -> None:
        if not directory:
            session.io.out.write(text)
            return
        path = os.path.join(directory, place)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as sink:
            sink.write(text)

    for resource, name in CLUSTER_WIDE:
        put(f"{name}.{suffix}", printer([_listed(resource, "", session)], False))
    for namespace in _namespaces(options, session):
        listed: dict[str, Any] = {}
        for resource, name in NAMESPACED:
            listed = _listed(resource, namespace, session)
            put(f"{namespace}/{name}.{suffix}", printer([listed], False))
        for pod in listed.get("items") or ():
            put(f"{namespace}/{pod['metadata']['name']}/logs.txt", _logs(pod, session))
    if directory:
        session.io.say(f"Cluster info dumped to {directory}")
    return 0


def _namespaces(options: DumpOptions, session: Session) -> list[str]:
    if options.all_namespaces:
        found = session.client.request("GET", "/api/v1/namespaces").json().get("items") or ()
        return [each["metadata"]["name"] for each in found]
    return list(options.namespaces) or ["kube-system", session.namespace]


def _listed(resource: str, namespace: str, session: Session) -> dict[str, Any]:
    target = Target(session.discovery.find(resource), "", namespace)
    found: dict[str, Any] = json.loads(session.client.request("GET", target.path()).body)
    types = {"kind": target.resource.kind, "apiVersion": target.resource.api_version}
    found["items"] = [{**types, **each} for each in found.get("items") or ()]
    return found


def _logs(pod: dict[str, Any], session: Session) -> str:
    name = pod["metadata"]["name"]
    text = ""
    for container in pods.containers(pod):
        head = f"==== {{}} logs for container {container} of pod {pod['metadata']['namespace']}/{name} ====\n"
        try:
            query = {"container": container}
            path = pods.log_path(pod, "log", session)
            body = session.client.request("GET", path, query=query).body.decode(errors="replace")
        except errors.MinikctlError as error:
            body = f"Create log error: {error}\n"
        text += head.format("START") + body + head.format("END")
    return text


COMMAND = Command(
    "Dump what the control plane knows and what the pods wrote.",
    DumpOptions,
    run,
    examples=(
        ("Into a directory", "minikctl cluster-info dump --output-directory=report"),
        ("Of all namespaces, as text", "minikctl cluster-info dump -A"),
    ),
)
