"""The program in a real pseudo-terminal: colours, small screens, Ctrl-C, editors, and pipes that break."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli import shells
from tests.cli.conftest import KUBECTL, World

CTRL_C = b"\x03"
INTERRUPTED = -signal.SIGINT
HEARD = 1
"""The exit code of kubectl's commands that hear of Ctrl-C themselves."""


class Terminal:
    """A command on a pseudo-terminal of its own."""

    def __init__(self, words: list[str], environment: dict[str, str], columns: int, lines: int = 24) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._process = subprocess.Popen(
            # Whoever runs the tests in the background has Ctrl-C ignored, and so would have all its children.
            ["env", "--default-signal=INT", "setsid", "--ctty", "--wait", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
        )
        os.close(slave)
        self.shown = ""

    def until(self, pattern: str) -> str:
        """Return what has been shown when the pattern is in it."""
        deadline = time.monotonic() + shells.SECONDS
        while not re.search(pattern, self.shown):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.shown!r}"
            self._read()
        return self.shown

    def linger(self, seconds: float) -> None:
        """Let so much time pass, and read: a terminal that nobody reads holds the program up."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._master], [], [], left)[0] and not self._read():
                return

    def until_connected(self) -> None:
        """Return when the command has a connection: by then it hears of Ctrl-C, if it ever does."""
        deadline = time.monotonic() + shells.SECONDS
        while not any(each.startswith("socket:") for each in self._files()):
            assert time.monotonic() < deadline, "it never had a connection"
            self.linger(0.05)

    def _files(self) -> list[str]:
        """Return what the open files of the innermost process are."""
        process = self._process.pid
        with contextlib.suppress(FileNotFoundError, IndexError, ValueError):
            while True:
                process = int(Path(f"/proc/{process}/task/{process}/children").read_text().split()[0])
        found = []
        for each in Path(f"/proc/{process}/fd").glob("*"):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                found.append(os.readlink(each))
        return found

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def end(self) -> tuple[int, str]:
        """Return the exit code, and all that was shown."""
        while self._read():
            pass
        return self._process.wait(shells.SECONDS), self.shown

    def _read(self) -> bool:
        if not select.select([self._master], [], [], 1)[0]:
            return True
        try:
            got = os.read(self._master, 65536)
        except OSError:  # the other side is closed
            return False
        self.shown += got.decode(errors="replace")
        return bool(got)

    def close(self) -> None:
        """Leave nothing behind."""
        self._process.kill()
        self._process.wait()
        os.close(self._master)


class Desk:
    """Where commands are typed."""

    def __init__(self, world: World, home: Path) -> None:
        self.environment = shells.plain(home, {"MINIKCTL_HOME": str(world.home), "MINIKCTL_CLUSTER": "cli"})
        self._opened: list[Terminal] = []

    def open(self, line: str, columns: int = 100, **environment: str) -> Terminal:
        """Run a line of the shell on a terminal of so many columns."""
        made = Terminal(["bash", "-c", f"exec {line}"], {**self.environment, **environment}, columns)
        self._opened.append(made)
        return made

    def close(self) -> None:
        """Close all terminals."""
        for terminal in self._opened:
            terminal.close()


@pytest.fixture
def desk(world: World, tmp_path: Path) -> Iterator[Desk]:
    """Yield the place."""
    made = Desk(world, tmp_path)
    yield made
    made.close()


def test_states_are_coloured_unless_colours_are_unwelcome(desk: Desk) -> None:
    code, shown = desk.open("minikctl get pods").end()
    assert (code, "\x1b[" in shown) == (0, True)
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        desk.environment[name] = value
        code, shown = desk.open("minikctl get pods").end()
        assert (code, "\x1b[" in shown) == (0, False)


@pytest.mark.parametrize("columns", [20, 200])
def test_a_table_is_the_same_on_every_screen(desk: Desk, columns: int) -> None:
    """As kubectl's: lines are not cut, so that what is copied from them is whole."""
    _, shown = desk.open("minikctl get deploy web -o wide", columns, NO_COLOR="1").end()
    assert len(shown.splitlines()) == 2
    assert shown.splitlines()[1].rstrip().endswith("app=web")


def test_a_watch_ends_with_ctrl_c(desk: Desk) -> None:
    terminal = desk.open("minikctl get deploy -w")
    terminal.until("web ")
    terminal.type(CTRL_C)
    code, shown = terminal.end()
    assert code == HEARD
    assert "Traceback" not in shown


@pytest.mark.parametrize(("columns", "lines"), [(40, 24), (120, 24)])
def test_live_use_has_sparklines_that_fit_and_ends_with_ctrl_c(desk: Desk, columns: int, lines: int) -> None:
    terminal = desk.open("minikctl top pods --watch --interval=1", columns)
    terminal.until("[▁▂▃▄▅▆▇█]")
    terminal.type(CTRL_C)
    code, shown = terminal.end()
    assert code == INTERRUPTED
    assert "Traceback" not in shown
    for line in re.split(r"[\r\n]+", shells.ESCAPES.sub("", shown)):
        assert len(line.removesuffix("^C")) <= columns


@pytest.mark.parametrize("delay", [0, 0.02, 0.3, 0.95, 1.05, 1.5])
def test_ctrl_c_ends_live_use_at_any_moment(desk: Desk, delay: float) -> None:
    terminal = desk.open("minikctl top pods --watch --interval=1")
    terminal.until("[▁▂▃▄▅▆▇█]")
    terminal.linger(delay)
    terminal.type(CTRL_C)
    code, shown = terminal.end()
    assert code == INTERRUPTED
    assert "Traceback" not in shown


