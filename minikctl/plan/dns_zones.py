"""The name server's configuration: which zones it has, what it forwards, who may change records."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from minikctl.plan import dns

KEY_NAME = "minikctl"
KEY_ALGORITHM = "hmac-sha256"
TTL = 5
MARKER = "_minikctl"
"""Below each zone's name: a TXT record that says which run of the control plane filled the zone."""
OVERRIDES = "overrides.invalid"
"""The zone of names that are answered before anything else; nobody may ask for it by its name."""
LIMITS_FILE = "limits.conf"
"""In the server's own directory, made by the pod as it starts: no limit of a name's records.

BIND has one of 100 since it can be set; before, a setting of that name was an error (manifests/dns.yaml).
"""
STATUS_PORT = 8053
ROOT_FILE = "root.zone"
ROOT_TEXT = """. 5 IN SOA localhost. localhost. 1 7200 1800 86400 5
. 5 IN NS localhost.
localhost. 5 IN A 127.0.0.1
"""


@dataclass(frozen=True)
class ServerConfig:
    """What a name server is made from; without forwarders the cluster's names are all that it knows.

    A forwarder is an address, or ``address port number``; ``stubs`` are zones with forwarders of their own.

    ``config_dir`` and ``zone_dir`` are its own directories; ``secret`` is the base64 of the update key.
    """

    domain: str
    zones: tuple[str, ...]
    address: str
    secret: str
    forwarders: tuple[str, ...] = ()
    zone_dir: str = "/zones"
    stubs: tuple[tuple[str, tuple[str, ...]], ...] = ()
    log: bool = False
    overrides: tuple[tuple[str, str, str], ...] = ()
    """(name, type, data) of what is answered before anything else."""
    ttl: int = TTL
    """So many seconds records of the cluster may be remembered, and that there is none."""
    asks: str = ""
    """The address from which the node asks at ``STATUS_PORT`` how the server is; "" for nobody."""


