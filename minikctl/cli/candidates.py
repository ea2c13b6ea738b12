"""What may stand in a place of a command line: names, kinds, labels, containers, ports … of the cluster it is about.

A flag or argument names the maker by ``complete="objects"``, a detail after a colon: ``"objects:pods,services"``.
"""

from __future__ import annotations

import os

from minikctl.cli import selection
from minikctl.client.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from minikctl.cli.session import Session

FILES = ":files"
"""The answer that tells the shell to complete file names."""
POD_OWNERS = "deployments/ daemonsets/ statefulsets/ replicasets/ jobs/ services/ pods/"
"""The types by which the commands for containers find pods."""
VERBS = "get list watch create update patch delete deletecollection"


class Place(Record):
    """The unfinished word, what stands before it, and the detail of the maker that was named."""

    arguments: Sequence[str]
    given: Mapping[str, str]
    last: str
    detail: str


def _objects(place: Place, session: Session) -> list[str]:
    """Return types, then names; ``TYPE/`` has names at once. The detail says which types are meant, "": all."""
    if "/" in place.last:
        kind = place.last.partition("/")[0]
        return [f"{kind}/{name}" for name in _names(kind, session)]
    if not place.arguments:
        return _listed(place.last, place.detail.split(",") if place.detail else _readable(session))
    if "/" in place.arguments[0]:
        return []
    return _unused(_names(place.arguments[0], session), place.arguments[1:])


def _listed(last: str, words: Sequence[str]) -> list[str]:
    """Return the words as what continues a list: after ``pods,`` those that are not in it."""
    before, comma, _ = last.rpartition(",")
    return [f"{before}{comma}{word}" for word in _unused(words, before.split(","))]


def _unused(words: Sequence[str], used: Sequence[str]) -> list[str]:
    return [word for word in words if word not in used]


def _readable(session: Session) -> list[str]:
    served = {resource.name for resource in session.discovery.all() if "get" in resource.verbs}
    return sorted(served | {"all", selection.EVERYTHING})


def _types(place: Place, session: Session) -> list[str]:
    return _listed(place.last, sorted({resource.name for resource in session.discovery.all()}))


def _fields(place: Place, session: Session) -> list[str]:
    """Return types, and behind a type and a dot the fields that follow."""
    before, dot, _ = place.last.rpartition(".")
    if not dot:
        return _types(place, session)
    from minikctl.cli import explain

    return [f"{before}.{name}" for name in explain.fields(before, session)]


def _verbs(place: Place, session: Session) -> list[str]:
    """Return what may be done, then with what."""
    if not place.arguments:
        return VERBS.split()
    return _types(place, session) if len(place.arguments) == 1 else []


def _marked(place: Place, session: Session) -> list[str]:
    """Return as ``_objects``, and after a name also the keys that such objects have, to change or (``-``) remove."""
    found = _objects(place, session)
    named = place.arguments[1:] or [each for each in place.arguments if "/" in each]
    if not named or "/" in place.last:
        return found
    keys = _keys(place.arguments[0].partition("/")[0], place.detail, session)
    return [*found, *(f"{key}{end}" for key in keys for end in "=-")]


def _selector(place: Place, session: Session) -> list[str]:
    """Return a selector's next label: ``app=``, then ``app=web``. The detail is the type, "": the first argument."""
    before, comma, last = place.last.rpartition(",")
    kind = place.detail or (place.arguments[0] if place.arguments else "pods")
    labels = _metadata(kind.partition("/")[0], "labels", session)
    if "=" not in last:
        found = sorted({f"{key}=" for each in labels for key in each})
    else:
        key, equals, _ = last.partition("=")
        equals += "=" if last.startswith(f"{key}==") else ""
        found = sorted({f"{key}{equals}{each[key]}" for each in labels if key in each})
    return [f"{before}{comma}{word}" for word in found]


def _label_keys(place: Place, session: Session) -> list[str]:
    kind = place.arguments[0] if place.arguments else "pods"
    return _listed(place.last, _keys(kind.partition("/")[0], "labels", session))


def _keys(kind: str, field: str, session: Session) -> list[str]:
    return sorted({key for each in _metadata(kind, field, session) for key in each})


def _metadata(kinds: str, field: str, session: Session) -> list[dict[str, str]]:
    """Return labels or annotations of all objects of the types."""
    headers = {"Accept": selection.METADATA_ONLY}
    found: list[dict[str, str]] = []
    for target in selection.parse([kinds], session.discovery, session.namespace):
        answer = session.client.request("GET", target.path(), headers=headers).json()
        found += [item["metadata"].get(field) or {} for item in answer.get("items") or ()]
    return found


def _pods(place: Place, session: Session) -> list[str]:
    """Return pods and the types that have pods; with detail also, for the second word, the pod's containers."""
    if place.arguments:
        return _containers(place, session) if place.detail and len(place.arguments) == 1 else []
    if "/" in place.last:
        return _objects(place, session)
    return [*_names("pods", session), *POD_OWNERS.split()]


