"""Commands in a pod's network: in their order, in their words, and not for ever."""

from __future__ import annotations

import pytest

from minikctl.drivers import netns_commands as commands


def test_a_command_that_fails_tells_in_its_words() -> None:
    commands.Running(["true"]).end()
    for argv, words in (
        (["sh", "-c", "echo no; exit 3"], "no"),
        (["sh", "-c", "exit 3"], "exit code 3"),
        (["/bin/no-such"], "/bin/no-such: not found"),
        (["sh", "-c", "kill -9 $$"], "exit code -9"),
    ):
        with pytest.raises(commands.Refused) as refusal:
            commands.Running(argv).end()
        assert str(refusal.value) == words


def test_a_command_reads_nothing_and_may_write_much() -> None:
    commands.Running(["sh", "-c", "cat; yes | head -c 200000"]).end()


def test_a_command_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "COMMAND_SECONDS", 0.1)
    with pytest.raises(commands.Refused, match="at it\n\ndid not end in time"):
        commands.Running(["sh", "-c", "echo at it; exec sleep 60"]).end()


def test_commands_run_one_after_the_other_until_one_fails() -> None:
    assert commands.begun([]) is None
    running = commands.begun([["echo", "a b"], ["sh", "-c", "echo c; exit 2"], ["echo", "never"]])
    assert running is not None
    with pytest.raises(commands.Refused, match=r"a b\nc$"):
        running.end()
