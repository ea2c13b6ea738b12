"""What a verb works with: where to write, which server to ask, which namespace to be in."""

from __future__ import annotations

import os
import sys

from minikctl import errors
from minikctl.cli import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

    from minikctl.cli.discovery import Discovery
    from minikctl.cli.settings import Settings
    from minikctl.client.endpoint import Endpoint
    from minikctl.client.home import ClusterHome
    from minikctl.client.http import HttpClient
    from minikctl.client.kubeconfig import Config


TOLD_VERBOSITY = 6
"""From here on requests are shown."""


REQUEST_TIMEOUT = (
    "error: Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a "
    "corresponding time unit (e.g. 1s | 2m | 3h)"
)


class Io:
    """The terminal or pipes of a command."""

    def __init__(self, out: TextIO, err: TextIO, stdin: TextIO) -> None:
        self.out = out
        self.err = err
        self.stdin = stdin
        self.troubled = False
        """Whether something was told that makes the command fail in the end."""

    @classmethod
    def standard(cls) -> Io:
        """Return the process's own streams; what is written is UTF-8 in every locale, as with kubectl."""
        for stream in (sys.stdout, sys.stderr):
            if stream.encoding != "utf-8":
                stream.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # the process's own are
        return cls(sys.stdout, sys.stderr, sys.stdin)

    def say(self, text: str) -> None:
        """Write a line of output; of commands to a terminal only colours get through."""
        self.out.write(terminal.tamed(text) + "\n")

    def warn(self, text: str) -> None:
        """Write a line to the error stream, tamed too, after what was already written to the output."""
        self.out.flush()
        self.err.write(terminal.tamed(text) + "\n")
        self.err.flush()


