"""The checks of the level "restricted": a pod must say that it wants no more than it needs."""

from __future__ import annotations

from collections.abc import Iterator

from minikctl.plan.podsecurity import baseline
from minikctl.plan.podsecurity.view import Finding, View, either, named, quoted, security

VOLUMES = frozenset(
    (
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
)


def escalation(view: View) -> Iterator[Finding]:
    """No process may get more powers than its parent."""
    if view.is_windows:
        return
    names = [
        str(each.get("name"))
        for each in view.containers()
        if security(each).get("allowPrivilegeEscalation") is not False
    ]
    if names:
        detail = f"{named('container', names)} must set securityContext.allowPrivilegeEscalation=false"
        yield Finding("allowPrivilegeEscalation != false", detail)


def capabilities(view: View) -> Iterator[Finding]:
    """All capabilities are dropped; one may be added."""
    if view.is_windows:
        return
    lacking, adding, added = [], [], set()
    for each in view.containers():
        found = security(each).get("capabilities") or {}
        if "ALL" not in (found.get("drop") or ()):
            lacking.append(str(each.get("name")))
        more = set(found.get("add") or ()) - {"NET_BIND_SERVICE"}
        if more:
            adding.append(str(each.get("name")))
            added |= more
    details = []
    if lacking:
        details.append(f'{named("container", lacking)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        listed = quoted(sorted(added))
        details.append(
            f"{named('container', adding)} must not include {listed} in securityContext.capabilities.add"
        )
    if details:
        yield Finding("unrestricted capabilities", "; ".join(details))


def volumes(view: View) -> Iterator[Finding]:
    """Only types of volumes that reach no host."""
    names, types = [], set()
    for each in view.spec.get("volumes") or ():
        found = [key for key in each if key != "name" and key not in VOLUMES]
        if found:
            names.append(str(each.get("name")))
            types |= set(found)
    if names:
        uses = either(names, "uses", "use")
        word = either(sorted(types), "restricted volume type", "restricted volume types")
        detail = f"{named('volume', names)} {uses} {word} {quoted(sorted(types))}"
        yield Finding("restricted volume types", detail)


def non_root(view: View) -> Iterator[Finding]:
    """No container may run as root, and the pod must say so."""
    if view.spec.get("hostUsers") is False:
        return
    whole = view.security.get("runAsNonRoot")
    explicit, implicit = [], []
    for each in view.containers():
        own = security(each).get("runAsNonRoot")
        if own is False:
            explicit.append(str(each.get("name")))
        elif own is None and whole is None:
            implicit.append(str(each.get("name")))
    bad = []
    if whole is False:
        bad.append("pod must not set securityContext.runAsNonRoot=false")
    if explicit:
        bad.append(f"{named('container', explicit)} must not set securityContext.runAsNonRoot=false")
    if bad:
        yield Finding("runAsNonRoot != true", "; ".join(bad))
    elif implicit:
        detail = f"pod or {named('container', implicit)} must set securityContext.runAsNonRoot=true"
        yield Finding("runAsNonRoot != true", detail)


def user(view: View) -> Iterator[Finding]:
    """The user must not be 0."""
    if view.spec.get("hostUsers") is False:
        return
    bad = ["pod"] if view.security.get("runAsUser") == 0 else []
    names = [str(each.get("name")) for each in view.containers() if security(each).get("runAsUser") == 0]
    bad += [named("container", names)] if names else []
    if bad:
        yield Finding("runAsUser=0", f"{' and '.join(bad)} must not set runAsUser=0")


def seccomp(view: View) -> Iterator[Finding]:
    """Seccomp must be on, and the pod must say so."""
    if view.is_windows:
        return
    whole = (view.security.get("seccompProfile") or {}).get("type")
    good = ("RuntimeDefault", "Localhost")
    explicit, implicit = [], []
    for each in view.containers():
        own = (security(each).get("seccompProfile") or {}).get("type")
        if own is not None and own not in good:
            explicit.append(str(each.get("name")))
        elif own is None and whole not in good:
            implicit.append(str(each.get("name")))
    bad, allowed = [], 'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    if whole is not None and whole not in good:
        bad.append(f'pod must not set securityContext.seccompProfile.type to "{whole}"')
    if explicit:
        bad.append(
            f'{named("container", explicit)} must not set securityContext.seccompProfile.type to "Unconfined"'
        )
    if bad:
        yield Finding("seccompProfile", "; ".join(bad))
    elif implicit:
        yield Finding("seccompProfile", f"pod or {named('container', implicit)} must set {allowed}")


CHECKS: tuple[baseline.Check, ...] = (
    *(
        check
        for check in baseline.CHECKS
        if check not in (baseline.capabilities, baseline.seccomp, baseline.host_path)
    ),
    escalation,
    capabilities,
    volumes,
    non_root,
    user,
    seccomp,
)