WATCHES = {
    "get pods -w": ("NAME", HEARD),
    "get pods -o yaml -w": ("apiVersion", HEARD),
    "get --raw /api/v1/pods?watch=1": ("ADDED", INTERRUPTED),
    "events -w": ("REASON", HEARD),
    "rollout status deploy/endless": ("Waiting", HEARD),
    "wait --for=condition=Nope deploy/web --timeout=60s": ("", HEARD),
    "logs -f deploy/web": ("", HEARD),
    "logs -f -l app=web --follow-new": ("", HEARD),
    "top node --watch": ("[▁▂▃▄▅▆▇█]", INTERRUPTED),
    "port-forward deploy/web :8080": ("Forwarding", 0),
    "proxy --port=0": ("Starting to serve", INTERRUPTED),
    "delete cm held": ("deleted", HEARD),
    "apply --wait -f {endless}": ("created|unchanged", INTERRUPTED),
    "run held --image=x --attach --overrides={gated}": ("", HEARD),
}
"""Command lines that go on until Ctrl-C, what they show before, and their exit code: kubectl's."""
OURS = ("--follow-new", "top ", "apply --wait")


@pytest.fixture
def endless(world: World, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Yield what goes on for ever in the world: a Deployment whose pods nobody places, a ConfigMap that stays."""
    template = {
        "metadata": {"labels": {"app": "endless"}},
        "spec": {"nodeSelector": {"no": "where"}, "containers": [{"name": "c", "image": "a"}]},
    }
    spec = {"selector": {"matchLabels": {"app": "endless"}}, "template": template}
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "endless"}, "spec": spec}
    path = tmp_path / "endless.yaml"
    path.write_text(json.dumps(manifest))
    assert world.run("apply", "-f", str(path)).code == 0
    held = {
        "metadata": {"name": "held", "finalizers": ["example.com/held"]},
        "apiVersion": "v1",
        "kind": "ConfigMap",
    }
    assert world.run("apply", "-f", "-", stdin=json.dumps(held)).code == 0
    yield {"endless": str(path), "gated": shlex.quote('{"spec":{"nodeSelector":{"no":"where"}}}')}
    world.run("patch", "cm", "held", "--type=merge", '-p={"metadata":{"finalizers":null}}')
    world.run("delete", "deploy/endless", "cm/held", "pod/held", "--ignore-not-found")


@pytest.mark.parametrize("program", ["minikctl", KUBECTL])
@pytest.mark.parametrize("line", WATCHES)
def test_ctrl_c_ends_whatever_goes_on(
    desk: Desk, world: World, endless: dict[str, str], line: str, program: str
) -> None:
    """With the exit code that stock kubectl has."""
    if program == KUBECTL and any(part in line for part in OURS):
        return
    shown_first, wanted = WATCHES[line]
    words = re.sub(r"{(\w+)}", lambda found: endless[found[1]], line)
    terminal = desk.open(f"{program} {words}", KUBECONFIG=str(world.kubeconfig))
    terminal.until(shown_first)
    if program == KUBECTL:
        terminal.until_connected()
    terminal.linger(0.7)
    terminal.type(CTRL_C)
    code, shown = terminal.end()
    assert code == wanted, shown
    assert "Traceback" not in shown


def test_an_editor_edits_in_the_terminal(desk: Desk, world: World) -> None:
    assert world.run("create", "cm", "edited", "--from-literal=a=b").code == 0
    code, shown = desk.open("minikctl edit cm edited", KUBE_EDITOR="sed -i 's/a: b/a: changed/'").end()
    assert (code, shown.splitlines()) == (0, ["configmap/edited edited"])
    assert world.run("get", "cm", "edited", "-o", "jsonpath={.data.a}").out == "changed"
    code, shown = desk.open("minikctl edit cm edited", EDITOR="true").end()
    assert (code, shown.splitlines()) == (0, ["Edit cancelled, no changes made."])
    assert world.run("delete", "cm", "edited").code == 0


def test_a_map_is_drawn_in_the_terminal_and_as_a_picture(desk: Desk) -> None:
    code, shown = desk.open("minikctl map", 120).end()
    assert code == 0
    assert "web" in shown
    done = _piped("minikctl map -o svg", desk)
    assert ElementTree.fromstring(done.stdout).tag.endswith("svg")


def test_a_deletion_asks_in_the_terminal(desk: Desk, world: World) -> None:
    assert world.run("create", "cm", "asked").code == 0
    for answer, there in ((b"n\r", 0), (b"y\r", 1)):
        terminal = desk.open("minikctl delete cm asked --confirm")
        terminal.until(r"\(y/N\): ")
        terminal.type(answer)
        assert terminal.end()[0] == 0
        assert world.run("get", "cm", "asked").code == there


@pytest.mark.parametrize("line", ["get all -o yaml", "explain pod --recursive", "api-resources", "--help"])
def test_a_reader_that_leaves_is_no_failure_to_tell(desk: Desk, line: str) -> None:
    done = _piped(f"minikctl {line} | head -1", desk)
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_a_pager_shows_what_is_piped_to_it(desk: Desk) -> None:
    terminal = desk.open("bash -c 'minikctl explain pod --recursive | less'")
    terminal.until("KIND:")
    terminal.type(b"G")
    terminal.until("startTime")
    terminal.type(b"q")
    code, shown = terminal.end()
    assert code == 0
    assert "Traceback" not in shown


def _piped(line: str, desk: Desk) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        env=desk.environment,
        timeout=shells.SECONDS,
        check=False,
    )
