"""What a request is about, as authorizers see it: a verb on a resource, or a method on a path.

Derived from the path alone, whether or not such a kind is served, by the rules of Kubernetes' RequestInfo.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from minikctl import errors
from minikctl.apiserver.auth import User

_VERBS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_ON_COLLECTIONS = {"get": "list", "delete": "deletecollection"}
_OF_NAMESPACES = ("status", "finalize")
"""What may follow a namespace's name in a path and still be about the namespace itself."""
_NAME_SELECTOR = "metadata.name="


@dataclass(frozen=True)
class Attributes:
    """One request; ``resource`` "" means that it is about ``path``."""

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def qualified(self) -> str:
        """Return ``pods`` or ``pods/log``, as rules name it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def of(method: str, path: str, query: Mapping[str, str]) -> Attributes:
    """Return what the request is about."""
    parts = [part for part in path.split("/") if part]
    about_path = Attributes(method.lower(), path=path)
    if not parts or parts[0] not in ("api", "apis"):
        return about_path
    group = parts[1] if parts[0] == "apis" and len(parts) > 1 else ""
    rest = parts[2:] if parts[0] == "apis" else parts[1:]
    if len(rest) < 2:
        return about_path
    verb = _VERBS.get(method, "")
    version, resource = rest[0], rest[1:]
    if resource[0] == "watch" and len(resource) > 1:
        verb, resource = "watch", resource[1:]
    namespace = ""
    if resource[0] == "namespaces" and len(resource) > 1:
        namespace = resource[1]
        if len(resource) > 2 and resource[2] not in _OF_NAMESPACES:
            resource = resource[2:]
    name = resource[1] if len(resource) > 1 else ""
    subresource = resource[2] if len(resource) > 2 else ""
    if not name and verb != "watch":
        verb = _ON_COLLECTIONS.get(verb, verb)
        if verb == "list" and query.get("watch", "false") not in ("false", "0", "False"):
            verb = "watch"
    if not name and verb in ("list", "watch", "deletecollection"):
        selector = query.get("fieldSelector", "")
        if selector.startswith(_NAME_SELECTOR) and "," not in selector:
            name = selector.removeprefix(_NAME_SELECTOR)
    return Attributes(verb, group, version, resource[0], subresource, namespace, name, path)


def refusal(user: User, asked: Attributes, reason: str = "") -> errors.StatusError:
    """Return 403 in Kubernetes' words."""
    text = f"{_sentence(user, asked)}: {reason}" if reason else _sentence(user, asked)
    if not asked.resource:
        return errors.StatusError(403, "Forbidden", f"forbidden: {text}", details={})
    what = errors.qualified(asked.resource, asked.group)
    named = f'{what} "{asked.name}"' if asked.name else what
    found = {"name": asked.name, "group": asked.group, "kind": asked.resource}
    details = {key: value for key, value in found.items() if value}
    return errors.StatusError(403, "Forbidden", f"{named} is forbidden: {text}", details=details)


def _sentence(user: User, asked: Attributes) -> str:
    if not asked.resource:
        return f'User "{user.name}" cannot {asked.verb} path "{asked.path}"'
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    what = f'resource "{asked.qualified}" in API group "{asked.group}"'
    return f'User "{user.name}" cannot {asked.verb} {what} {where}'
