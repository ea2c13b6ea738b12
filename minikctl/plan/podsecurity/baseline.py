"""The checks of the level "baseline": nothing that is known to lead out of a pod."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from minikctl.plan.podsecurity.view import Finding, View, either, named, quoted, security, setters, unconfined

CAPABILITIES = frozenset(
    (
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    )
)
SYSCTLS = frozenset(
    (
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    )
)
SELINUX_TYPES = frozenset(("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"))
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def app_armor(view: View) -> Iterator[Finding]:
    """AppArmor must not be turned off."""
    who, bad = unconfined(view, "appArmorProfile")
    notes = [
        f"{key}={quoted([str(value)])}"
        for key, value in sorted((view.metadata.get("annotations") or {}).items())
        if key.startswith(APPARMOR) and value and not _is_profile(str(value))
    ]
    if notes:
        who = " and ".join([*([who] if who else []), either(notes, "annotation", "annotations")])
        bad += notes
    if who:
        listed = ", ".join(f'"{each}"' for each in bad)  # notes have quotation marks of their own
        reason = either(bad, "forbidden AppArmor profile", "forbidden AppArmor profiles")
        yield Finding(reason, f"{who} must not set AppArmor profile type to {listed}")


def _is_profile(value: str) -> bool:
    return value == "runtime/default" or value.startswith("localhost/")


def capabilities(view: View) -> Iterator[Finding]:
    """Only harmless capabilities may be added."""
    names, added = [], set()
    for each in view.containers():
        found = set((security(each).get("capabilities") or {}).get("add") or ()) - CAPABILITIES
        if found:
            names.append(str(each.get("name")))
            added |= found
    if names:
        listed = quoted(sorted(added))
        detail = f"{named('container', names)} must not include {listed} in securityContext.capabilities.add"
        yield Finding("non-default capabilities", detail)


def host_namespaces(view: View) -> Iterator[Finding]:
    """The pod must have namespaces of its own."""
    found = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if view.spec.get(field)]
    if found:
        yield Finding("host namespaces", ", ".join(found))


def host_path(view: View) -> Iterator[Finding]:
    """Nothing of the host's files may be mounted."""
    names = [str(each.get("name")) for each in view.spec.get("volumes") or () if "hostPath" in each]
    if names:
        yield Finding("hostPath volumes", named("volume", names))


def host_ports(view: View) -> Iterator[Finding]:
    """No port of the host may be taken."""
    names, ports = [], set()
    for each in view.containers():
        found = {int(port["hostPort"]) for port in each.get("ports") or () if port.get("hostPort")}
        if found:
            names.append(str(each.get("name")))
            ports |= found
    if names:
        listed = ", ".join(str(port) for port in sorted(ports, key=str))
        word = either(sorted(ports), "hostPort", "hostPorts")
        uses = either(names, "uses", "use")
        yield Finding("hostPort", f"{named('container', names)} {uses} {word} {listed}")


def host_probes(view: View) -> Iterator[Finding]:
    """Probes and hooks must not name a host of their own."""
    names, hosts = [], set()
    for each in view.containers():
        found = set()
        handlers = [each.get(probe) for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
        handlers += [(each.get("lifecycle") or {}).get(hook) for hook in ("postStart", "preStop")]
        for handler in handlers:
            for action in ("httpGet", "tcpSocket"):
                host = ((handler or {}).get(action) or {}).get("host")
                if host:
                    found.add(str(host))
        if found:
            names.append(str(each.get("name")))
            hosts |= found
    if names:
        names.sort()
        word = either(sorted(hosts), "host", "hosts")
        uses = either(names, "uses", "use")
        detail = f"{named('container', names)} {uses} probe or lifecycle {word} {quoted(sorted(hosts))}"
        yield Finding("probe or lifecycle host", detail)


def privileged(view: View) -> Iterator[Finding]:
    """No container may have all powers."""
    names = [str(each.get("name")) for each in view.containers() if security(each).get("privileged")]
    if names:
        yield Finding(
            "privileged", f"{named('container', names)} must not set securityContext.privileged=true"
        )


def proc_mount(view: View) -> Iterator[Finding]:
    """/proc must be masked, unless the pod has users of its own."""
    if view.spec.get("hostUsers") is False:
        return
    names, types = [], set()
    for each in view.containers():
        found = security(each).get("procMount")
        if found not in (None, "", "Default"):
            names.append(str(each.get("name")))
            types.add(str(found))
    if names:
        detail = (
            f"{named('container', names)} must not set securityContext.procMount to {quoted(sorted(types))}"
        )
        yield Finding("procMount", detail)


def selinux(view: View) -> Iterator[Finding]:
    """SELinux must confine as usual."""
    whole = view.security.get("seLinuxOptions") or {}
    each = {str(one.get("name")): security(one).get("seLinuxOptions") or {} for one in view.containers()}
    names = [name for name, options in each.items() if _selinux(options)]
    who = setters(bool(_selinux(whole)), names)
    if not who:
        return
    problems = sorted({text for options in (whole, *each.values()) for text in _selinux(options)})
    types = [text for text in problems if text not in ("user", "role")]
    told = [f"{either(types, 'type', 'types')} {quoted(types)}"] if types else []
    told += [f"{field} may not be set" for field in ("user", "role") if field in problems]
    detail = f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(told)}"
    yield Finding("seLinuxOptions", detail)


def _selinux(options: Mapping[str, Any]) -> list[str]:
    """Return what is forbidden of it: a type, or the names of fields that may not be set."""
    type_ = str(options.get("type") or "")
    found = [] if type_ in SELINUX_TYPES else [type_]
    return found + [field for field in ("user", "role") if options.get(field)]


def seccomp(view: View) -> Iterator[Finding]:
    """Seccomp must not be turned off."""
    who, types = unconfined(view, "seccompProfile")
    if who:
        detail = f"{who} must not set securityContext.seccompProfile.type to {quoted(types)}"
        yield Finding("seccompProfile", detail)


def sysctls(view: View) -> Iterator[Finding]:
    """Only sysctls that concern the pod alone may be set."""
    found = [str(each.get("name")) for each in view.security.get("sysctls") or ()]
    bad = [name for name in found if name not in SYSCTLS]
    if bad:
        yield Finding("forbidden sysctls", ", ".join(bad))


def windows(view: View) -> Iterator[Finding]:
    """No process of the host's on Windows."""
    whole = (view.security.get("windowsOptions") or {}).get("hostProcess")
    names = [
        str(each.get("name"))
        for each in view.containers()
        if (security(each).get("windowsOptions") or {}).get("hostProcess")
    ]
    who = setters(bool(whole), names)
    if who:
        yield Finding("hostProcess", f"{who} must not set securityContext.windowsOptions.hostProcess=true")


Check = Callable[[View], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    app_armor,
    capabilities,
    host_namespaces,
    host_path,
    host_ports,
    host_probes,
    privileged,
    proc_mount,
    selinux,
    seccomp,
    sysctls,
    windows,
)