def _containers(place: Place, session: Session) -> list[str]:
    from minikctl.cli import pods

    return pods.containers(pods.named(place.arguments[0], session)[0])


def _forwardable(place: Place, session: Session) -> list[str]:
    """Return what ports are forwarded to, then the ports: ``80``, ``http``; local ones are the user's choice."""
    if not place.arguments:
        return _pods(place, session)
    local, colon, _ = place.last.partition(":")
    return [f"{local}{colon}{port}" for port in _ports(place.arguments[0], session)]


def _ports(argument: str, session: Session) -> list[str]:
    from minikctl.cli import pods

    typed = argument if "/" in argument else f"pods/{argument}"
    target = selection.parse([typed], session.discovery, session.namespace)[0]
    if target.resource.qualified == "services":
        ports = session.client.request("GET", target.path()).json()["spec"].get("ports") or []
        numbers = [str(port["port"]) for port in ports]
    else:
        spec = pods.named(argument, session)[0]["spec"]
        ports = [port for each in spec["containers"] for port in each.get("ports") or ()]
        numbers = [str(port["containerPort"]) for port in ports]
    return [*numbers, *(str(port["name"]) for port in ports if port.get("name"))]


def _probed(place: Place, session: Session) -> list[str]:
    """Return pods, and as the second word what they may reach: ``web:80`` of a Service."""
    if not place.arguments:
        return _names("pods", session)
    if len(place.arguments) > 1:
        return []
    answer = session.client.request("GET", f"/api/v1/namespaces/{session.namespace}/services").json()
    ports = [(each["metadata"]["name"], port["port"]) for each in answer["items"] for port in _of(each)]
    return [f"{name}:{port}" for name, port in ports]


def _of(service: dict[str, Any]) -> list[dict[str, Any]]:
    return service["spec"].get("ports") or []


def _explained(place: Place, session: Session) -> list[str]:
    """Return Services, and the other types that ``why`` explains."""
    if place.arguments:
        return []
    if "/" in place.last:
        return _objects(place, session)
    return [*_names("services", session), "ingress/", "pod/", "service/"]


def _copies(place: Place, session: Session) -> list[str]:
    """Return pods, as the beginnings of places in them; the shell adds the files."""
    if place.last.startswith(("/", ".", "~")) or ":" in place.last:
        return [FILES]
    return [*(f"{name}:" for name in _names("pods", session)), FILES]


def _of_kind(place: Place, session: Session) -> list[str]:
    """Return the names of the type in the detail that are not yet on the line."""
    return _unused(_names(place.detail, session), place.arguments)


def _one_of_kind(place: Place, session: Session) -> list[str]:
    """Return the names of the type in the detail, of which one is wanted."""
    return _names(place.detail, session)


def _namespaces(place: Place, session: Session) -> list[str]:
    return _listed(place.last, _names("namespaces", session))


def _names(kinds: str, session: Session) -> list[str]:
    targets = selection.parse([kinds], session.discovery, session.namespace)
    return sorted({member.name for target in targets for member in selection.members(target, session)})


def _clusters(place: Place, session: Session) -> list[str]:
    from minikctl.client import home

    return home.list_clusters()


def _contexts(place: Place, session: Session) -> list[str]:
    from minikctl.client import kubeconfig

    path = place.given.get("kubeconfig")
    paths = [os.path.expanduser(path)] if path else kubeconfig.default_paths()
    return [entry["name"] for entry in kubeconfig.load_merged(paths)["contexts"]]


def _entries(place: Place, session: Session) -> list[str]:
    """Return the entries of the section in the detail, in the file that ``config`` is about."""
    from minikctl.client import kubeconfig

    path = session.settings.kubeconfig or session.home.kubeconfig
    found = kubeconfig.load_merged(kubeconfig.default_paths()) if session.context else kubeconfig.read(path)
    return [entry["name"] for entry in found.get(place.detail) or ()]


def _users(place: Place, session: Session) -> list[str]:
    from minikctl.client import kubeconfig

    path = session.settings.kubeconfig
    found = kubeconfig.load_merged([path] if path else kubeconfig.default_paths())
    return [entry["name"] for entry in found["users"]]


def _switchable(place: Place, session: Session) -> list[str]:
    return [*(f"local/{each}" for each in _clusters(place, session)), *_contexts(place, session)]


MAKERS: dict[str, Callable[[Place, Session], list[str]]] = {
    "clusters": _clusters,
    "containers": _containers,
    "contexts": _contexts,
    "copies": _copies,
    "entries": _entries,
    "explained": _explained,
    "fields": _fields,
    "forwardable": _forwardable,
    "labels": _label_keys,
    "marked": _marked,
    "name": _one_of_kind,
    "names": _of_kind,
    "namespaces": _namespaces,
    "objects": _objects,
    "pods": _pods,
    "probed": _probed,
    "selector": _selector,
    "switchable": _switchable,
    "types": _types,
    "users": _users,
    "verbs": _verbs,
}
"""What ``complete=`` may name; anything else is a list of words."""
