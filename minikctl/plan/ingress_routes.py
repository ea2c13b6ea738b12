"""The routes of Ingresses as data, and as they are being collected."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from minikctl.model import objects
from minikctl.model.objects import Key, Object
from minikctl.plan import ingress_options
from minikctl.plan.ingress_options import Canary, ClientCertificates, Options
from minikctl.plan.proxy_view import Target

ANY_HOST = "*"
Place = tuple[str, str]
"""The name of a table and a key in it."""
_FOR_COOKIES = re.compile(r"[A-Za-z0-9_./~%-]+")


@dataclass(frozen=True)
class Certificate:
    """A certificate chain with its key, from a Secret; ``problem`` says why it cannot be used."""

    secret: Key
    pem: str
    problem: str = ""


@dataclass(frozen=True)
class Credentials:
    """Of a Secret: the authorities in its ca.crt, what its ca.crl revokes, and its certificate with the key.

    What is not there is ""; ``problem`` says why it cannot be used.
    """

    authorities: str = ""
    revoked: str = ""
    pem: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Guard:
    """What is asked of clients' certificates on a host; a ``problem`` says why nobody may pass.

    ``name`` is that of all that ask the same, ``files`` are those that the proxy needs.
    """

    name: str
    clients: ClientCertificates
    secret: Key
    owner: Key
    files: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class View:
    """What routing is made from; ``certificates`` are by the key of their Secret.

    Those of our own authority are under ("", host), as no Secret has them.  ``users`` are (name, hash) by
    the key of their Secret, and so are ``credentials``; ``maps`` are ConfigMaps.  ``refused`` are keys of
    Ingresses that are left out because the proxy does not take them.
    """

    ingresses: tuple[Object, ...]
    classes: tuple[Object, ...]
    services: Mapping[Key, Object]
    slices: Mapping[Key, Sequence[Object]]
    certificates: Mapping[Key, Certificate]
    refused: frozenset[Key] = frozenset()
    users: Mapping[Key, Sequence[tuple[str, str]]] = field(default_factory=dict)
    credentials: Mapping[Key, Credentials] = field(default_factory=dict)
    maps: Mapping[Key, Object] = field(default_factory=dict)


@dataclass(frozen=True)
class Backend:
    """The endpoints behind one port of a Service, and the Ingresses that lead there.

    What an Ingress asks for is done in backends of its own; ``pattern`` is the regular expression of the
    path that leads there, and ``protocol`` what the Service says that it speaks.  ``reserve`` are the
    endpoints that answer while there are no ``targets``, None without such a Service; ``stands_in`` for the
    backend that has them as its own.  ``files`` are those by which its endpoints are believed.  ``pages``
    is the address that gives pages for errors; ``hop``: its endpoints are those of a backend
    behind it, which is ``inner``.
    """

    name: str
    targets: tuple[Target, ...] = ()
    owners: tuple[Key, ...] = ()
    options: Options = ingress_options.PLAIN
    pattern: str = ""
    protocol: str = ""
    has_tls: bool = False
    reserve: tuple[Target, ...] | None = None
    stands_in: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    pages: str = ""
    hop: bool = False
    inner: bool = False


@dataclass(frozen=True)
class CanaryRoute:
    """Some requests for one backend, which nothing else leads to, go to another."""

    primary: str
    backend: str
    canary: Canary


@dataclass(frozen=True)
class Problem:
    """Something of an Ingress that does not work as it is written."""

    ingress: Key
    reason: str
    message: str


@dataclass(frozen=True)
class Routing:
    """Maps of patterns to backend names.

    ``exact`` and ``prefixes`` have keys made of host pattern and path; a prefix ends in "/".  The keys of
    ``regexes`` are expressions for both; the first that matches counts, and ``regex_hosts`` are the host
    patterns in them.  ``reserves`` are backends that stand in for others while these have no endpoint.
    ``secrets`` are the certificates by Secret with the hosts that they are for (none:
    those that they name themselves).  ``guards`` are by host pattern, ``default_guard`` is the name of that
    for what no rule matches.
    """

    hosts: frozenset[str] = frozenset()
    exact: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    regexes: Mapping[str, str] = field(default_factory=dict)
    regex_hosts: Mapping[str, str] = field(default_factory=dict)
    regex_owners: Mapping[str, Key] = field(default_factory=dict)
    default: str = ""
    backends: Mapping[str, Backend] = field(default_factory=dict)
    canaries: tuple[CanaryRoute, ...] = ()
    reserves: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    owners: Mapping[Key, tuple[Key, ...]] = field(default_factory=dict)
    guards: Mapping[str, Guard] = field(default_factory=dict)
    default_guard: str = ""
    served: tuple[Key, ...] = ()
    problems: tuple[Problem, ...] = ()


def service_named(host: str) -> Key | None:
    """Return the Service that the cluster's DNS has under a name, which says the namespace; None if none."""
    labels = host.lower().rstrip(".").removesuffix(".cluster.local").removesuffix(".svc").split(".")
    return (labels[1], labels[0]) if len(labels) == 2 else None


