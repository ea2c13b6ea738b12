"""A rootless Docker engine of a test's own: a user who is nobody else, and a network that leads nowhere.

Nothing of the machine is changed: what names the user (``/etc/passwd``, ``subuid``, ``subgid``) and the device
for the engine's network lie over the machine's own in a mount namespace.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator

from tests import waiting

PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
USER = 51234
"""The user's number, and its group's."""
FIRST, COUNT = 700_000_000, 65536
"""The numbers that it may give to the users of its containers."""
PROGRAMS = ("dockerd", "rootlesskit", "slirp4netns", "newuidmap", "setpriv", "unshare", "ip")
_OUTSIDE = """
set -e
for name in passwd group subuid subgid; do mount --bind {0}/$name /etc/$name; done
mount --bind {0}/tun /dev/net/tun
exec setpriv --reuid={1} --regid={1} --clear-groups rootlesskit --state-dir={0}/kit --net=slirp4netns \\
    --disable-host-loopback --port-driver=builtin --copy-up=/etc --copy-up=/run --propagation=rslave {0}/inside
"""
# The first two lines: no packet has a way out.
_INSIDE = """#!/bin/sh
ip route del default
ip route add blackhole 10.96.0.0/12
rm -f /run/docker /run/containerd /run/xtables.lock
exec dockerd --host=unix://{0}/docker.sock --data-root={0}/data --exec-root={0}/exec --pidfile={0}/pid
"""


def impossible() -> str:
    """Return why this machine or user cannot run such an engine, "" if it can."""
    if os.geteuid() != 0:
        return "only root can make a user for it"
    lacking = [each for each in PROGRAMS if not shutil.which(each, path=PATH)]
    if lacking:
        return f"there is no {', '.join(lacking)}"
    tried = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "unshare", "--user", "true"]
    if subprocess.run(tried, check=False, capture_output=True, env={"PATH": PATH}).returncode:
        return "the kernel forbids user namespaces"
    return "" if os.path.exists("/dev/net/tun") else "the kernel has no tun devices"


class RootlessEngine:
    """Such an engine, at ``address``; ``before`` comes before commands of its user."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"unix://{directory}/docker.sock"
        self.before = [
            "setpriv",
            f"--reuid={USER}",
            f"--regid={USER}",
            "--clear-groups",
            # The checkout and its Python may lie where only root looks.
            "--inh-caps=+dac_read_search",
            "--ambient-caps=+dac_read_search",
        ]

    def start(self) -> None:
        """Start the engine; return when it answers."""
        place = pathlib.Path(self._directory)
        files = {
            "passwd": f"root:x:0:0::/root:/bin/sh\nrootless:x:{USER}:{USER}::{place}:/bin/sh\n",
            "group": f"root:x:0:\nrootless:x:{USER}:\n",
            "subuid": f"rootless:{FIRST}:{COUNT}\n",
            "subgid": f"rootless:{FIRST}:{COUNT}\n",
            "inside": _INSIDE.format(shlex.quote(self._directory)),
        }
        for name, text in files.items():
            (place / name).write_text(text)
            (place / name).chmod(0o755)
        os.mknod(place / "tun", 0o666 | stat.S_IFCHR, os.stat("/dev/net/tun").st_rdev)
        (place / "tun").chmod(0o666)
        os.chown(place, USER, USER)
        outside = _OUTSIDE.format(shlex.quote(self._directory), USER)
        with open(place / "log", "ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--propagation=slave", "sh", "-c", outside],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={"PATH": PATH, "HOME": self._directory, "XDG_RUNTIME_DIR": self._directory},
            )
        with waiting_shown(place / "log"):
            waiting.eventually(lambda: self.docker("version").returncode == 0, 30, 0.1)

    def docker(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a docker command against this engine."""
        argv = ["docker", "--host", self.address, *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def remove(self) -> None:
        """End it, and take everything of it away."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(20)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
        shutil.rmtree(self._directory)


@contextlib.contextmanager
def waiting_shown(log: pathlib.Path) -> Iterator[None]:
    """Have a failure during the block tell the end of a log."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{error}\n{log.read_text()[-2000:]}") from error


@contextlib.contextmanager
def running() -> Iterator[RootlessEngine]:
    """Have such an engine during the block."""
    # Short: the paths of the sockets below it must fit.
    engine = RootlessEngine(tempfile.mkdtemp(prefix="mkr-", dir="/tmp"))
    try:
        engine.start()
        yield engine
    finally:
        engine.remove()
