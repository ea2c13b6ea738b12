"""The API server on a socket with TLS, and stock kubectl to ask it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minikctl.apiserver import jws, pki, signer
from minikctl.apiserver.auth import TokenAuthenticator, any_of
from minikctl.apiserver.http import build_app
from minikctl.apiserver.issuer import Issuer
from minikctl.apiserver.registry import Registry
from minikctl.apiserver.streams import NodeStreams
from minikctl.client.home import ClusterHome
from minikctl.client.settings import ClusterSettings
from minikctl.daemon.server import Server, listen

KUBECTL = Path(os.sys.executable).parent / "kubectl"  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Outcome:
    """How a kubectl run ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the output as JSON."""
        return json.loads(self.out)


class Served:
    """A running API server."""

    def __init__(self, server: Server, folder: Path, keys: pki.Pki) -> None:
        self.server = server
        self.address = address = server.address
        self.folder = folder
        self.token = keys.token
        self.ca = folder / "ca.crt"
        self.ca.write_bytes(keys.ca_pem)
        self.kubeconfig = folder / "kubeconfig"
        cluster = {"server": address, "certificate-authority": str(self.ca)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": keys.token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        self.kubeconfig.write_text(json.dumps(config))

    async def start(self, *arguments: str, stdin: int | None = None) -> asyncio.subprocess.Process:
        """Start stock kubectl on this server."""
        environment = {
            "KUBECONFIG": str(self.kubeconfig),
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "KUBE_EDITOR": "sed -i s/replicas:.*/replicas:\\ 4/",
            # Two cores are shared with the server itself.
            "GOMAXPROCS": "1",
            **{name: value for name, value in os.environ.items() if name.startswith("KUBECTL_")},
        }
        return await asyncio.create_subprocess_exec(
            str(KUBECTL),
            *arguments,
            env=environment,
            stdin=stdin if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def kubectl(self, *arguments: str, stdin: str | None = None) -> Outcome:
        """Run stock kubectl to its end."""
        pipe = asyncio.subprocess.PIPE if stdin is not None else None
        process = await self.start(*arguments, stdin=pipe)
        try:
            async with asyncio.timeout(30):
                out, err = await process.communicate(None if stdin is None else stdin.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Outcome(process.returncode or 0, out.decode(), err.decode())


@contextlib.asynccontextmanager
async def served(
    registry: Registry, folder: Path, streams: NodeStreams | None = None
) -> AsyncIterator[Served]:
    """Serve a registry on loopback during the block."""
    keys = pki.ensure(ClusterHome("harness", str(folder)), ClusterSettings("harness"))
    issuer = Issuer(registry, jws.SigningKey(keys.accounts), "https://kubernetes.default.svc")
    authenticate = any_of((TokenAuthenticator(keys.token), issuer, signer.authenticate))
    app = build_app(registry, authenticate=authenticate, streams=streams, issuer=issuer)
    sock = listen(0)
    server = Server(app, sock, keys)
    started = asyncio.Event()
    running = asyncio.create_task(server.run(started.set))
    try:
        await started.wait()
        yield Served(server, folder, keys)
    finally:
        server.stop()
        await running
        sock.close()
