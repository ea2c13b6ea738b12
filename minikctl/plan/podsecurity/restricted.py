"""The checks of the level "restricted": a pod must say that it wants no more than it needs."""

from __future__ import annotations

from collections.abc import Iterator

from minikctl.plan.podsecurity import baseline
from minikctl.plan.podsecurity.view import Finding, View, either, named, quoted, security, setters

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
    who = setters(whole is False, explicit)
    if who:
        yield Finding("runAsNonRoot != true", f"{who} must not set securityContext.runAsNonRoot=false")
    elif implicit:
        detail = f"pod or {named('container', implicit)} must set securityContext.runAsNonRoot=true"
        yield Finding("runAsNonRoot != true", detail)


def user(view: View) -> Iterator[Finding]:
    """The user must not be 0."""
    if view.spec.get("hostUsers") is False:
        return
    names = [str(each.get("name")) for each in view.containers() if security(each).get("runAsUser") == 0]
    who = setters(view.security.get("runAsUser") == 0, names)
    if who:
        yield Finding("runAsUser=0", f"{who} must not set runAsUser=0")


def seccomp(view: View) -> Iterator[Finding]:
    """Seccomp must be on, and the pod must say so."""
    if view.is_windows:
        return
    refused = list(baseline.seccomp(view))
    if refused or view.security.get("seccompProfile"):
        yield from refused
        return
    names = [str(each.get("name")) for each in view.containers() if not security(each).get("seccompProfile")]
    if names:
        allowed = 'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
        yield Finding("seccompProfile", f"pod or {named('container', names)} must set {allowed}")


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