class Session:
    """One command's connection, made when it is first needed."""

    def __init__(self, settings: Settings, io: Io, *, starts: bool = True) -> None:
        self.settings = settings
        self._starts = starts
        self.io = io
        self._warned: set[str] = set()
        self._home: ClusterHome | None = None
        self._endpoint: Endpoint | None = None
        self._client: HttpClient | None = None
        self._discovery: Discovery | None = None

    @property
    def home(self) -> ClusterHome:
        """The local cluster that --cluster or $MINIKCTL_CLUSTER names."""
        if self._home is None:
            from minikctl.client.home import ClusterHome

            self._home = ClusterHome(self.settings.cluster)
        return self._home

    @property
    def is_local(self) -> bool:
        """Tell whether the command is about the local cluster."""
        return not (self.context or self.settings.kubeconfig or self.settings.server)

    @property
    def context(self) -> str:
        """The context of the user's kubeconfig that is meant, "" for none: the flag's, the shell's, the kept one."""
        settings = self.settings
        if settings.context or settings.cluster or settings.kubeconfig or settings.server:
            return str(settings.context)
        if os.environ.get("MINIKCTL_CLUSTER"):
            return ""
        from minikctl.client import home

        return os.environ.get("MINIKCTL_CONTEXT") or home.chosen()[1]

    @property
    def endpoint(self) -> Endpoint:
        """The API server to ask; the local one is started if it does not run."""
        if self._endpoint is None:
            found = self._local_endpoint() if self.is_local else self._named_endpoint()
            found = _overridden(found, self.settings)
            self._endpoint = _impersonating(found, self.settings)
        return self._endpoint

    @property
    def client(self) -> HttpClient:
        """The connection to the API server."""
        if self._client is None:
            from minikctl.client import http

            observer = None
            if self.settings.verbosity >= TOLD_VERBOSITY:
                from minikctl.cli import tracing

                observer = tracing.Tracer(self.io, self.settings.verbosity)
            self._client = http.HttpClient(
                self.endpoint, timeout_seconds=self.timeout, warn=self._warn, observer=observer
            )
            if self.settings.match_version:
                self._compare_versions(self._client)
        return self._client

    def within(self, seconds: float) -> Session:
        """Return a session whose requests take so long at most, unless the user said how long."""
        if self.timeout is not None:
            return self
        return Session(
            type(self.settings)(**{**self.settings.__dict__, "request_timeout": f"{seconds:g}s"}), self.io
        )

    @property
    def timeout(self) -> float | None:
        """How many seconds a request may take, None: as many as it needs."""
        if self.settings.request_timeout in ("", "0"):
            return None
        from minikctl.cli import timespan

        return timespan.seconds(self.settings.request_timeout, REQUEST_TIMEOUT)

    def beside(self) -> Session:
        """Return a session with a connection of its own, for requests at the same time; the caller closes its client.

        It knows the kinds that this one has found out about.
        """
        other = Session(self.settings, self.io)
        other._endpoint, other._discovery, other._warned = self.endpoint, self.discovery, self._warned
        return other

    @property
    def discovery(self) -> Discovery:
        """What the server serves."""
        if self._discovery is None:
            from minikctl.cli import discovery
            from minikctl.client import home

            place = self.settings.cache_directory or os.path.join(home.root_directory(), "cache")
            self._discovery = discovery.Discovery(self.client, place)
        return self._discovery

    @property
    def namespace(self) -> str:
        """The namespace of the request: the flag's, else the context's; ``UsageError`` when several are given."""
        found = self.namespaces
        if len(found) > 1:
            raise errors.UsageError(
                f"error: this works in one namespace, not in {', '.join(found)}: "
                "get, describe, events, logs -l and delete take several"
            )
        return found[0]

    @property
    def namespaces(self) -> list[str]:
        """The namespaces of the request, one or several that commas join, each once."""
        told = self.settings.namespace or os.environ.get("MINIKCTL_NAMESPACE") or self.endpoint.namespace
        if "," not in told:
            return [told]
        return list(dict.fromkeys(name for name in told.split(",") if name)) or [""]

    def _warn(self, text: str) -> None:
        """Pass a server's warning on, each once."""
        if self._starts and text not in self._warned:
            self._warned.add(text)
            self.io.warn(f"Warning: {text}")

    @property
    def warned(self) -> int:
        """How many different things the server warned of."""
        return len(self._warned)

    def _compare_versions(self, client: HttpClient) -> None:
        import minikctl

        own, theirs = f"v{minikctl.__version__}", client.request("GET", "/version").json()["gitVersion"]
        if own != theirs:
            raise errors.UsageError(f"error: client version ({own}) differs from server version ({theirs})!")

    def close(self) -> None:
        """Close the connection, if one was made."""
        if self._client is not None:
            self._client.close()

    def _local_endpoint(self) -> Endpoint:
        from minikctl.client import launcher
        from minikctl.client.endpoint import Endpoint

        if self._starts:
            if not self.home.exists():
                from minikctl.cli import firstrun

                firstrun.tell(self.home, self.io)
            address = launcher.ensure_running(self.home, self.io.warn if self.io.err.isatty() else None)
        else:
            address = (launcher.status(self.home) or {}).get("address", "")
        if self.settings.user:
            from minikctl.client import kubeconfig

            return kubeconfig.resolve(kubeconfig.load(self.home.kubeconfig), user=self.settings.user)
        try:
            with open(self.home.file("pki", "ca.crt"), "rb") as source:
                authority = source.read()
            with open(self.home.file("pki", "admin.token"), encoding="ascii") as source_text:
                token = source_text.read().strip()
        except FileNotFoundError as error:
            raise errors.UsageError(
                f"error: {error.filename} is gone; hint: `minikctl cluster stop` and `cluster start` make it anew"
            ) from error
        socket = self.home.socket if os.path.exists(self.home.socket) else ""
        return Endpoint(address, self._local_namespace(), token, authority, socket=socket)

    def _local_namespace(self) -> str:
        try:
            with open(self.home.kubeconfig, encoding="utf-8") as source:
                text = source.read()
        except OSError:
            return "default"
        if "namespace:" not in text:  # parsing YAML takes longer than the request
            return "default"
        return _remembered(self.home.kubeconfig, self.home.file("namespace"), text)

    def _named_endpoint(self) -> Endpoint:
        from minikctl.client import kubeconfig

        config = self._config()
        if self.settings.server:
            config = _with_server(config, self.settings)
        return kubeconfig.resolve(config, self.context, user=self.settings.user, judge=self._judge)

    def _judge(self, plugin: str) -> None:
        """Refuse a credential plugin that the user's preferences do not allow."""
        from minikctl.cli import preferences

        words = [f"--kuberc={self.settings.preferences}"] if self.settings.preferences else []
        problem = preferences.plugin_problem(plugin, self.io, words)
        if problem:
            raise errors.UsageError(f"error: getting credentials: {problem}")

    def _config(self) -> Config:
        from minikctl.client import kubeconfig

        path = self.settings.kubeconfig
        if path:
            if not os.path.exists(path):
                raise errors.UsageError(f"error: stat {path}: no such file or directory")
            return kubeconfig.load(path)
        if self.context:
            return kubeconfig.load_merged(kubeconfig.default_paths())
        return kubeconfig.empty()


