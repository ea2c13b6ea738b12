"""Commands that run where a thread of ``netns_program`` is, sent along with it."""

from __future__ import annotations

import os
import select
import shlex
import signal

COMMAND_SECONDS = 10.0
MAX_WORDS = 65536


class Refused(Exception):
    """What a change could not do, in words for the user."""


def is_ready(descriptor: int, seconds: float) -> bool:
    """Tell whether a descriptor, however high its number, can be read within that time or is at its end."""
    asking = select.poll()
    asking.register(descriptor, select.POLLIN)
    return bool(asking.poll(1000 * seconds))


class Running:
    """A command that was begun where the thread was then."""

    def __init__(self, argv: list[str]) -> None:
        reading, writing = os.pipe()
        try:
            with open("/dev/null", "rb") as nothing:
                files = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), 0)]
                files += [(os.POSIX_SPAWN_DUP2, writing, each) for each in (1, 2)]
                self._pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=files)
        except OSError as error:
            os.close(reading)
            raise Refused(f"{argv[0]}: not found") from error
        finally:
            os.close(writing)
        self._reading = reading

    def end(self) -> None:
        """Return at its end; ``Refused`` in its words when it fails, or takes too long."""
        try:
            words = self._output()
        finally:
            os.close(self._reading)
        _, status = os.waitpid(self._pid, 0)
        if status:
            code = os.waitstatus_to_exitcode(status)
            raise Refused(words.decode(errors="replace").strip() or f"exit code {code}")

    def _output(self) -> bytes:
        words = b""
        while is_ready(self._reading, COMMAND_SECONDS):
            piece = os.read(self._reading, MAX_WORDS)
            if not piece:
                return words
            words = (words + piece)[-MAX_WORDS:]
        os.kill(self._pid, signal.SIGKILL)
        return words + b"\ndid not end in time"


def begun(commands: list[list[str]]) -> Running | None:
    """Begin the commands, each after the one before it has succeeded; None if there are none."""
    if len(commands) < 2:
        return Running(commands[0]) if commands else None
    return Running(["sh", "-c", " && ".join(map(shlex.join, commands))])