def zones(domain: str, cidrs: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the zones: the cluster's domain and the reverse zones of its ranges."""
    found = [domain]
    for cidr in cidrs:
        found += reverse_zones(cidr)
    return tuple(dict.fromkeys(found))


def reverse_zones(cidr: str) -> list[str]:
    """Return the reverse zones that cover a range and as little else as possible."""
    network = ipaddress.IPv4Network(cidr)
    octets = max(1, min(3, -(-network.prefixlen // 8)))
    whole = ipaddress.IPv4Network(f"{network.network_address}/{octets * 8}", strict=False)
    pieces = network.subnets(new_prefix=octets * 8) if network.prefixlen <= octets * 8 else [whole]
    return [_reversed(str(piece.network_address), octets) for piece in pieces]


def _reversed(address: str, octets: int) -> str:
    return ".".join([*reversed(address.split(".")[:octets]), "in-addr.arpa"])


def reverse_name(address: str) -> str:
    """Return the absolute name under which an address is looked up."""
    return _reversed(address, 4) + "."


def forwarders(host_lines: Sequence[str], *, egress: bool) -> tuple[str, ...]:
    """Return the servers that answer for other names; none where nothing may leave the cluster."""
    if not egress:
        return ()
    return tuple(server for server in dns.reachable(dns.parse(host_lines)).nameservers if ":" not in server)


def files(config: ServerConfig) -> dict[str, str]:
    """Return the files of the server's configuration directory: named.conf and each zone's beginning."""
    found = {"named.conf": named_conf(config), ROOT_FILE: root_text(config)}
    for zone in config.zones:
        found[zone_file(zone)] = zone_text(zone, config)
    if config.overrides:
        found[zone_file(OVERRIDES)] = overrides_text(config)
    return found


def overrides_text(config: ServerConfig) -> str:
    """Return the response policy zone: each name in it is answered with what it has there."""
    ttl = config.ttl
    lines = [
        f"{OVERRIDES}. {ttl} IN SOA localhost. localhost. 1 7200 1800 86400 {ttl}",
        f"{OVERRIDES}. {ttl} IN NS localhost.",
        *(f"{name}.{OVERRIDES}. {ttl} IN {type} {data}" for name, type, data in config.overrides),
    ]
    return "".join(line + "\n" for line in lines)


def root_text(config: ServerConfig) -> str:
    """Return the root zone that is used without forwarders; it hands the stub zones on."""
    return ROOT_TEXT + "".join(f"{zone}. 5 IN NS localhost.\n" for zone, _ in config.stubs)


def zone_file(zone: str) -> str:
    """Return the name of the zone's file."""
    return f"{zone}.zone"


def zone_text(zone: str, config: ServerConfig) -> str:
    """Return what a zone holds before any record is in it; its SOA tells the TTL of records to come."""
    ttl, server = config.ttl, f"ns.dns.{config.domain}."
    lines = [
        f"{zone}. {ttl} IN SOA {server} hostmaster.{config.domain}. 1 7200 1800 86400 {ttl}",
        f"{zone}. {ttl} IN NS {server}",
    ]
    if zone == config.domain:
        lines.append(f"{server} {ttl} IN A {config.address}")
    return "".join(line + "\n" for line in lines)


def named_conf(config: ServerConfig) -> str:
    """Return named's configuration: our zones, updates with the key, forwarding."""
    blocks = [
        f'key "{KEY_NAME}" {{ algorithm {KEY_ALGORITHM}; secret "{config.secret}"; }};',
        _options(config),
        "controls { };",
        *_status(config),
        "logging { channel out { stderr; severity notice; print-category yes; };"
        " channel asked { stderr; severity info; }; category queries { asked; };"
        " category default { out; }; category lame-servers { null; }; };",
    ]
    for zone in config.zones:
        # Names of ports have addresses, too: what begins with "_" is no host name to a server that checks.
        blocks.append(
            f'zone "{zone}" {{ type primary; file "{zone_file(zone)}"; '
            f'check-names ignore; allow-update {{ key "{KEY_NAME}"; }}; max-journal-size 1m; }};'
        )
    if config.overrides:
        kept = "allow-query { none; }; check-names ignore;"
        blocks.append(f'zone "{OVERRIDES}" {{ type primary; file "{zone_file(OVERRIDES)}"; {kept} }};')
    for zone, servers in config.stubs:
        asked = f"forwarders {{ {_listed(servers)} }};"
        blocks.append(f'zone "{zone}" {{ type forward; forward only; {asked} }};')
    if not config.forwarders:
        # With the root of our own, an outside name is refused at once instead of looked for in vain.
        blocks.append(f'zone "." {{ type primary; file "{ROOT_FILE}"; }};')
    return "".join(block + "\n" for block in blocks)


def _status(config: ServerConfig) -> list[str]:
    """Return what tells the node, and nobody else, how the server is: said by the thread that answers."""
    return (
        [f"statistics-channels {{ inet * port {STATUS_PORT} allow {{ {config.asks}; }}; }};"]
        if config.asks
        else []
    )


def _options(config: ServerConfig) -> str:
    lines = [
        f'directory "{config.zone_dir}";',
        "listen-on port 53 { any; };",
        "listen-on-v6 { none; };",
        "pid-file none;",
        "session-keyfile none;",
        "allow-query { any; };",
        "allow-recursion { any; };",
        f'allow-transfer {{ key "{KEY_NAME}"; }};',
        "notify no;",
        "dnssec-validation no;",
        "empty-zones-enable no;",
        "max-cache-size 32m;",
        "max-cache-ttl 30;",
        "max-ncache-ttl 5;",
        f'include "{config.zone_dir}/{LIMITS_FILE}";',
    ]
    # Left unsaid, questions are told whenever there is a channel for them, at half of the server's time.
    lines.append(f"querylog {'yes' if config.log else 'no'};")
    if config.overrides:
        lines.append(
            f'response-policy {{ zone "{OVERRIDES}"; }} qname-wait-recurse no add-soa no recursive-only no;'
        )
    if config.forwarders:
        lines.append(f"forwarders {{ {_listed(config.forwarders)} }};")
        lines.append("forward only;")
    return "options {\n" + "".join(f"  {line}\n" for line in lines) + "};"


def _listed(servers: Sequence[str]) -> str:
    return " ".join(f"{server};" for server in servers)
