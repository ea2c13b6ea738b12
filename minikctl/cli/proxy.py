"""``proxy``: the API server on a local port, without its TLS and with our credentials, for browsers and scripts."""

from __future__ import annotations

import contextlib
import html
import http.server
import mimetypes
import os
import re
import socket
import socketserver
import threading
import urllib.parse
from typing import TYPE_CHECKING, Any

from minikctl import errors
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest
from minikctl.client import wire

if TYPE_CHECKING:
    from minikctl.cli.session import Session
    from minikctl.client.http import HttpClient

HOSTS = r"^localhost$,^127\.0\.0\.1$,^\[::1\]$"
REJECTED = "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach"
PIECE_BYTES = 65536
_OF_ONE_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "te", "trailers", "transfer-encoding", "upgrade", "host")
)  # fmt: skip


class ProxyOptions(Options):
    """What ``proxy`` was asked."""

    words: tuple[str, ...] = rest(default=())
    port: int = flag("--port", "-p", default=8001, help="The local port; 0: any free one.")
    address: str = flag("--address", default="127.0.0.1", help="The local address.")
    unix_socket: str = flag("--unix-socket", "-u", default="", help="A Unix socket to listen on instead.")
    prefix: str = flag("--api-prefix", default="/", help="The path under which the API is.")
    www: str = flag(
        "--www", "-w", default="", help="A directory with files to serve as well.", complete="files"
    )
    www_prefix: str = flag("--www-prefix", "-P", default="/static/", help="The path under which they are.")
    accept_hosts: str = flag("--accept-hosts", default=HOSTS, help="Patterns of Host headers to accept.")
    accept_paths: str = flag("--accept-paths", default="^.*", help="Patterns of paths to accept.")
    reject_paths: str = flag("--reject-paths", default=REJECTED, help="Patterns of paths to refuse.")
    reject_methods: str = flag("--reject-methods", default="^$", help="Patterns of methods to refuse.")
    unfiltered: bool = flag(
        "--disable-filter", default=False, help="Accept everything, also from strange pages."
    )
    append_path: bool = flag(
        "--append-server-path", default=False, help="Put the path of the server's address before each path."
    )


def run(options: ProxyOptions, session: Session) -> int:
    """Serve until the user ends it."""
    if options.unix_socket and options.port != ProxyOptions.FLAGS["port"].default:
        raise errors.UsageError("error: cannot set --unix-socket and --port at the same time")
    if options.www and not os.path.isdir(options.www):
        raise errors.UsageError(f"error: {options.www} is no directory")
    if options.unfiltered:
        session.io.warn(
            "Request filter disabled, your proxy is vulnerable to XSRF attacks, please be cautious"
        )
    gate = None if options.unfiltered else _Gate(options)
    handler = type("Handler", (_Handler,), {"gate": gate, "options": options, "client": session.client})
    try:
        server, place = _bound(options, handler)
    except OSError as error:
        raise errors.UsageError(
            f"error: listen tcp {options.address}:{options.port}: {_bind(error)}{_holder(options.port)}"
        ) from error
    with server:
        session.io.say(f"Starting to serve on {place}")
        session.io.out.flush()
        server.serve_forever()
    return 0


def _bind(error: OSError) -> str:
    """Return the words of a failed bind as Go has them."""
    return f"bind: {str(error.strerror or error).lower()}"


def _holder(port: int) -> str:
    """Return a hint at the process that has the port, "" if it cannot be seen."""
    from minikctl.drivers import listening

    found = listening.holder(port)
    return f"; hint: {found} listens on port {port}; `--port=0` takes a free one" if found else ""


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def _bound(options: ProxyOptions, handler: Any) -> tuple[socketserver.BaseServer, str]:
    if options.unix_socket:
        try:
            return _UnixServer(options.unix_socket, handler), options.unix_socket
        except OSError as error:
            reason = (error.strerror or "").lower()
            raise errors.UsageError(f"error: listen unix {options.unix_socket}: bind: {reason}") from error
    server = _Server((options.address, options.port), handler)
    return server, f"{options.address}:{server.server_address[1]}"


class _Gate:
    """Which requests are let through: a page of somebody else must not use our credentials."""

    def __init__(self, options: ProxyOptions) -> None:
        self._hosts = _patterns(options.accept_hosts)
        self._accepted = _patterns(options.accept_paths)
        self._rejected = _patterns(options.reject_paths)
        self._methods = _patterns(options.reject_methods)

    def lets_through(self, method: str, path: str, host: str) -> bool:
        """Tell whether the request may be made."""
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        return (
            any(one.search(name) for one in self._hosts)
            and any(one.search(path) for one in self._accepted)
            and not any(one.search(path) for one in self._rejected)
            and not any(one.search(method) for one in self._methods)
        )


