"""Make the images that minikctl needs, unless the engine has them."""

from __future__ import annotations

import asyncio
import sys

from minikctl import errors
from minikctl.drivers import docker, images


async def main() -> int:
    """Return 0 once both images are there; else say why they are not."""
    engine = docker.DockerEngine("setup")
    try:
        await images.ensure_infra(engine)
        await images.ensure_demo(engine)
    except errors.DriverError as error:
        print(f"error: {error}", file=sys.stderr)
        if error.output and error.output != str(error):
            print(error.output, file=sys.stderr)
        return 1
    finally:
        await engine.close()
    return 0


sys.exit(asyncio.run(main()))
