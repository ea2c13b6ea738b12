"""What may be asked for the requests of an Ingress, whatever the annotations that ask for it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cors:
    """Who may use answers from other origins; no origins means all."""

    origins: tuple[str, ...] = ()
    methods: str = "GET, PUT, POST, DELETE, PATCH, OPTIONS"
    headers: str = (
        "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,"
        "Authorization"
    )
    exposed: str = ""
    credentials: bool = True
    max_age: int = 1728000


@dataclass(frozen=True)
class Cookie:
    """The cookie by which a client keeps its endpoint; ``max_age`` 0: until the browser ends."""

    name: str = "INGRESSCOOKIE"
    max_age: int = 0
    path: str = ""
    domain: str = ""
    same_site: str = ""
    secure: bool = False


@dataclass(frozen=True)
class Canary:
    """Who is sent to the other backend: by header, else by cookie, else so many of ``total`` requests.

    ``keeps``: who has a cookie of affinity is to stay where that was given.
    """

    weight: int = 0
    total: int = 100
    header: str = ""
    value: str = ""
    pattern: str = ""
    cookie: str = ""
    keeps: bool = True


@dataclass(frozen=True)
class ExternalAuth:
    """Who is asked whether a request may pass; no ``host``: that of the request.

    ``signin`` is where those are sent who are not known, ``passed`` which headers of the answer the
    application gets, ``redirect`` what the server is told of where to go afterwards.  ``address`` is where it
    answers, "" the Ingress itself.
    """

    scheme: str
    host: str
    port: int
    path: str
    method: str = "GET"
    signin: str = ""
    passed: tuple[str, ...] = ()
    redirect: str = ""
    address: str = ""


@dataclass(frozen=True)
class ClientCertificates:
    """What is asked of clients' certificates: a Secret, (namespace or "", name), has those who may sign them.

    ``mode`` is on, optional or optional_no_ca; at most ``depth`` certificates may stand between one and its
    authority.  ``error_page`` is where those are sent who have no good one, ``passed``: the application gets
    it, ``match`` is an expression for its subject.
    """

    secret: tuple[str, str]
    mode: str = "on"
    depth: int = 1
    error_page: str = ""
    passed: bool = False
    match: str = ""


@dataclass(frozen=True)
class ServerTls:
    """How an endpoint that speaks TLS is believed: by the authorities of a Secret, (namespace or "", name).

    ``name`` is what its certificate has to be for, "" the name that it is told by SNI.  ``protocols`` are the
    oldest and the newest that may be spoken, ``ciphers`` as OpenSSL writes them; "" any.
    """

    secret: tuple[str, str]
    verify: bool = False
    name: str = ""
    protocols: tuple[str, str] = ("", "")
    ciphers: str = ""


@dataclass(frozen=True)
class Exchange:
    """What is put in the place of what."""

    old: str
    new: str


@dataclass(frozen=True)
class Answers:
    """What is changed in answers: of cookies path and domain, and where redirects lead."""

    cookie_path: Exchange | None = None
    cookie_domain: Exchange | None = None
    location: Exchange | None = None


@dataclass(frozen=True)
class Retries:
    """After which failures another endpoint is tried, and how many more; -1: as always."""

    after: tuple[str, ...] = ()
    count: int = -1


@dataclass(frozen=True)
class Options:
    """What is to be done with the requests of an Ingress; times in seconds, sizes in bytes; 0, "": nothing.

    ``https``: "" nobody is redirected, "tls" where the Ingress has TLS, "always".  ``shut`` says why every
    request is refused.  ``head_bytes`` is how large the heads of answers may be.  ``www``: who asks for a
    host with or without www. is sent to the one that is served.  ``free`` are the ranges for which neither
    rate nor connections are limited.  ``any_guard``: who comes from ``allow`` need not sign in, and who
    signs in may come from anywhere.  ``hashed`` is what endpoints are chosen by, ``virtual``: the Service's
    own address is used, not its endpoints'.  ``server_name`` is what servers are told by SNI.  ``reserve``
    is the Service that answers while there is no endpoint, and instead of answers with one of ``errors``.
    ``headers`` of answers come from the ConfigMap ``named``, (namespace or "", name).
    """

    shut: str = ""
    https: str = ""
    location: str = ""
    code: int = 0
    app_root: str = ""
    rewrite: str = ""
    regex: bool = False
    body_limit: int = 0
    head_bytes: int = 0
    connect_seconds: int = 0
    server_seconds: int = 0
    protocol: str = ""
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    cors: Cors | None = None
    realm: str = ""
    users: tuple[tuple[str, str], ...] = ()
    auth: ExternalAuth | None = None
    cookie: Cookie | None = None
    rate: int = 0
    rate_seconds: int = 0
    connections: int = 0
    free: tuple[str, ...] = ()
    any_guard: bool = False
    quiet: bool = False
    vhost: str = ""
    prefix: str = ""
    balance: str = ""
    hashed: str = ""
    virtual: bool = False
    server_name: str = ""
    retries: Retries = Retries()
    answers: Answers = Answers()
    reserve: str = ""
    aliases: tuple[str, ...] = ()
    www: bool = False
    canary: Canary | None = None
    clients: ClientCertificates | None = None
    server: ServerTls | None = None
    errors: tuple[int, ...] = ()
    named: tuple[str, str] = ("", "")
    headers: tuple[tuple[str, str], ...] = ()
    problems: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def is_plain(self) -> bool:
        """Tell whether requests are passed on as they are."""
        return self is PLAIN or self == Options(
            regex=self.regex, aliases=self.aliases, www=self.www, canary=self.canary, clients=self.clients
        )


PLAIN = Options()