def _patterns(text: str) -> list[re.Pattern[str]]:
    try:
        return [re.compile(part) for part in text.split(",")]
    except re.error as error:
        raise errors.UsageError(f"error: {text} is no list of patterns: {error}") from error


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gate: _Gate | None
    options: ProxyOptions
    client: HttpClient

    def log_message(self, *_: Any) -> None:
        """Say nothing of each request."""

    def address_string(self) -> str:
        return ""

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(PIECE_BYTES)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._answer()
            self.wfile.flush()

    def _answer(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        host = self.headers.get("Host", "")
        if self.options.www and path.startswith(self.options.www_prefix):
            self._file(path.removeprefix(self.options.www_prefix))
        elif self.gate is not None and not self.gate.lets_through(self.command, path, host):
            self._text(403, b"Forbidden\n")
        elif not path.startswith(self.options.prefix):
            self._text(404, b"404 page not found\n")
        else:
            try:
                self._forward()
            except (OSError, errors.MinikctlError, wire.WireError) as error:
                self._text(502, f"{error}\n".encode())

    def _text(self, status: int, text: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response_only(status)
        for name, value in (
            ("Content-Type", kind),
            ("X-Content-Type-Options", "nosniff"),
            ("Date", self.date_time_string()),
            ("Content-Length", str(len(text))),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def _file(self, name: str) -> None:
        root = os.path.realpath(self.options.www)
        place = os.path.realpath(os.path.join(root, urllib.parse.unquote(name).lstrip("/")))
        if os.path.isdir(place) and os.path.commonpath([root, place]) == root:
            if not os.path.isfile(os.path.join(place, "index.html")):
                self._listing(place)
                return
            place = os.path.join(place, "index.html")
        if os.path.commonpath([root, place]) != root or not os.path.isfile(place):
            self._text(404, b"404 page not found\n")
            return
        with open(place, "rb") as source:
            self._text(200, source.read(), mimetypes.guess_type(place)[0] or "application/octet-stream")

    def _listing(self, place: str) -> None:
        """Name what is in a directory, each a link; a path without a slash at its end is sent to the one with it."""
        path = self.path.partition("?")[0]
        if not path.endswith("/"):
            self.send_response_only(301)
            self.send_header("Location", path.rpartition("/")[2] + "/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        lines = ["<!doctype html>", '<meta name="viewport" content="width=device-width">', "<pre>"]
        for entry in sorted(os.scandir(place), key=lambda entry: entry.name):
            name = entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")
            lines.append(f'<a href="{urllib.parse.quote(name, safe="/$&+,:;=@")}">{html.escape(name)}</a>')
        self._text(200, "\n".join([*lines, "</pre>\n"]).encode(), "text/html; charset=utf-8")

    def _forward(self) -> None:
        target = "/" + self.path.removeprefix(self.options.prefix).lstrip("/")
        if self.options.append_path:
            target = self.client.url_path(target)
        is_upgrade = "upgrade" in self.headers.get("Connection", "").lower()
        headers = {
            name: value
            for name, value in self.headers.items()
            if is_upgrade or name.lower() not in _OF_ONE_HOP
        }
        headers = {
            name: value for name, value in headers.items() if name.lower() not in ("host", "content-length")
        }
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        identity = self.client.identity()
        connection = wire.Connection(self.client.duplex()) if is_upgrade else self.client.connected()
        try:
            connection.send(self.command, target, {"Host": self.client.place, **headers}, body, identity)
            if is_upgrade:
                self._relay(connection)
                return
            reply = connection.reply(self.command)
            self._pass_on(reply)
        finally:
            connection.close()

    def _pass_on(self, reply: wire.Reply) -> None:
        self.send_response_only(reply.status)
        length = reply.headers.get("content-length")
        for name, value in reply.headers.fields:
            if name not in _OF_ONE_HOP:
                self.send_header(name.title(), value)
        if not length and not reply.ended:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := reply.some():
            self.wfile.write(piece if length else f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.flush()
        if not length:
            self.wfile.write(b"0\r\n\r\n")

    def _relay(self, connection: wire.Connection) -> None:
        """Pass bytes both ways until one side ends: after an upgrade it is no HTTP any more."""
        self.close_connection = True
        back = threading.Thread(
            target=_copy, args=(connection.reader, self.wfile, self.connection), daemon=True
        )
        back.start()
        with contextlib.suppress(OSError):
            while piece := self.rfile.read1(PIECE_BYTES):
                connection.sock.sendall(piece)
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_WR)
        back.join()


def _copy(source: Any, sink: Any, sock: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while piece := source.read1(PIECE_BYTES):
            sink.write(piece)
            sink.flush()
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


COMMANDS = {
    "proxy": Command(
        "Serve the API on a local port, with your credentials: for browsers and scripts.",
        ProxyOptions,
        run,
        usage="[--port=PORT] [--www=static-dir] [--www-prefix=prefix] [--api-prefix=prefix]",
        examples=(
            ("On port 8001", "minikctl proxy & curl http://127.0.0.1:8001/api/v1/pods"),
            ("With the files of a page that uses it", "minikctl proxy --www=./page --www-prefix=/"),
        ),
    )
}
