"""The way to an API server through a proxy: an HTTP proxy's CONNECT (also in TLS: https://), or SOCKS5.

The proxy is what the kubeconfig's ``proxy-url`` names, else what the environment does (``HTTPS_PROXY``,
``HTTP_PROXY``, ``NO_PROXY``), read as Go's programs read it: golang.org/x/net/http/httpproxy.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import socket
import struct
from urllib.parse import SplitResult, unquote, urlsplit

from minikctl import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

HEAD_LIMIT = 64 * 1024
PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_FAILURES = (
    "", "general failure", "connection not allowed", "network unreachable", "host unreachable",
    "connection refused", "TTL expired", "command not supported", "address type not supported",
)  # fmt: skip


def of_environment(scheme: str, host: str, port: int) -> str:
    """Return the URL of the proxy that the environment names for a server, "" for none."""
    name = f"{scheme}_proxy"
    found = os.environ.get(name.upper()) or os.environ.get(name) or ""
    if not found or _is_direct(host, port):
        return ""
    return found if "://" in found else f"http://{found}"


def _is_direct(host: str, port: int) -> bool:
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    exempt = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    return any(
        _covers(entry.strip().lower(), host.lower(), port) for entry in exempt.split(",") if entry.strip()
    )


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        address = _address(host)
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdigit() and name.count(":") == 0:
        if int(wanted) != port:
            return False
        entry = name
    if entry.startswith("*."):
        entry = entry[1:]
    return host.endswith(entry) if entry.startswith(".") else host == entry or host.endswith(f".{entry}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def dial(
    proxy: str, host: str, port: int, timeout: float, tls: Callable[[], ssl.SSLContext]
) -> socket.socket:
    """Return a connection to the host by way of the proxy; an ``OSError`` says what failed.

    ``tls`` gives the settings for a proxy that speaks TLS itself: those of the server, as with Go's clients.
    """
    url = urlsplit(proxy)
    if url.scheme not in PORTS or not url.hostname:
        raise errors.UsageError(
            f"error: proxy {proxy}: it has to be http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT"
        )
    try:
        sock = socket.create_connection((url.hostname, url.port or PORTS[url.scheme]), timeout)
    except OSError as error:
        raise OSError(
            f"proxyconnect tcp: {url.netloc.rpartition('@')[2]}: {error.strerror or error}"
        ) from error
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if url.scheme == "https":
            sock = tls().wrap_socket(sock, server_hostname=url.hostname)
        (_connect if url.scheme in ("http", "https") else _socks)(sock, url, host, port)
        if url.scheme == "https":
            from minikctl.client import encrypted

            return encrypted.plain(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect(sock: socket.socket, url: SplitResult, host: str, port: int) -> None:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
    if url.username is not None:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}")
    sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
    head = b""
    while not head.endswith(b"\r\n\r\n"):  # one byte at a time: what follows is the server's
        piece = sock.recv(1)
        if not piece or len(head) > HEAD_LIMIT:
            raise OSError("proxyconnect tcp: the proxy does not answer as HTTP proxies do")
        head += piece
    status = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")[2]
    if not status.startswith("2"):
        raise OSError(status.partition(" ")[2] or f"proxyconnect tcp: status {status}")


def _socks(sock: socket.socket, url: SplitResult, host: str, port: int) -> None:
    has_user = url.username is not None
    sock.sendall(b"\x05\x02\x00\x02" if has_user else b"\x05\x01\x00")
    version, method = _exactly(sock, 2)
    if version != 5 or method not in ((0, 2) if has_user else (0,)):
        raise OSError("socks connect: the proxy takes no way of authentication that is known")
    if method == 2:
        user, password = unquote(url.username or "").encode(), unquote(url.password or "").encode()
        sock.sendall(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
        if _exactly(sock, 2)[1]:
            raise OSError("socks connect: username/password authentication failed")
    address = _address(host)
    if address is None:
        name = host.encode("idna")
        target = bytes([3, len(name)]) + name
    else:
        target = bytes([1 if address.version == 4 else 4]) + address.packed
    sock.sendall(b"\x05\x01\x00" + target + struct.pack(">H", port))
    _, outcome, _, kind = _exactly(sock, 4)
    if outcome:
        reason = _FAILURES[outcome] if outcome < len(_FAILURES) else f"code {outcome}"
        raise OSError(f"socks connect tcp {url.netloc.rpartition('@')[2]}->{host}:{port}: {reason}")
    length = {1: 4, 4: 16}.get(kind) or _exactly(sock, 1)[0]
    _exactly(sock, length + 2)


def _exactly(sock: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = sock.recv(count - len(found))
        if not piece:
            raise OSError("socks connect: the proxy closed the connection")
        found += piece
    return found
