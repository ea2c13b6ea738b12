"""Names that a Corefile answers by itself: plugin ``hosts``, and ``rewrite name`` of one name to another."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence

from minikctl.plan.corefile import Directive

Override = tuple[str, str, str]
"""(name, type, data), the names without their last dot."""
FILES = "/etc/coredns/"
"""Where CoreDNS finds the keys of its ConfigMap as files."""
NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_OPTIONS = ("fallthrough", "no_reverse", "reload", "ttl")
_REST = "fallthrough"


def hosts(
    zones: Sequence[str], directive: Directive, files: Mapping[str, str]
) -> tuple[list[Override], list[str]]:
    """Return what a ``hosts`` plugin answers within the zones, and what of it is not done."""
    lines = [(one.name, *one.arguments) for one in directive.body if one.name not in _OPTIONS]
    said = {one.name for one in directive.body}
    ignored = [] if _REST in said else [f"hosts without {_REST}"]
    if directive.arguments:
        path, *limits = directive.arguments
        key = path.removeprefix(FILES)
        if key in files:
            lines += [tuple(words) for words in map(_words, files[key].splitlines()) if words]
        else:
            ignored.append(f"hosts {path}")
        zones = [one.lower().rstrip(".") or "." for one in limits] or zones
    found: list[Override] = []
    for address, *names in lines:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            ignored.append(f"hosts {address}")
            continue
        for name in map(_plain, names):
            if not NAME.fullmatch(name):
                ignored.append(f"hosts {name}")
            elif within(name, zones):
                found.append((name, "A" if parsed.version == 4 else "AAAA", str(parsed)))
                if "no_reverse" not in said:
                    found.append((parsed.reverse_pointer, "PTR", f"{name}."))
    return found, ignored


def rewrite(zones: Sequence[str], directive: Directive) -> Override | None:
    """Return the alias that a ``rewrite`` makes, None if it does something else."""
    match directive.arguments:
        case ("name", source, target) | ("name", "exact", source, target) if not directive.body:
            name, other = _plain(source), _plain(target)
            if NAME.fullmatch(name) and NAME.fullmatch(other) and within(name, zones):
                return name, "CNAME", f"{other}."
    return None


def settled(found: Iterable[Override]) -> tuple[Override, ...]:
    """Return the overrides, each once; a name that is rewritten has no answer of its own."""
    every = sorted(set(found))
    aliases = {name: data for name, type, data in every if type == "CNAME"}
    kept = [one for one in every if one[0] not in aliases]
    return (*kept, *((name, "CNAME", data) for name, data in aliases.items()))


def within(name: str, zones: Iterable[str]) -> bool:
    """Tell whether one of the zones has the name."""
    return any(zone in (".", name) or name.endswith(f".{zone}") for zone in zones)


def _words(line: str) -> list[str]:
    return line.partition("#")[0].split()


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")
