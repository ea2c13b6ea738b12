"""Server-side apply at the API's door: what a configuration must be, and what it makes of an object."""

from __future__ import annotations

from minikctl import errors
from minikctl.apiserver import patching, strategy
from minikctl.model import decoding, objects
from minikctl.model.apply import managers, migration, ownership
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Key, Object


def check(kind: Kind, key: Key, config: Object) -> None:
    """Raise 400 for a configuration that is not one of the object that the request names."""
    version = str(config.get("apiVersion") or "")
    if version != kind.api_version:
        raise errors.bad_request(
            "Incorrect version specified in apply patch. "
            f"Specified patch version: {version}, expected: {kind.api_version}"
        )
    if objects.meta(config).get("managedFields") is not None:
        raise errors.bad_request("metadata.managedFields must be nil")
    if config.get("kind") != kind.kind:
        raise errors.bad_request(
            f'{config.get("kind")} in version "{kind.version}" cannot be handled as a {kind.kind}'
        )
    if objects.name(config):
        strategy.same_name(config, key[1])


def check_new(kind: Kind, name: str, config: Object) -> None:
    """Raise 409 for a configuration of one certain object that is not there."""
    uid = objects.uid(config)
    if uid:
        cause = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise errors.conflict(kind.plural, kind.group, name, cause)


def outcome(
    kind: Kind, current: Object | None, config: Object, write: ownership.Write, *, force: bool
) -> Object:
    """Return a new object: what applying makes of the current one (None: there is none)."""
    applied = patching.copied(migration.applied(kind, current, config, write, force=force))
    managers.share(applied)
    fault = decoding.decode_errors(kind, applied)
    if fault:
        raise errors.bad_request(fault)
    return applied