class Draft:
    """Routing being collected; what is there first stays."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.hosts: set[str] = set()
        self.tables: dict[str, dict[str, str]] = {"exact": {}, "prefixes": {}, "regexes": {}}
        self.regex_hosts: dict[str, str] = {}
        self.lengths: dict[str, int] = {}
        self.rulers: dict[Place, Key] = {}
        self.paths: dict[str, set[str]] = {}
        self.regex_owners: dict[str, Key] = {}
        self.canaries: list[CanaryRoute] = []
        self.options: dict[Key, Options] = {}
        self.fallbacks: dict[str, str] = {}
        self.twins: dict[str, tuple[str, Key]] = {}
        """Hosts that others are to lead to, by those others."""
        self.default = ""
        self.guards: dict[str, Guard] = {}
        self.default_guard = ""
        self.backends: dict[str, Backend] = {}
        self.secrets: dict[Key, list[str]] = {}
        self.certified: dict[str, Key] = {}
        self.owners: dict[Key, list[Key]] = {}
        self.problems: list[Problem] = []

    def problem(self, ingress: Object, reason: str, message: str) -> None:
        """Take note of something that does not work."""
        self.problems.append(Problem(objects.key(ingress), reason, message))

    def finished(self, served: tuple[Key, ...]) -> Routing:
        """Return the routes; what others leave open goes to default backends and redirects."""
        for twin, (host, owner) in self.twins.items():
            self._lead(twin, host, owner)
        prefixes, regexes = self.tables["prefixes"], dict(self.tables["regexes"])
        self._mix(regexes)
        for key, name in self.fallbacks.items():
            prefixes.setdefault(key, name)
        reserves = {name: f"{name}:reserve" for name, one in self.backends.items() if one.reserve is not None}
        for name, own in reserves.items():
            one = self.backends[name]
            options = dataclasses.replace(one.options, cookie=None, virtual=False, errors=())
            self.backends[own] = dataclasses.replace(
                one, name=own, targets=one.reserve or (), options=options, protocol="", stands_in=True
            )
            self.paths[own] = self.paths.get(name, set())
        return Routing(
            hosts=frozenset(self.hosts),
            exact=self.tables["exact"],
            prefixes=prefixes,
            regexes=dict(sorted(regexes.items(), key=self._rank)),
            regex_hosts=self.regex_hosts,
            regex_owners=self.regex_owners,
            canaries=tuple(self.canaries),
            reserves=reserves,
            default=self.default,
            backends={name: self._pathed(one) for name, one in self.backends.items()},
            secrets={key: tuple(dict.fromkeys(hosts)) for key, hosts in self.secrets.items()},
            owners={key: tuple(dict.fromkeys(owners)) for key, owners in self.owners.items()},
            guards=self.guards,
            default_guard=self.default_guard,
            served=served,
            problems=tuple(self.problems),
        )

    def _pathed(self, one: Backend) -> Backend:
        """Have a cookie be for the path that leads to its endpoints, for all where several do.

        A browser would take it for what is beside the page that it came with, and come to others elsewhere;
        what is for all paths would be changed by each backend that has one.
        """
        cookie = one.options.cookie
        if cookie is None or cookie.path:
            return one
        paths = self.paths.get(one.name, set())
        path = next(iter(paths)) if len(paths) == 1 else "/"
        path = path if _FOR_COOKIES.fullmatch(path) else "/"
        options = dataclasses.replace(one.options, cookie=dataclasses.replace(cookie, path=path))
        return dataclasses.replace(one, options=options)

    def _lead(self, twin: str, host: str, owner: Key) -> None:
        """Redirect a host to another, unless it is served itself."""
        if twin in self.hosts or ANY_HOST in host:
            return
        name = f"{owner[0]}_{owner[1]}:{twin}"
        options = Options(location=f"$scheme://{host}$request_uri", code=308)
        self.backends[name] = Backend(name, owners=(owner,), options=options)
        self.hosts.add(twin)
        self.tables["prefixes"][f"{twin}/"] = name

    def _mix(self, regexes: dict[str, str]) -> None:
        """Add prefixes to the expressions of their host: as with ingress-nginx, the longest path counts.

        Those that come after all expressions are found as ever, by a tree.
        """
        shortest: dict[str, int] = {}
        for key, host in self.regex_hosts.items():
            shortest[host] = min(self.lengths[key], shortest.get(host, self.lengths[key]))
        for key, name in self.tables["prefixes"].items() if shortest else ():
            host, path = key.partition("/")[0], key[key.index("/") : -1]
            if len(path) > shortest.get(host, len(path)):
                expression = f"^{re.escape(host)}{re.escape(path)}(?:/|$)"
                regexes[expression] = name
                self.regex_hosts[expression] = host
                self.lengths[expression] = len(path)

    def _rank(self, item: tuple[str, str]) -> tuple[int, str]:
        return -self.lengths[item[0]], item[0]
