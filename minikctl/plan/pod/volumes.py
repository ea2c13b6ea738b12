"""Volumes: what each has to hold on the host, and how containers mount it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from minikctl.model import objects
from minikctl.model.actions.node import (
    FilesVolume,
    HostVolume,
    ImageVolume,
    ScratchVolume,
    SubPath,
    TokenFile,
    Volume,
    VolumeFile,
)
from minikctl.model.containers import Mount
from minikctl.model.objects import Object
from minikctl.plan.pod import claims, env, fields, images, names, resources, sources
from minikctl.plan.pod.problems import ConfigError
from minikctl.plan.pod.view import PodView

DEFAULT_MODE = 0o644
PRIVATE_MODE = 0o600
TOKEN_SECONDS = 3600
_PROPAGATION = {"HostToContainer": "rslave", "Bidirectional": "rshared"}
_READ_ONLY = ("configMap", "secret", "projected", "downwardAPI", "image")


@dataclass(frozen=True)
class Volumes:
    """The volumes that can be written now, and what keeps the others from it, by volume name."""

    wanted: tuple[Volume, ...]
    problems: Mapping[str, str]


def wanted(view: PodView) -> Volumes:
    """Return what the pod's volumes have to hold."""
    found: list[Volume] = []
    problems: dict[str, str] = {}
    for volume in objects.spec(view.pod or {}).get("volumes") or ():
        name = str(volume.get("name") or "")
        try:
            found.append(_volume(view, volume, name))
        except ConfigError as problem:
            problems[name] = f'MountVolume.SetUp failed for volume "{name}" : {problem.message}'
    return Volumes(tuple(found), problems)


def _volume(view: PodView, volume: Object, name: str) -> Volume:
    gid = fs_group(view)
    path = directory(view, volume)
    if "hostPath" in volume:
        return HostVolume(name, path, str(volume["hostPath"].get("type") or ""))
    for type_, items in (("configMap", sources.CONFIG_MAP), ("secret", sources.SECRET)):
        if type_ in volume:
            reference = dict(volume[type_])
            reference.setdefault("name", reference.get("secretName"))
            return FilesVolume(name, path, _keys(view, items, reference, None), gid)
    if "downwardAPI" in volume:
        return FilesVolume(name, path, _downward(view, volume["downwardAPI"], None), gid)
    if "projected" in volume:
        source = volume["projected"]
        return FilesVolume(name, path, _projected(view, source), gid, _tokens(view, source))
    if claims.is_claim(volume):
        return claims.volume(view, volume, gid)
    if "image" in volume:
        wanted_image, chosen = str(volume["image"].get("reference") or ""), volume["image"].get("pullPolicy")
        when = images.policy({"image": wanted_image, "imagePullPolicy": chosen})
        return ImageVolume(name, path, wanted_image, when, images.credentials(view, wanted_image))
    types = [key for key in volume if key != "name"]
    if not types or types == ["emptyDir"]:
        return ScratchVolume(name, path, gid)
    raise ConfigError(f"volume type {types[0]} is not supported here")


def fs_group(view: PodView) -> int | None:
    """Return the group that owns the pod's volumes, None to leave it."""
    found = (objects.spec(view.pod or {}).get("securityContext") or {}).get("fsGroup")
    return None if found is None else int(found)


def directory(view: PodView, volume: Object) -> str:
    """Return where the volume is on the host: in memory for such an emptyDir if the host has the means."""
    name = str(volume.get("name") or "")
    if "hostPath" in volume:
        return str(volume["hostPath"].get("path") or "")
    if claims.is_claim(volume):
        return claims.path(view, volume)
    memory = names.memory_dir(view.node, view.uid)
    if memory and (volume.get("emptyDir") or {}).get("medium") == "Memory":
        return f"{memory}/{name}"
    return names.volume_dir(view.node, view.uid, name)


def _mode(source: Object, default: int | None) -> int:
    found = source.get("defaultMode")
    if found is not None:
        return int(found)
    return DEFAULT_MODE if default is None else default


def _keys(
    view: PodView, kind: sources.Source, reference: Object, default: int | None
) -> tuple[VolumeFile, ...]:
    """Return the files of a ConfigMap or Secret: all its keys, or the chosen items."""
    mode, optional = _mode(reference, default), bool(reference.get("optional"))
    found = kind.find(view, str(reference.get("name") or ""))
    if found is None:
        if optional:
            return ()
        raise ConfigError(f'{kind.word} "{reference.get("name")}" not found')
    values = kind.files(found)
    if not reference.get("items"):
        return tuple(VolumeFile(key, values[key], mode) for key in sorted(values))
    files: list[VolumeFile] = []
    for item in reference["items"]:
        key = str(item.get("key") or "")
        if key in values:
            files.append(VolumeFile(_inside(item), values[key], _item_mode(item, mode)))
        elif not optional:
            word = "config" if kind is sources.CONFIG_MAP else "secret"
            raise ConfigError(f"{kind.word} references non-existent {word} key: {key}")
    return tuple(files)


