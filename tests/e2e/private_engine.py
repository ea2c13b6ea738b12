"""A Docker engine of a test's own, in a network namespace of its own, that can be killed and started again."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator

PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
ANSWER_SECONDS = 60.0


def is_possible() -> bool:
    """Tell whether this user and this machine can run a second engine."""
    return os.geteuid() == 0 and all(shutil.which(each, path=PATH) for each in ("dockerd", "nsenter", "ip"))


class PrivateEngine:
    """Nothing that it does touches the machine's own engine or network."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._namespace = f"mke-{uuid.uuid4().hex[:6]}"
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"unix://{directory}/docker.sock"

    @property
    def before(self) -> tuple[str, ...]:
        """Return what has a command run where the engine's containers can be reached."""
        # Not "ip netns exec", which hides the cgroups.
        return ("nsenter", f"--net=/run/netns/{self._namespace}")

    def prepare(self) -> None:
        """Make the network namespace."""
        self._ip("netns", "add", self._namespace)
        subprocess.run([*self.before, "ip", "link", "set", "lo", "up"], check=True, env={"PATH": PATH})

    def start(self) -> None:
        """Start the engine; return when it answers."""
        with open(f"{self._directory}/log", "ab") as log:
            self._process = subprocess.Popen(
                [
                    *self.before,
                    "dockerd",
                    f"--host={self.address}",
                    f"--data-root={self._directory}/data",
                    f"--exec-root={self._directory}/exec",
                    f"--pidfile={self._directory}/pid",
                    "--bridge=none",
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={"PATH": PATH},
            )
        deadline = time.monotonic() + ANSWER_SECONDS
        while self.docker("version", code=None).returncode != 0:
            assert time.monotonic() < deadline, pathlib.Path(self._directory, "log").read_text()[-2000:]
            time.sleep(0.1)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the engine: asked to, it takes its containers along; killed, it leaves them behind."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def docker(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a docker command against this engine."""
        done = subprocess.run(
            ["docker", "--host", self.address, *words], capture_output=True, text=True, check=False
        )
        assert code is None or done.returncode == code, done.stderr
        return done

    def remove(self) -> None:
        """End the engine if it runs, and take everything of it away."""
        if self._process is None:
            self.start()  # one that was killed has left processes, which only it can end well
        self.end()
        self._ip("netns", "delete", self._namespace)
        for place in sorted(_mounts(self._directory), reverse=True):
            subprocess.run(["umount", "-l", place], check=False)
        shutil.rmtree(self._directory)

    def _ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, env={"PATH": PATH})


def _mounts(directory: str) -> list[str]:
    """Return what an engine leaves mounted below its directories, and they themselves."""
    with open("/proc/self/mounts", encoding="utf-8") as source:
        places = [line.split()[1] for line in source]
    return [place for place in places if place.startswith(f"{directory}/")]


@contextlib.contextmanager
def running() -> Iterator[PrivateEngine]:
    """Have such an engine during the block."""
    # Short: the paths of the sockets below it must fit.
    engine = PrivateEngine(tempfile.mkdtemp(prefix="mke-", dir="/tmp"))
    engine.prepare()
    try:
        engine.start()
        yield engine
    finally:
        engine.remove()
