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
    groups = [*(pod.get("supplementalGroups") or ()), pod.get("fsGroup")]
    return Security(
        user=_user(merged, image),
        groups=tuple(dict.fromkeys(str(group) for group in groups if group is not None)),
        cap_add=tuple(capabilities.get("add") or ()),
        cap_drop=tuple(capabilities.get("drop") or ()),
        privileged=bool(own.get("privileged")),
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
        options=_options(view, merged),
    )


def _user(merged: dict[str, Any], image: ImageState) -> str:
    user, group = merged.get("runAsUser"), merged.get("runAsGroup")
    if user is None and group is None:
        return ""
    name = image.user.partition(":")[0] or "0" if user is None else str(user)
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
