"""securityContext: who a container runs as and what it may do, in the engine's terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan.pod import events, names
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
    return Security(
        user=_user(merged, image),
        groups=tuple(map(str, _groups(pod))),
        cap_add=tuple(capabilities.get("add") or ()),
        cap_drop=tuple(capabilities.get("drop") or ()),
        privileged=bool(own.get("privileged")),
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
        options=_options(view, merged),
    )


def identity(spec: Object, container: Object) -> Object | None:
    """Return who the container's first process is, None if that is for the image to say."""
    pod = spec.get("securityContext") or {}
    merged = {**pod, **(container.get("securityContext") or {})}
    user, group = merged.get("runAsUser"), merged.get("runAsGroup")
    if user is None or group is None:
        return None
    return {"uid": user, "gid": group, "supplementalGroups": list(dict.fromkeys([group, *_groups(pod)]))}


def keeps_groups(spec: Object, container: Object) -> bool:
    """Tell whether the container has no groups but those that its pod names, if that was asked for.

    The engine looks a user's groups up in the image, unless it is told the first one.
    """
    pod = spec.get("securityContext") or {}
    merged = {**pod, **(container.get("securityContext") or {})}
    return not _is_strict(pod) or merged.get("runAsGroup") is not None or merged.get("runAsUser") == 0


def _is_strict(context: Object) -> bool:
    return context.get("supplementalGroupsPolicy") == "Strict"


def _groups(pod: Object) -> list[int]:
    groups = (pod.get("fsGroup"), *(pod.get("supplementalGroups") or ()))
    return list(dict.fromkeys(int(group) for group in groups if group is not None))


def _user(merged: dict[str, Any], image: ImageState) -> str:
    user, group = merged.get("runAsUser"), merged.get("runAsGroup")
    name = image.user.partition(":")[0] or "0" if user is None else str(user)
    if group is None and _is_strict(merged) and name in ("0", "root") and ":" not in image.user:
        group = 0
    if user is None and group is None:
        return ""
    return name if group is None else f"{name}:{group}"


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
