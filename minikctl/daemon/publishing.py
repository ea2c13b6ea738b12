"""Which ports an engine can publish on this machine."""

from __future__ import annotations

import contextlib
import secrets

from minikctl import errors
from minikctl.client.settings import ClusterSettings
from minikctl.drivers import engine as engines
from minikctl.model.containers import ContainerSpec, PortBinding
from minikctl.network import settings as names

HTTP = 80


async def lowest_port(engine: engines.Engine, settings: ClusterSettings, image: str) -> int:
    """Return the first port that a rootless engine can publish: found out by a container with port 80.

    The machine's `net.ipv4.ip_unprivileged_port_start` alone does not tell, as its program may have been
    given the right to any port.  0: all that Ingress needs.
    """
    spec = ContainerSpec(
        name=f"mk_{settings.name}_port_{secrets.token_hex(4)}",
        image=image,
        labels={names.CLUSTER: settings.name, names.ROLE: "cleaner"},
        entrypoint=("/pause",),
        network=settings.network,
        ports=(PortBinding(HTTP, "tcp", settings.ingress_ip, HTTP),),
        cap_drop=("ALL",),
    )
    made = await engine.create(spec)
    try:
        await engine.start(made)
    except errors.PrivilegedPort as error:
        return error.lowest
    except errors.PortTaken:
        return 0  # who may not have it is told so first
    finally:
        with contextlib.suppress(errors.NoSuchContainer):
            await engine.remove(made)
    return 0
