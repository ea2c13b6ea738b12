"""The control plane's process: ``python -m minikctl.daemon --cluster NAME``."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys

from minikctl import errors
from minikctl.client.home import ClusterHome
from minikctl.daemon import log, process

logger = logging.getLogger("minikctl.daemon")


COLLECTED_AFTER = 50_000, 20, 50
"""Objects are made and dropped by thousands and few are in cycles: looking for those more often took a sixth
of the time in which 2,500 simulated pods came up, and freed no memory.
"""


def main() -> int:
    """Run until SIGTERM; return the exit code."""
    parser = argparse.ArgumentParser(prog="minikctl.daemon", description="Run a cluster's control plane.")
    parser.add_argument("--cluster", default="", help="which one; default $MINIKCTL_CLUSTER, or default")
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    given = parser.parse_args()
    os.umask(0o077)
    process.allow_open_files()
    os.chdir("/")  # whatever directory we were started in may go
    try:
        home = ClusterHome(given.cluster)
        with process.only_one(home):
            log.log_to(home, given.log_level)
            return run(home)
    except errors.UsageError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def run(home: ClusterHome) -> int:
    """Run the control plane of a cluster whose lock is held; return the exit code."""
    # What is imported stays for good: the collector need not look at it again and again.
    gc.disable()
    import uvloop

    from minikctl.daemon import plane

    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)
    gc.enable()

    async def work() -> None:
        await plane.run(home, home.settings(), process.stop_requested())

    try:
        uvloop.run(work())
    except BaseExceptionGroup as group:
        logger.exception("the control plane failed", exc_info=group)
        return 1
    except errors.MinikctlError as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
