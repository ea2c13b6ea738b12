"""``apply --wait`` tells how far things are: in place on a terminal, else each sentence once."""

from __future__ import annotations

import io
import os

import pytest

from minikctl.cli import progress
from minikctl.cli.session import Io
from tests.cli.conftest import World

WAITING = 'Waiting for deployment "web" rollout to finish: 1 of 2 updated replicas are available...'


class Screen(io.StringIO):
    """A terminal that keeps what it shows."""

    def isatty(self) -> bool:
        """Be a terminal."""
        return True

    def shown(self) -> list[str]:
        """Return the lines that are left when the cursor has moved as it was told."""
        lines: list[str] = []
        for part in self.getvalue().replace("\x1b[J", "").split("\n"):
            if part.startswith("\x1b["):
                up, _, part = part[2:].partition("A\r")
                del lines[-int(up) :]
            lines.append(part)
        return [line for line in lines if line]


def test_a_terminal_shows_a_list_that_changes_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
    screen = Screen()
    shown = progress.Progress(Io(io.StringIO(), screen, io.StringIO()))
    shown.show("deployment.apps/web", WAITING)
    shown.show("job.batch/j", "0 of 1 succeeded")
    shown.draw()
    shown.draw()
    assert screen.shown() == [
        "deployment.apps/web  1 of 2 updated replicas are available",
        "job.batch/j          0 of 1 succeeded",
        "0 s",
    ]
    shown.say("job.batch/j", "job.batch/j: completed")
    shown.draw()
    assert screen.shown()[:2] == [
        "job.batch/j: completed",
        "deployment.apps/web  1 of 2 updated replicas are available",
    ]
    shown.end()
    assert screen.shown() == ["job.batch/j: completed"]


def test_the_list_has_the_size_of_the_screen() -> None:
    said = {f"pod/{number}": "is Pending" for number in range(9)}
    assert progress.lines(said, 2.4, 9, 5) == ["pod/0  i…", "pod/1  i…", "pod/2  i…", "… and 6 …", "2 s"]
    assert progress.lines({}, 2.4, 9, 5) == []


def test_elsewhere_each_sentence_comes_once(world: World) -> None:
    err = io.StringIO()
    shown = progress.Progress(Io(io.StringIO(), err, io.StringIO()))
    for _ in range(2):
        shown.show("deployment.apps/web", WAITING)
        shown.draw()
    shown.end()
    assert err.getvalue() == f"deployment.apps/web: {WAITING}\n"
    manifest = world.run("get", "deploy", "web", "-o", "yaml", "--neat").out
    *watched, done = world.run("apply", "-f", "-", "--wait", stdin=manifest).err.splitlines()
    assert done == 'deployment.apps/web: deployment "web" successfully rolled out'
    assert len(watched) <= 1  # its containers may be young
