"""Which Secrets Ingresses need, and which hosts get certificates of our own."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from minikctl.model import objects
from minikctl.model.objects import Key, Object
from minikctl.plan import ingress_annotations, ingress_values

LOCAL = ".localhost"


def secrets_of(ingresses: Iterable[Object]) -> frozenset[Key]:
    """Return the Secrets that the Ingresses name."""
    return frozenset(
        (objects.namespace(ingress), str(entry["secretName"]))
        for ingress in ingresses
        for entry in objects.spec(ingress).get("tls") or ()
        if entry.get("secretName")
    )


def local_hosts(ingresses: Iterable[Object]) -> frozenset[str]:
    """Return the hosts that get certificates of our own: of ``tls`` without Secret, and all of localhost."""
    found: set[str] = set()
    for ingress in ingresses:
        spec = objects.spec(ingress)
        of_rules = {str(rule["host"]).lower() for rule in spec.get("rules") or () if rule.get("host")}
        named: set[str] = set()
        for entry in spec.get("tls") or ():
            hosts = {str(host).lower() for host in entry.get("hosts") or ()} or of_rules
            if entry.get("secretName"):
                named |= hosts
            else:
                found |= hosts
        found |= {host for host in of_rules - named if host.endswith(LOCAL)}
    return frozenset(found)


def own(named: tuple[str, str], ingress: Object) -> Key:
    """Return the key of a Secret or ConfigMap that an annotation names; none has that of another namespace.

    Reading one there for this Ingress would give it away.
    """
    space, name = named
    return (
        objects.namespace(ingress),
        name if space in ("", objects.namespace(ingress)) else "/".join(named),
    )


def credentials_of(ingresses: Iterable[Object]) -> frozenset[Key]:
    """Return the Secrets that say whom the Ingresses believe."""
    return _named_by(ingresses, "auth-tls-secret", "proxy-ssl-secret")


def maps_of(ingresses: Iterable[Object]) -> frozenset[Key]:
    """Return the ConfigMaps with headers that the Ingresses name."""
    return _named_by(ingresses, "custom-headers")


def _named_by(ingresses: Iterable[Object], *annotations: str) -> frozenset[Key]:
    found: set[Key] = set()
    for ingress in ingresses:
        reader = ingress_values.Reader(objects.annotations(ingress))
        for name in annotations:
            named = reader.read(name, ingress_values.reference, ("", ""))
            found |= {own(named, ingress)} if named[1] else set()
    return frozenset(found)


def user_secrets_of(ingresses: Iterable[Object]) -> frozenset[Key]:
    """Return the Secrets with users that the Ingresses name."""
    found = (
        ingress_annotations.secret_of(objects.annotations(one), objects.namespace(one)) for one in ingresses
    )
    return frozenset(key for key in found if key is not None)


def users(
    ingresses: Iterable[Object], secrets: Mapping[Key, Object]
) -> dict[Key, tuple[tuple[str, str], ...]]:
    """Return the users whom the Ingresses let pass, by the key of their Secret."""
    found: dict[Key, tuple[tuple[str, str], ...]] = {}
    for ingress in ingresses:
        notes = objects.annotations(ingress)
        key = ingress_annotations.secret_of(notes, objects.namespace(ingress))
        if key is not None and key in secrets:
            listed = users_of(secrets[key], is_map=ingress_annotations.is_map(notes))
            found |= {key: listed} if listed is not None else {}
    return found


def users_of(secret: Object, *, is_map: bool = False) -> tuple[tuple[str, str], ...] | None:
    """Return the (name, hash) pairs of a Secret: its keys and values, or lines of htpasswd under ``auth``.

    None if there are none.
    """
    data = secret.get("data") or {}
    try:
        if is_map:
            return tuple((name, _decoded(text).strip()) for name, text in sorted(data.items())) or None
        text = _decoded(data["auth"])
    except (KeyError, ValueError):
        return None
    lines = [line.strip().partition(":") for line in text.splitlines() if ":" in line]
    return tuple((name, given) for name, _, given in lines)


def _decoded(text: str) -> str:
    return base64.b64decode(text, validate=True).decode()
