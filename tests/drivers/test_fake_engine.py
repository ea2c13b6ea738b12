"""What the simulated engine does beyond the contract: scripted ends, failures on demand, an engine that goes away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from minikctl import errors
from minikctl.drivers import engine, fake_engine
from tests.fakes.clock import FakeClock, settle


class Stage:
    """A simulated engine and its clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.engine = fake_engine.FakeEngine(self.clock)

    async def start(self, *command: str, name: str = "one", **more: Any) -> str:
        """Start a container and return its id."""
        made = await self.engine.create(
            engine.ContainerSpec(name=name, image="app:1", labels={"l": "1"}, command=command or None, **more)
            if not command
            else engine.ContainerSpec(
                name=name,
                image="app:1",
                labels={"l": "1"},
                entrypoint=command[:1],
                command=command[1:],
                **more,
            )
        )
        await self.engine.start(made)
        await settle()
        return made

    async def view(self, container_id: str) -> engine.Container:
        """Return the container."""
        found = await self.engine.inspect(container_id)
        assert found is not None
        return found


@pytest.fixture
async def stage() -> Any:
    """An empty engine, ended with the test."""
    made = Stage()
    yield made
    await made.engine.close()


@pytest.mark.parametrize(
    ("command", "seconds", "code"),
    [
        (("sleep", "5"), 5, 0),
        (("sleep", "1m", "1"), 61, 0),
        (("sh", "-c", "sleep 2; exit 3"), 2, 3),
        (("sh", "-c", "false || sleep 1 && exit 4"), 1, 4),
        (("true",), 0, 0),
        (("false",), 0, 1),
        (("sh", "-c", "test -f /none && exit 5; exit 6"), 0, 6),
    ],
)
async def test_known_programs_end_as_they_say(
    stage: Stage, command: tuple[str, ...], seconds: int, code: int
) -> None:
    made = await stage.start(*command)
    if seconds:
        await stage.clock.advance(seconds - 1)
        assert (await stage.view(made)).status == "running"
        await stage.clock.advance(1)
    found = await stage.view(made)
    assert (found.status, found.exit_code, found.finished_at) == ("exited", code, stage.clock.now())


async def test_unknown_programs_and_loops_run_until_they_are_stopped(stage: Stage) -> None:
    server = await stage.start("/usr/bin/server", "--port", "80")
    loop = await stage.start("sh", "-c", "while true; do date; sleep 1; done", name="two")
    await stage.clock.advance(1e6)
    assert (await stage.view(server)).status == (await stage.view(loop)).status == "running"
    await stage.engine.stop(server, 30)
    assert (await stage.view(server)).exit_code == 0


async def test_the_deaf_are_killed_after_the_grace_period(stage: Stage) -> None:
    made = await stage.start("sleep", "infinity")
    stopping = asyncio.ensure_future(stage.engine.stop(made, 30))
    await stage.clock.advance(29)
    assert not stopping.done()
    await stage.clock.advance(1)
    await stopping
    assert (await stage.view(made)).exit_code == 137


async def test_the_environment_can_end_any_program(stage: Stage) -> None:
    made = await stage.start(env=(("SIM_EXIT_AFTER", "3"), ("SIM_EXIT_CODE", "9")))
    await stage.clock.advance(3)
    assert (await stage.view(made)).exit_code == 9


async def test_a_container_can_be_ended_and_made_to_speak(stage: Stage) -> None:
    made = await stage.start()
    stage.engine.write_log(made, b"said\n")
    stage.engine.finish(made, 137, oom_killed=True)
    found = await stage.view(made)
    assert (found.exit_code, found.oom_killed) == (137, True)
    logs = [chunk async for chunk in stage.engine.logs(made, engine.LogOptions(timestamps=True))]
    assert logs == [b"2026-01-01T00:00:00.000000000Z said\n"]
    stage.engine.finish(made, 1)
    await stage.engine.start(made)
    assert (await stage.view(made)).status == "running"


async def test_files_are_seen_by_commands_and_tests(stage: Stage) -> None:
    made = await stage.start("sh", "-c", "touch /tmp/ok; sleep 30; rm -f /tmp/ok; sleep 600")
    assert await stage.engine.run(made, ["cat", "/tmp/ok"], 1) == (0, b"")
    await stage.clock.advance(30)
    code, output = await stage.engine.run(made, ["cat", "/tmp/ok"], 1)
    assert code == 1
    assert b"No such file" in output
    assert await stage.engine.run(made, ["sh", "-c", "echo $WHO > /x; cat /x"], 1) == (0, b"\n")
    assert stage.engine.files(made)["/x"] == b"\n"


async def test_a_command_takes_simulated_time(stage: Stage) -> None:
    made = await stage.start()
    running = asyncio.ensure_future(stage.engine.run(made, ["sleep", "10"], 3))
    await stage.clock.advance(3)
    with pytest.raises(TimeoutError):
        await running


async def test_images_must_be_pulled_or_cannot_be(stage: Stage) -> None:
    assert await stage.engine.image("remote/app:1") is None
    await stage.engine.pull("remote/app:1")
    assert await stage.engine.image("remote/app:1") is not None
    with pytest.raises(errors.ImageMissing, match="pull access denied for missing/app"):
        await stage.engine.pull("missing/app")


async def test_calls_fail_on_demand(stage: Stage) -> None:
    stage.engine.fail("start", errors.DriverError("first"), errors.DriverError("second"))
    made = await stage.engine.create(engine.ContainerSpec(name="one", image="i", labels={}))
    for words in ("first", "second"):
        with pytest.raises(errors.DriverError, match=words):
            await stage.engine.start(made)
    await stage.engine.start(made)


async def test_an_engine_that_goes_away_ends_events_and_refuses_calls(stage: Stage) -> None:
    events = stage.engine.events({"l": "1"})
    made = await stage.start()
    assert [(await anext(events)).action for _ in range(2)] == ["create", "start"]
    stage.engine.available = False
    with pytest.raises(errors.EngineUnavailable):
        await anext(events)
    with pytest.raises(errors.EngineUnavailable):
        await stage.engine.inspect(made)
    with pytest.raises(errors.EngineUnavailable):
        await anext(stage.engine.events({}))
    stage.engine.available = True
    assert (await stage.view(made)).status == "running"


async def test_a_shell_answers_line_by_line(stage: Stage) -> None:
    made = await stage.start(hostname="host")
    session = await stage.engine.exec(made, ["sh"], engine.ExecOptions(stdin=True, tty=True))
    await session.write(b"hostname\necho two >&2\n")
    output = session.output()
    assert [await anext(output), await anext(output)] == [(1, b"host\n"), (1, b"two\n")]
    await session.write(b"exit 3\n")
    assert [piece async for piece in output] == []
    assert await session.exit_code() == 3
    await session.close()
