"""The way of pods to the API: a Unix socket that the cluster's relay pod has mounted.

The API listens on this machine's loopback only.  What reaches it from pods comes through a socket file, so
that neither a firewall of the host nor the place where the engine runs its networks stands in between.
"""

from __future__ import annotations

import os
import secrets

from minikctl.client.home import ClusterHome
from minikctl.client.settings import ClusterSettings

DIRECTORY, SOCKET, MADE = "relay", "api.sock", "made"
MOUNT = "/api"
"""Where the relay has the directory mounted."""
PATH_BYTES = 100
DESKTOP = "Docker Desktop"


def socket_path(home: ClusterHome) -> str:
    """Make the directory that the relay mounts, and return the path at which the API has to listen.

    The directory is kept open under a path that is short enough for a socket where its own is not.
    """
    directory = home.share(DIRECTORY)
    if not os.path.exists(os.path.join(directory, MADE)):
        home.write(f"{DIRECTORY}/{MADE}", secrets.token_hex(8).encode())
    path = os.path.join(directory, SOCKET)
    if len(os.fsencode(path)) <= PATH_BYTES:
        return path
    return f"/proc/self/fd/{os.open(directory, os.O_RDONLY | os.O_DIRECTORY)}/{SOCKET}"


def made(home: ClusterHome) -> str:
    """Return what tells the directory from one before it, which a running pod may still have mounted.

    A copy that was put in its place has the same content, but not the moment at which its file came to be.
    """
    try:
        with open(home.file(DIRECTORY, MADE), encoding="ascii") as source:
            return f"{source.read()}-{os.fstat(source.fileno()).st_ctime_ns}"
    except FileNotFoundError:
        return ""


def api_server(settings: ClusterSettings, engine_os: str) -> str:
    """Return where the relay finds the API, in HAProxy's words.

    Docker Desktop's containers live in a machine of their own, which no socket file leads out of; it has a
    name for the loopback of its host instead.
    """
    if engine_os == DESKTOP:
        return f"host.docker.internal:{settings.api_port}"
    return f"unix@{MOUNT}/{SOCKET}"
