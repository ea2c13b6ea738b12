"""A registry on loopback that holds one image and asks for a password: enough of the distribution API to pull.

Each has a layer of its own, as an engine does not pull a layer again that it has seen.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import os
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

USER, PASSWORD = "robot", "s3cret"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _own_layer() -> bytes:
    """Return a layer that no other registry has."""
    content = os.urandom(LAYER_BYTES)
    entry = tarfile.TarInfo("own")
    entry.size = len(content)
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(content))
    return layer.getvalue()


def _content(image: str, own: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Return the manifest and the blobs of an image that the engine has, with a layer more."""
    saved = subprocess.run(["docker", "save", image], capture_output=True, check=True).stdout
    blobs: dict[str, bytes] = {}

    def described(data: bytes, kind: str) -> dict[str, object]:
        blobs[_digest(data)] = data
        return {"mediaType": kind, "size": len(data), "digest": _digest(data)}

    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:

        def read(name: str) -> bytes:
            found = archive.extractfile(name)
            assert found is not None
            return found.read()

        parts = json.loads(read("manifest.json"))[0]
        config = json.loads(read(parts["Config"]))
        config["rootfs"]["diff_ids"].append(_digest(own))
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": described(json.dumps(config).encode(), CONFIG_TYPE),
            "layers": [
                *(described(read(name), LAYER_TYPE) for name in parts["Layers"]),
                described(own, LAYER_TYPE),
            ],
        }
    return json.dumps(manifest).encode(), blobs


PIECES = 24
LAYER_BYTES = 4_000_000


@contextmanager
def running(image: str, seconds: float = 0) -> Iterator[str]:
    """Yield the address of a registry from which any name with any tag is that image.

    Its own layer takes so many ``seconds``.
    """
    own = _own_layer()
    manifest, blobs = _content(image, own)
    wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.headers.get("Authorization") != wanted:
                body = b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}'
                self._answer(401, "application/json", body, {"WWW-Authenticate": 'Basic realm="test"'})
            elif "/manifests/" in self.path:
                self._answer(200, MANIFEST_TYPE, manifest, {"Docker-Content-Digest": _digest(manifest)})
            elif (name := self.path.rpartition("/")[2]) in blobs:
                self._answer(200, "application/octet-stream", blobs[name], {"Docker-Content-Digest": name})
            else:
                self._answer(200 if self.path == "/v2/" else 404, "application/json", b"{}", {})

        do_HEAD = do_GET

        def _answer(self, code: int, kind: str, body: bytes, more: dict[str, str]) -> None:
            self.send_response(code)
            headers = {"Content-Type": kind, "Content-Length": str(len(body)), **more}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "GET":
                return
            if body != own:
                self.wfile.write(body)
                return
            size = len(body) // PIECES + 1
            for start in range(0, len(body), size):
                time.sleep(seconds / PIECES)
                self.wfile.write(body[start : start + size])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