def _inside(item: Object) -> str:
    """Return the item's path; one that leads out of the volume is refused."""
    path = str(item.get("path") or "")
    if not path or path.startswith("/") or ".." in path.split("/"):
        raise ConfigError(f"invalid path {path}: must be relative and stay in the volume")
    return path


def _item_mode(item: Object, default: int) -> int:
    return default if item.get("mode") is None else int(item["mode"])


def _downward(view: PodView, source: Object, default: int | None) -> tuple[VolumeFile, ...]:
    mode = _mode(source, default)
    files: list[VolumeFile] = []
    for item in source.get("items") or ():
        if item.get("fieldRef"):
            text = fields.read(view, str(item["fieldRef"].get("fieldPath") or ""), "")
        else:
            text = resources.field(view.pod or {}, {}, item.get("resourceFieldRef") or {}, view.node)
        files.append(VolumeFile(_inside(item), text.encode(), _item_mode(item, mode)))
    return tuple(files)


def _projected(view: PodView, projected: Object) -> tuple[VolumeFile, ...]:
    mode = _mode(projected, None)
    files: dict[str, VolumeFile] = {}
    for source in projected.get("sources") or ():
        for file in _projected_source(view, source, mode):
            files[file.path] = file
    return tuple(files[path] for path in sorted(files))


def _projected_source(view: PodView, source: Object, mode: int) -> Iterable[VolumeFile]:
    if "configMap" in source:
        return _keys(view, sources.CONFIG_MAP, source["configMap"], mode)
    if "secret" in source:
        return _keys(view, sources.SECRET, source["secret"], mode)
    if "downwardAPI" in source:
        return _downward(view, source["downwardAPI"], mode)
    if "serviceAccountToken" in source:
        return ()
    raise ConfigError(f"projected source {next(iter(source), 'without type')} is not supported here")


def _tokens(view: PodView, projected: Object) -> tuple[TokenFile, ...]:
    """Return the files with tokens: what they hold is known only when they are written.

    Nobody but the pod's one user, or its group, may read them (KEP-2451).
    """
    user = _one_user(view)
    private = user is not None or fs_group(view) is not None
    mode = PRIVATE_MODE if private else _mode(projected, None)
    wishes = [source.get("serviceAccountToken") for source in projected.get("sources") or ()]
    return tuple(
        TokenFile(
            _inside(wish),
            str(wish.get("audience") or ""),
            int(wish.get("expirationSeconds") or TOKEN_SECONDS),
            mode,
            user,
        )
        for wish in wishes
        if wish is not None
    )


def _one_user(view: PodView) -> int | None:
    """Return the user that all containers run as, None if they differ or their images say."""
    spec = objects.spec(view.pod or {})
    default = (spec.get("securityContext") or {}).get("runAsUser")
    users: set[int | None] = {
        (each.get("securityContext") or {}).get("runAsUser", default) for each in objects.containers(spec)
    }
    return users.pop() if len(users) == 1 else None


@dataclass(frozen=True)
class Mounts:
    """A container's mounts; those whose source is a sub-path have it checked on the host first."""

    mounts: tuple[Mount, ...]
    sub_paths: tuple[SubPath, ...]


_NOT_RECURSIVE = (
    'failed to resolve recursive read-only mode: volume "{}" requested recursive read-only mode, '
    "but it is not supported by the runtime"
)


def mounts(view: PodView, container: Object, environment: Mapping[str, str]) -> Mounts:
    """Return how the container mounts its volumes."""
    volumes = {v.get("name"): v for v in objects.spec(view.pod or {}).get("volumes") or ()}
    found: list[Mount] = []
    checked: list[SubPath] = []
    for mount in container.get("volumeMounts") or ():
        volume = volumes.get(mount.get("name"))
        if volume is None:
            raise ConfigError(f'cannot find volume "{mount.get("name")}" to mount into container')
        if mount.get("recursiveReadOnly") == "Enabled":
            raise ConfigError(_NOT_RECURSIVE.format(mount.get("name")))
        path = directory(view, volume)
        fixed = any(key in volume for key in _READ_ONLY) or claims.is_read_only(volume)
        part = env.expand(str(mount.get("subPathExpr") or ""), environment) or str(mount.get("subPath") or "")
        if part:
            _check_sub_path(part)
            checked.append(SubPath(path, part, create=not fixed))
            path = f"{path}/{part}"
        target = str(mount.get("mountPath") or "")
        found.append(
            Mount(
                path,
                target if target.startswith("/") else f"/{target}",
                read_only=fixed or bool(mount.get("readOnly")),
                propagation=_PROPAGATION.get(str(mount.get("mountPropagation") or ""), ""),
            )
        )
    return Mounts(tuple(found), tuple(checked))


def _check_sub_path(part: str) -> None:
    if part.startswith("/"):
        raise ConfigError(f"error SubPath `{part}` must not be an absolute path")
    if ".." in part.split("/"):
        raise ConfigError(f"unable to provision SubPath `{part}`: must not contain '..'")
