"""A webhook's server on loopback, with TLS by an authority of its own."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import h11
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Json = dict[str, Any]
Answer = Callable[[Json], Json] | Callable[[Json], Awaitable[Json]]


def certificate(folder: Path, *names: str) -> tuple[str, str]:
    """Return the file of a self-signed certificate and key for those names, and its base64 as a caBundle."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webhook")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{names[0]}.pem"
    path.write_bytes(pem + private)
    return str(path), base64.b64encode(pem).decode()


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


class Webhook:
    """Answers reviews; ``seen`` are the requests of those that came, in order."""

    def __init__(self, answer: Answer, bundle: str) -> None:
        self.answer = answer
        self.bundle = bundle
        self.seen: list[Json] = []
        self.port = 0
        self.connections = 0
        self.is_lasting = True
        """Whether connections are kept after an answer; ended ones are ended without saying so."""
        self.status = 200
        self.raw: bytes | None = None
        """Answered instead of a review."""

    def config(self, path: str = "/ask") -> Json:
        """Return the clientConfig that leads here."""
        return {"url": f"https://127.0.0.1:{self.port}{path}", "caBundle": self.bundle}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER)
        self.connections += 1
        with contextlib.suppress(OSError, h11.ProtocolError):
            while await self._serve_one(http, reader, writer):
                http.start_next_cycle()
        writer.close()

    async def _serve_one(
        self, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        body = b""
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.ConnectionClosed):
                return False
            elif isinstance(event, h11.EndOfMessage):
                break
        data = self.raw if self.raw is not None else json.dumps(await self._reply(json.loads(body))).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(data)))]
        sent = http.send(h11.Response(status_code=self.status, headers=headers)) or b""
        sent += (http.send(h11.Data(data=data)) or b"") + (http.send(h11.EndOfMessage()) or b"")
        writer.write(sent)
        await writer.drain()
        return self.is_lasting

    async def _reply(self, review: Json) -> Json:
        self.seen.append(review["request"])
        found = self.answer(review["request"])
        response = found if isinstance(found, dict) else await found
        key = "response"
        return {"kind": review["kind"], "apiVersion": review["apiVersion"], key: {"uid": review["request"]["uid"], **response}}  # fmt: skip


@contextlib.asynccontextmanager
async def serving(folder: Path, answer: Answer, *names: str) -> AsyncIterator[Webhook]:
    """Have a webhook answer during the block; its certificate is for those names, else for 127.0.0.1."""
    path, bundle = certificate(folder, *(names or ("127.0.0.1",)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    hook = Webhook(answer, bundle)
    server = await asyncio.start_server(hook.serve, "127.0.0.1", 0, ssl=context)
    hook.port = server.sockets[0].getsockname()[1]
    try:
        yield hook
    finally:
        server.close()


def allow(_request: Json) -> Json:
    """Allow whatever comes."""
    return {"allowed": True}


def patching(*operations: Json) -> Callable[[Json], Json]:
    """Return what allows and changes."""

    def answer(_request: Json) -> Json:
        patch = base64.b64encode(json.dumps(operations).encode()).decode()
        return {"allowed": True, "patch": patch, "patchType": "JSONPatch"}

    return answer


def labelling(name: str, value: str) -> Callable[[Json], Json]:
    """Return what allows and sets a label, whether or not there are labels."""

    def answer(request: Json) -> Json:
        labels = {**(request["object"]["metadata"].get("labels") or {}), name: value}
        return patching({"op": "add", "path": "/metadata/labels", "value": labels})(request)

    return answer


def rule(
    resources: str = "configmaps", operations: str = "*", groups: str = "", versions: str = "*", **more: str
) -> Json:
    """Return one rule; several values are separated by commas."""
    return {
        "apiGroups": groups.split(","),
        "apiVersions": versions.split(","),
        "operations": operations.split(","),
        "resources": resources.split(","),
        **more,
    }


def configuration(kind: str, name: str, *hooks: Json) -> Json:
    """Return a webhook configuration of that kind (Mutating or Validating)."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": list(hooks),
    }


def hook(server: Webhook, name: str = "ask.example.com", *rules: Json, **more: Any) -> Json:
    """Return one webhook of a configuration."""
    return {
        "name": name,
        "clientConfig": server.config(),
        "rules": list(rules or (rule(),)),
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **more,
    }
