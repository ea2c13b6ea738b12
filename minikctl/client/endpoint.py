"""Where an API server is and how to prove who we are."""

from __future__ import annotations

from minikctl.client.record import Record


class Endpoint(Record):
    """How to reach and authenticate with one API server; the ``*_data`` are PEM bytes.

    ``socket`` is the path of a Unix socket that the same server listens on, "" for none.  Requests go there,
    without TLS, and ``server`` is only what messages call it.
    ``proxy`` is the URL of a proxy that stands between, "" for what the environment names, if it names one.
    ``impersonation`` are the headers that ask to act as somebody else; names may repeat.
    """

    server: str
    namespace: str = "default"
    token: str = ""
    ca_data: bytes = b""
    cert_data: bytes = b""
    key_data: bytes = b""
    insecure: bool = False
    server_name: str = ""
    username: str = ""
    password: str = ""
    socket: str = ""
    proxy: str = ""
    impersonation: tuple[tuple[str, str], ...] = ()
