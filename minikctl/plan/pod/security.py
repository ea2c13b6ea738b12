"""securityContext: who a container runs as and what it may do, in the engine's terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan.pod import events, names
from minikctl.plan.pod.accounts import Identity
from minikctl.plan.pod.problems import ConfigError
from minikctl.plan.pod.view import ImageState, PodView


@dataclass(frozen=True)
class Security:
    """The engine's settings of one container."""

    user: str
    groups: tuple[str, ...]
    cap_add: tuple[str, ...]
    cap_drop: tuple[str, ...]
    privileged: bool
    read_only_root: bool
    options: tuple[str, ...]


def of(view: PodView, container: Object, image: ImageState) -> Security:
    """Return the container's settings, its own before the pod's; ConfigError against runAsNonRoot."""
    pod = objects.spec(view.pod or {}).get("securityContext") or {}
    own = container.get("securityContext") or {}
    merged = {**pod, **own}
    _check_non_root(view, container, merged, image)
    capabilities = own.get("capabilities") or {}
    user, groups = _told(view, container, merged, image)
    return Security(
        user=user,
        groups=tuple(map(str, groups)),
        cap_add=tuple(capabilities.get("add") or ()),
        cap_drop=tuple(capabilities.get("drop") or ()),
        privileged=bool(own.get("privileged")),
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
        options=_options(view, merged),
    )


def identity(spec: Object, container: Object, image: ImageState | None) -> Object | None:
    """Return who the container's first process is, None if that is for an image to say that nobody knows."""
    found = _who(spec, container, image)
    if found is None:
        return None
    return {"uid": found.uid, "gid": found.gid, "supplementalGroups": list(found.groups)}


def _who(spec: Object, container: Object, image: ImageState | None) -> Identity | None:
    """Return user, group and all groups; by the policy Merge with those of the image's /etc/group."""
    pod = spec.get("securityContext") or {}
    merged = {**pod, **(container.get("securityContext") or {})}
    user, group = merged.get("runAsUser"), merged.get("runAsGroup")
    known = None if image is None or image.accounts is None else image.accounts
    if known is None:
        if user is None or group is None:
            return None
        found = Identity(int(user), int(group), ())
    else:
        wanted = image.user if user is None and image is not None else str(user)
        account = known.identity(wanted)
        if account is None:
            return None
        found = account
    gid = found.gid if group is None else int(group)
    own = () if _is_strict(pod) else found.groups
    return Identity(found.uid, gid, tuple(dict.fromkeys((gid, *own, *_groups(pod)))))


def _is_strict(context: Object) -> bool:
    return context.get("supplementalGroupsPolicy") == "Strict"


def _groups(pod: Object) -> list[int]:
    groups = (pod.get("fsGroup"), *(pod.get("supplementalGroups") or ()))
    return list(dict.fromkeys(int(group) for group in groups if group is not None))


def _told(
    view: PodView, container: Object, merged: dict[str, Any], image: ImageState
) -> tuple[str, tuple[int, ...]]:
    """Return the user and the further groups that the engine is told.

    Told no group, the engine adds those of the image's /etc/group by itself, told one it adds none: so it is
    told all of them wherever these are not what is asked for.
    """
    spec = objects.spec(view.pod or {})
    user, group = merged.get("runAsUser"), merged.get("runAsGroup")
    strict = _is_strict(merged)
    is_whole = group is not None or strict or (user is None and ":" in image.user)
    found = _who(spec, container, image) if is_whole else None
    if found is not None:
        return f"{found.uid}:{found.gid}", found.groups[1:]
    if strict and image.accounts is None:
        where = f"image {image.reference}, which supplementalGroupsPolicy Strict needs"
        raise ConfigError(f"cannot read users and groups of {where}")
    name = image.user.partition(":")[0] or "0" if user is None else str(user)
    told = "" if user is None and group is None else name if group is None else f"{name}:{group}"
    return told, tuple(_groups(merged))


def _options(view: PodView, merged: dict[str, Any]) -> tuple[str, ...]:
    options: list[str] = []
    if merged.get("allowPrivilegeEscalation") is False:
        options.append("no-new-privileges")
    seccomp = merged.get("seccompProfile") or {}
    if seccomp.get("type") == "Unconfined":
        options.append("seccomp=unconfined")
    if seccomp.get("type") == "Localhost":
        # The node puts the profile's text in the place of its path.
        options.append(f"seccomp={names.seccomp(view.node, str(seccomp.get('localhostProfile') or ''))}")
    if (merged.get("appArmorProfile") or {}).get("type") == "Unconfined":
        options.append("apparmor=unconfined")
    return tuple(options)


def _check_non_root(view: PodView, container: Object, merged: dict[str, Any], image: ImageState) -> None:
    if not merged.get("runAsNonRoot"):
        return
    pod = events.pod_text(view.name, view.namespace, view.uid)
    where = f'(pod: "{pod}", container: {container.get("name")})'
    user = merged.get("runAsUser")
    if user is not None:
        if int(user) == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
        return
    name = image.user.partition(":")[0]
    if name in ("", "0", "root"):
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")
    if not name.isdigit():
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({name}), "
            f"cannot verify user is non-root {where}"
        )
