"""What a pod and its containers may do on the machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from minikctl.model import causes
from minikctl.model.kind import Cause
from minikctl.model.validation import paths

Context = dict[str, Any]

_SYSCTL = r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL_LIMIT = 253
_IDS = "must be between 0 and 2147483647, inclusive"
_NETWORK = ("net.",)
_SHARED_MEMORY = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")
_LINUX_ONLY_POD = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
)
_LINUX_ONLY_SPEC = ("hostUsers", "hostPID", "hostIPC", "shareProcessNamespace")
_LINUX_ONLY = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
)
_NO_WINDOWS = "windows options cannot be set for a linux pod"
_NO_LINUX = "cannot be set for a windows pod"


def pod(spec: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with the security context of a pod spec."""
    context: Context = spec.get("securityContext") or {}
    where = f"{path}.securityContext"
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        if not 0 <= group <= 2**31 - 1:
            yield causes.invalid(f"{where}.supplementalGroups[{index}]", group, _IDS)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield causes.invalid(f"{where}.shareProcessNamespace", True, detail)
    yield from _sysctls(context.get("sysctls") or (), spec, f"{where}.sysctls")
    yield from _profiles(context, where)
    if spec.get("hostUsers") is False:
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(field):
                detail = "when `hostUsers` is false"
                yield causes.forbidden(f"{path}.{field}", detail)


def _sysctls(found: Iterable[dict[str, Any]], spec: dict[str, Any], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, each in enumerate(found):
        name, where = str(each.get("name") or ""), f"{path}[{index}].name"
        if not name:
            yield causes.required(where)
        elif len(name) > _SYSCTL_LIMIT or not re.fullmatch(_SYSCTL, name, re.ASCII):
            detail = f"must have at most {_SYSCTL_LIMIT} characters and match regex ^{_SYSCTL}$"
            yield causes.invalid(where, name, detail)
        elif name in seen:
            yield causes.duplicate(where, name)
        seen.add(name)
        plain = name.replace("/", ".")
        if spec.get("hostNetwork") and plain.startswith(_NETWORK):
            yield causes.invalid(where, name, "may not be specified when 'hostNetwork' is true")
        if spec.get("hostIPC") and plain.startswith(_SHARED_MEMORY):
            yield causes.invalid(where, name, "may not be specified when 'hostIPC' is true")


def _profiles(context: Context, path: str) -> Iterator[Cause]:
    seccomp = context.get("seccompProfile")
    if seccomp is not None:
        yield from _seccomp(seccomp, f"{path}.seccompProfile")
    armor = context.get("appArmorProfile")
    if armor is not None:
        yield from _app_armor(armor, f"{path}.appArmorProfile")


def _seccomp(profile: dict[str, Any], path: str) -> Iterator[Cause]:
    local, kind = profile.get("localhostProfile"), profile.get("type")
    if kind == "Localhost" and local is None:
        detail = "must be set when seccomp type is Localhost"
        yield causes.required(f"{path}.localhostProfile", detail)
    elif kind == "Localhost":
        yield from paths.descending(str(local), f"{path}.localhostProfile")
    elif local is not None:
        detail = "can only be set when seccomp type is Localhost"
        yield causes.invalid(f"{path}.localhostProfile", profile, detail)


def _app_armor(profile: dict[str, Any], path: str) -> Iterator[Cause]:
    local, where = profile.get("localhostProfile"), f"{path}.localhostProfile"
    if profile.get("type") == "Localhost":
        if not local:
            yield causes.required(where, "must be set when AppArmor type is Localhost")
        elif local != local.strip():
            yield causes.invalid(where, local, "must not be padded with whitespace")
    elif local is not None:
        yield causes.invalid(where, local, "can only be set when AppArmor type is Localhost")


def container(found: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with the security context of a container."""
    context: Context = found.get("securityContext") or {}
    where = f"{path}.securityContext"
    yield from _profiles(context, where)
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            yield causes.invalid(where, context, detail)
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            yield causes.invalid(where, context, detail)


def system(
    spec: dict[str, Any], containers: Iterable[tuple[str, dict[str, Any]]], path: str
) -> Iterator[Cause]:
    """Yield what does not fit the operating system that the spec names; containers come with their paths."""
    wanted = (spec.get("os") or {}).get("name")
    context: Context = spec.get("securityContext") or {}
    if wanted == "linux":
        for where, each in ((path, spec), *containers):
            if "windowsOptions" in (each.get("securityContext") or {}):
                yield causes.forbidden(f"{where}.securityContext.windowsOptions", _NO_WINDOWS)
    elif wanted == "windows":
        for field in _LINUX_ONLY_POD:
            if context.get(field):
                yield causes.forbidden(f"{path}.securityContext.{field}", _NO_LINUX)
        for field in _LINUX_ONLY_SPEC:
            if spec.get(field) is not None:
                yield causes.forbidden(f"{path}.{field}", _NO_LINUX)
        for where, each in containers:
            for field in _LINUX_ONLY:
                if (each.get("securityContext") or {}).get(field) is not None:
                    yield causes.forbidden(f"{where}.securityContext.{field}", _NO_LINUX)