def _remembered(path: str, memory: str, text: str) -> str:
    """Return the namespace of a kubeconfig, read once and remembered until the file is another."""
    import zlib

    stamp = f"{zlib.crc32(text.encode()):08x}-{len(text)}"
    try:
        with open(memory, encoding="utf-8") as source:
            known, _, namespace = source.read().partition(" ")
    except OSError:
        known, namespace = "", ""
    if known == stamp:
        return namespace
    from minikctl.client import kubeconfig

    found = kubeconfig.resolve(kubeconfig.load(path)).namespace
    try:
        with open(memory, "w", encoding="utf-8") as sink:
            sink.write(f"{stamp} {found}")
    except OSError:
        pass  # read-only state: it is parsed again next time
    return found


def _with_server(config: Config, settings: Settings) -> Config:
    """Return a config in which the chosen context exists and its cluster has the given address."""
    wanted = settings.context or config.get("current-context") or "given"
    contexts = {entry["name"]: entry.get("context") or {} for entry in config.get("contexts") or ()}
    context = contexts.get(wanted, {})
    clusters = {entry["name"]: entry.get("cluster") or {} for entry in config.get("clusters") or ()}
    server = settings.server if "://" in settings.server else f"http://{settings.server}"
    cluster = {**clusters.get(context.get("cluster", ""), {}), "server": server}
    return {
        **config,
        "current-context": wanted,
        "clusters": [{"name": "given", "cluster": cluster}],
        "contexts": [{"name": wanted, "context": {**context, "cluster": "given"}}],
    }


_OF_TLS = frozenset(("server_name", "insecure", "ca_data", "cert_data", "key_data"))


def _overridden(found: Endpoint, settings: Settings) -> Endpoint:
    """Return the endpoint with what flags say in place of what the file says."""
    changes: dict[str, Any] = {}
    if settings.username:
        changes |= {"username": settings.username, "password": settings.password, "token": ""}
    if settings.server_name:
        changes["server_name"] = settings.server_name
    if settings.token:
        changes |= {"token": settings.token, "cert_data": b"", "key_data": b""}
    if settings.insecure:
        changes |= {"insecure": True, "ca_data": b""}
    given = {
        "ca_data": settings.certificate_authority,
        "cert_data": settings.client_certificate,
        "key_data": settings.client_key,
    }
    for field, path in given.items():
        if path:
            try:
                with open(path, "rb") as source:
                    changes[field] = source.read()
            except OSError as error:
                raise errors.UsageError(f"error: unable to read {path}: {error.strerror}") from error
    if found.socket and changes.keys() & _OF_TLS:
        changes["socket"] = ""  # what is asked about certificates shows with TLS only
    return found.replaced(**changes) if changes else found


def _impersonating(found: Endpoint, settings: Settings) -> Endpoint:
    """Return the endpoint with the headers of --as and its companions."""
    if not (settings.as_user or settings.as_groups or settings.as_uid or settings.as_extra):
        return found
    if not settings.as_user and not found.impersonation:
        raise errors.UsageError(
            "error: requesting uid, groups or user-extra for  without impersonating a user"
        )
    fields = [("Impersonate-User", settings.as_user)] if settings.as_user else []
    fields += [("Impersonate-Group", group) for group in settings.as_groups]
    if settings.as_uid:
        fields.append(("Impersonate-Uid", settings.as_uid))
    for extra in settings.as_extra:
        key, _, value = extra.partition("=")
        fields.append((f"Impersonate-Extra-{key}", value))
    # What flags do not say is as the kubeconfig's user entry says.
    said = {_impersonated(field) for field in fields}
    kept = [field for field in found.impersonation if _impersonated(field) not in said]
    return found.replaced(impersonation=(*kept, *fields))


def _impersonated(field: tuple[str, str]) -> str:
    """Return what of somebody else a header tells: User, Group, Uid or Extra."""
    return field[0].split("-")[1]
