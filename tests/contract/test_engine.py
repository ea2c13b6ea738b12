"""What every engine must do, held by the simulated and by the real one."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import signal
import socket
import tarfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.drivers import engine
from tests.contract.conftest import IMAGE, Bench, make_network
from tests.fakes.ports import free_port

ALL_LOGS = engine.LogOptions()


async def text_of(stream: AsyncIterator[bytes]) -> str:
    """Return a whole stream as text."""
    return b"".join([chunk async for chunk in stream]).decode()


async def answer(session: engine.ExecSession) -> tuple[int, bytes, bytes]:
    """Return exit code, stdout and stderr of a session that ends by itself."""
    try:
        pieces = [piece async for piece in session.output()]
        both = tuple(b"".join(data for stream, data in pieces if stream == wanted) for wanted in (1, 2))
        return await session.exit_code(), both[0], both[1]
    finally:
        await session.close()


async def test_info_says_how_large_the_machine_is(bench: Bench) -> None:
    info = await bench.engine.info()
    assert info.version
    assert info.api_version
    assert info.cpus > 0
    assert info.memory_bytes > 0


async def test_a_container_is_created_started_ended_and_removed(bench: Bench) -> None:
    before = datetime.now(UTC)
    made = await bench.engine.create(bench.spec("a", "sh", "-c", "exit 3"))
    created = await bench.engine.inspect(made)
    assert created is not None
    assert (created.id, created.status, created.pid, created.started_at) == (made, "created", 0, None)
    await bench.engine.start(made)
    ended = await bench.ended(made)
    assert (ended.exit_code, ended.pid, ended.name, ended.image) == (3, 0, f"{bench.name}-a", IMAGE)
    assert ended.created_at is not None
    assert ended.started_at is not None
    assert ended.finished_at is not None
    assert before.timestamp() - 2 <= ended.created_at.timestamp() <= ended.started_at.timestamp()
    assert ended.started_at <= ended.finished_at
    assert await bench.engine.written(made) == 0
    await bench.engine.remove(made)
    with pytest.raises(errors.NoSuchContainer):
        await bench.engine.written(made)
    assert await bench.engine.inspect(made) is None


async def test_list_returns_stopped_ones_too_and_only_those_with_all_labels(bench: Bench) -> None:
    first, second = await bench.start("a"), await bench.engine.create(bench.spec("b"))
    third = await bench.start("c", "true")
    await bench.ended(third)
    listed = await bench.engine.list(bench.labels)
    assert {(found.id, found.status) for found in listed} == {
        (first, "running"),
        (second, "created"),
        (third, "exited"),
    }
    for found in listed:
        assert found.labels.items() >= bench.labels.items()
        inspected = await bench.engine.inspect(found.id)
        assert inspected is not None
        assert (inspected.pid, inspected.image_id, inspected.name) == (found.pid, found.image_id, found.name)
    assert [found.id for found in await bench.engine.list(bench.labels | {"contract/name": "b"})] == [second]
    assert await bench.engine.list(bench.labels | {"contract/name": "z"}) == []


async def test_a_name_belongs_to_one_container(bench: Bench) -> None:
    await bench.engine.create(bench.spec("a"))
    with pytest.raises(errors.DriverError, match="already in use"):
        await bench.engine.create(bench.spec("a"))


async def test_names_follow_the_engines_rule(bench: Bench) -> None:
    for name in ("a", "", "-ab", "a b"):
        spec = engine.ContainerSpec(name=name or "_", image=IMAGE, labels=bench.labels)
        with pytest.raises(errors.DriverError, match="Invalid container name"):
            await bench.engine.create(spec)


async def test_starting_what_runs_and_removing_what_is_gone_is_harmless(bench: Bench) -> None:
    made = await bench.start("a")
    await bench.engine.start(made)
    await bench.engine.remove(made)
    await bench.engine.remove(made)
    await bench.engine.remove_network(f"{bench.name}-none")


async def test_calls_on_a_container_that_is_gone_say_so(bench: Bench) -> None:
    gone = "f" * 64
    for call in (
        bench.engine.start(gone),
        bench.engine.stop(gone, 0),
        bench.engine.kill(gone),
        bench.engine.exec(gone, ["true"], engine.ExecOptions()),
        bench.engine.run(gone, ["true"], 5),
        bench.engine.get_archive(gone, "/etc"),
        text_of(bench.engine.logs(gone, ALL_LOGS)),
    ):
        with pytest.raises(errors.NoSuchContainer, match=gone):
            await call


async def test_a_missing_image_is_an_error_of_its_own(bench: Bench) -> None:
    spec = engine.ContainerSpec(name=f"{bench.name}-m", image="missing/nothing:1", labels=bench.labels)
    with pytest.raises(errors.ImageMissing, match="No such image: missing/nothing:1"):
        await bench.engine.create(spec)
    assert await bench.engine.image("missing/nothing:1") is None


async def test_an_image_is_found_by_name_and_by_id(bench: Bench) -> None:
    image = await bench.engine.image(IMAGE)
    assert image is not None
    assert IMAGE in image.tags
    assert image.entrypoint == ("/pause",)
    assert image.labels["minikctl.dev/image"] == "minikctl-infra"
    assert await bench.engine.image(image.id) == image


async def test_the_names_of_images_are_told(bench: Bench) -> None:
    await bench.engine.image(IMAGE)
    names = await bench.engine.image_names()
    assert IMAGE in names
    assert list(names) == sorted(names)


async def test_a_tag_is_another_name_that_can_be_taken_away(bench: Bench) -> None:
    name = f"{bench.name}:tagged"
    await bench.engine.tag_image(IMAGE, name)
    tagged, original = await bench.engine.image(name), await bench.engine.image(IMAGE)
    assert tagged is not None
    assert original is not None
    assert tagged.id == original.id
    await bench.engine.remove_image(name)
    await bench.engine.remove_image(name)
    assert await bench.engine.image(name) is None


async def test_a_program_that_is_not_there_fails_the_start_in_the_engines_words(bench: Bench) -> None:
    made = await bench.engine.create(bench.spec("a", "/no-such-program"))
    with pytest.raises(errors.DriverError, match="no-such-program") as caught:
        await bench.engine.start(made)
    assert not isinstance(caught.value, errors.NoSuchContainer)
    found = await bench.engine.inspect(made)
    assert found is not None
    assert (found.status, found.exit_code) == ("created", 127)


async def heeds(bench: Bench, container_id: str, number: int) -> bool:
    """Tell whether the container's process has a handler for the signal."""
    found = await bench.engine.inspect(container_id)
    assert found is not None
    caught = re.search(r"^SigCgt:\s*(\w+)", Path(f"/proc/{found.pid}/status").read_text(), re.MULTILINE)
    assert caught is not None
    return bool(int(caught[1], 16) >> (number - 1) & 1)


async def test_stop_is_heeded_at_once_by_pause_and_enforced_upon_the_deaf(bench: Bench) -> None:
    heeding, deaf = await bench.start("a"), await bench.start("b", "sleep", "60")
    if bench.real:
        async with asyncio.timeout(10):
            while not await heeds(bench, heeding, signal.SIGTERM):
                await asyncio.sleep(0.01)
    await bench.engine.stop(heeding, 30)
    assert (await bench.ended(heeding)).exit_code == 0
    await bench.engine.stop(deaf, 1)
    assert (await bench.ended(deaf)).exit_code == 137
    await bench.engine.stop(deaf, 1)


async def test_kill_ends_and_is_harmless_afterwards(bench: Bench) -> None:
    made = await bench.start("a", "sleep", "60")
    await bench.engine.kill(made)
    assert (await bench.ended(made)).exit_code == 137
    await bench.engine.kill(made)


async def test_events_tell_what_happens_from_the_call_on(bench: Bench) -> None:
    earlier = await bench.start("early")
    events = bench.engine.events(bench.labels | {"contract/name": "a"})
    made = await bench.start("a", "true")
    await bench.ended(made)
    await bench.engine.remove(made)
    seen: list[str] = []
    async with contextlib.aclosing(events):  # type: ignore[type-var]
        async for event in events:
            assert event.container_id == made != earlier
            assert event.labels["contract/name"] == "a"
            assert abs((event.time - datetime.now(UTC)).total_seconds()) < 60
            seen.append(event.action)
            if event.action == "destroy":
                break
    assert [action for action in seen if action != "kill"] == ["create", "start", "die", "destroy"]


async def test_who_leaves_a_network_is_told(bench: Bench) -> None:
    first, second = f"{bench.name}-n", f"{bench.name}-n2"
    for name in (first, second):
        await make_network(bench, name)
    left = bench.engine.departures(first)
    other = await bench.start("other", network=second)
    made = await bench.start("a", network=first)
    await bench.engine.kill(other)
    await bench.engine.kill(made)
    async with contextlib.aclosing(left):  # type: ignore[type-var]
        assert await asyncio.wait_for(anext(left), 20) == made


async def test_logs_are_whole_cut_and_stamped(bench: Bench) -> None:
    made = await bench.start("a", "sh", "-c", "echo one; echo two >&2; echo three")
    await bench.ended(made)
    whole = await text_of(bench.engine.logs(made, ALL_LOGS))
    assert sorted(whole.split()) == ["one", "three", "two"]
    assert len((await text_of(bench.engine.logs(made, engine.LogOptions(tail=1)))).split()) == 1
    assert await text_of(bench.engine.logs(made, engine.LogOptions(tail=0))) == ""
    stamped = await text_of(bench.engine.logs(made, engine.LogOptions(timestamps=True)))
    times = [datetime.fromisoformat(line.split()[0]) for line in stamped.splitlines()]
    assert len(times) == 3
    later = engine.LogOptions(since=datetime.now(UTC))
    assert await text_of(bench.engine.logs(made, later)) == ""


async def test_followed_logs_go_on_until_the_container_ends(bench: Bench) -> None:
    made = await bench.start("a", "sh", "-c", "echo one; sleep 0.3; echo two")
    assert await text_of(bench.engine.logs(made, engine.LogOptions(follow=True))) == "one\ntwo\n"


async def test_followed_logs_may_be_left(bench: Bench) -> None:
    made = await bench.start("a", "sh", "-c", "echo one; sleep 60")
    logs = bench.engine.logs(made, engine.LogOptions(follow=True))
    async with contextlib.aclosing(logs):  # type: ignore[type-var]
        assert await anext(logs) == b"one\n"


async def test_exec_separates_the_streams_and_tells_the_exit_code(bench: Bench) -> None:
    made = await bench.start("a")
    options = engine.ExecOptions(env=(("WORD", "given"),))
    session = await bench.engine.exec(made, ["sh", "-c", "echo $WORD; echo bad >&2; exit 7"], options)
    assert await answer(session) == (7, b"given\n", b"bad\n")


async def test_exec_reads_stdin_to_its_half_close(bench: Bench) -> None:
    made = await bench.start("a")
    session = await bench.engine.exec(made, ["cat"], engine.ExecOptions(stdin=True))
    await session.write(b"one ")
    await session.write(b"two")
    await session.close_stdin()
    assert await answer(session) == (0, b"one two", b"")
    await session.close()
    with pytest.raises(errors.DriverError):
        await session.write(b"more")


async def test_exec_ends_with_its_container(bench: Bench) -> None:
    for end in (bench.engine.kill, bench.engine.remove):
        made = await bench.start(end.__name__)
        session = await bench.engine.exec(made, ["cat"], engine.ExecOptions(stdin=True))
        await session.write(b"first")
        output = session.output()
        assert await anext(output) == (1, b"first")
        await end(made)
        assert [piece async for piece in output] == []
        assert await session.exit_code() == 137
        await session.close()


async def test_exec_with_a_terminal_has_one_stream_and_a_size(bench: Bench) -> None:
    made = await bench.start("a")
    options = engine.ExecOptions(stdin=True, tty=True)
    session = await bench.engine.exec(made, ["sh", "-c", "sleep 0.2; echo bad >&2"], options)
    await session.resize(101, 33)
    code, output, error_output = await answer(session)
    assert (code, output.strip(), error_output) == (0, b"bad", b"")


async def test_exec_needs_a_running_container_and_a_program(bench: Bench) -> None:
    made = await bench.start("a", "true")
    await bench.ended(made)
    with pytest.raises(errors.DriverError, match="is not running"):
        await bench.engine.exec(made, ["true"], engine.ExecOptions())
    running = await bench.start("b")
    code, output = await bench.engine.run(running, ["/no-such-program"], 10)
    assert code in (126, 127)
    assert b"no-such-program" in output


async def test_run_returns_code_and_output_within_its_time(bench: Bench) -> None:
    made = await bench.start("a")
    assert await bench.engine.run(made, ["sh", "-c", "echo out; exit 4"], 10) == (4, b"out\n")
    with pytest.raises(TimeoutError):
        await bench.engine.run(made, ["sleep", "5"], 0.2)


async def test_attach_reaches_the_containers_own_process(bench: Bench) -> None:
    made = await bench.engine.create(bench.spec("a", "cat", stdin=True, stdin_once=True))
    session = await bench.engine.attach(made, stdin=True, tty=False)
    await bench.engine.start(made)
    await session.write(b"hello\n")
    await session.close_stdin()
    assert await answer(session) == (0, b"hello\n", b"")


@pytest.mark.parametrize(
    ("program", "typed", "said"),
    [
        (["sh", "-c", "sleep 0.3; echo heard"], b"", b"heard"),
        (["cat"], b"hello\n", b"hello"),
        (["cat"], b"hel", b"hel"),
        (["cat"], b"", b""),
    ],
)
async def test_the_end_of_input_ends_no_output_of_a_terminal(
    bench: Bench, program: list[str], typed: bytes, said: bytes
) -> None:
    made = await bench.engine.create(bench.spec("a", *program, stdin=True, stdin_once=True, tty=True))
    session = await bench.engine.attach(made, stdin=True, tty=True)
    await bench.engine.start(made)
    await session.write(typed)
    await session.close_stdin()
    code, output, error_output = await answer(session)
    assert (code, said in output, error_output) == (0, True, b"")


async def test_archives_go_in_and_come_out(bench: Bench) -> None:
    made = await bench.start("a")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("deep.txt")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"data"))
    await bench.engine.put_archive(made, "/tmp", buffer.getvalue())
    assert await bench.engine.run(made, ["cat", "/tmp/deep.txt"], 10) == (0, b"data")
    with tarfile.open(fileobj=io.BytesIO(await bench.engine.get_archive(made, "/tmp/deep.txt"))) as archive:
        member = archive.extractfile("deep.txt")
        assert member is not None
        assert member.read() == b"data"
    with pytest.raises(errors.DriverError) as caught:
        await bench.engine.get_archive(made, "/tmp/nothing")
    assert not isinstance(caught.value, errors.NoSuchContainer)


async def test_networks_lend_addresses(bench: Bench) -> None:
    network = await make_network(bench, bench.name)
    assert await bench.engine.networks(bench.labels) == [network]
    prefix = network.subnet.removesuffix("0/24")
    assert network.gateway == f"{prefix}1"
    with pytest.raises(errors.DriverError, match="overlaps"):
        await bench.engine.create_network(f"{bench.name}-2", network.subnet, bench.labels)
    fixed = await bench.start("a", network=network.name, ip=f"{prefix}77")
    chosen = await bench.start("b", network=network.name)
    found, other = await bench.engine.inspect(fixed), await bench.engine.inspect(chosen)
    assert found is not None
    assert other is not None
    assert found.ip == f"{prefix}77"
    assert other.ip.startswith(prefix)
    with pytest.raises(errors.DriverError, match="Address already in use"):
        await bench.start("c", network=network.name, ip=f"{prefix}77")
    with pytest.raises(errors.DriverError, match="active endpoints"):
        await bench.engine.remove_network(network.name)


async def test_containers_share_a_network_namespace(bench: Bench) -> None:
    pause = await bench.start("pause")
    app = await bench.start("app", "sleep", "60", network=f"container:{pause}")
    found = await bench.engine.inspect(app)
    assert found is not None
    assert (found.status, found.ip) == ("running", "")
    await bench.engine.kill(pause)
    await bench.ended(pause)
    late = await bench.engine.create(bench.spec("late", network=f"container:{pause}"))
    with pytest.raises(errors.DriverError, match="non running container"):
        await bench.engine.start(late)


@pytest.mark.parametrize(
    "more",
    [
        {"hostname": "h"},
        {"dns": ("10.0.0.1",)},
        {"extra_hosts": (("h", "10.0.0.1"),)},
        {"ports": (engine.PortBinding(80),)},
    ],
    ids=lambda more: next(iter(more)),
)
async def test_who_shares_a_namespace_has_no_network_settings(bench: Bench, more: dict[str, object]) -> None:
    pause = await bench.start("pause")
    with pytest.raises(errors.DriverError, match="conflicting options"):
        await bench.engine.create(bench.spec("app", network=f"container:{pause}", **more))


async def test_host_ports_are_published_once(bench: Bench) -> None:
    wanted = engine.PortBinding(80, host_port=free_port())
    first = await bench.start("a", network="bridge", ports=(wanted, engine.PortBinding(81)))
    found = await bench.engine.inspect(first)
    assert found is not None
    assert wanted in found.ports
    assert all(port.host_port for port in found.ports)
    second = await bench.engine.create(bench.spec("b", network="bridge", ports=(wanted,)))
    with pytest.raises(errors.PortTaken, match="port is already allocated"):
        await bench.engine.start(second)
    await bench.engine.remove(first)
    await bench.engine.start(second)


async def test_ports_of_sctp_are_published_or_refused_as_what_the_machine_has_not(bench: Bench) -> None:
    wanted = engine.PortBinding(38, "sctp", host_port=free_port())
    made = await bench.engine.create(bench.spec("a", network="bridge", ports=(wanted,)))
    try:
        await bench.engine.start(made)
    except errors.NoSctp:
        with pytest.raises(OSError, match="not supported"):
            socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
        return
    found = await bench.engine.inspect(made)
    assert found is not None
    assert wanted in found.ports


async def test_many_at_once_do_not_hold_each_other_up(bench: Bench) -> None:
    deaf = await bench.start("deaf", "sleep", "60")
    async with asyncio.timeout(30):
        stops = [asyncio.ensure_future(bench.engine.stop(deaf, 60)) for _ in range(20)]
        await asyncio.sleep(0.1)
        await asyncio.gather(*(bench.engine.inspect(deaf) for _ in range(40)))
        assert not any(stop.done() for stop in stops)
        await bench.engine.kill(deaf)
        await asyncio.gather(*stops)


async def test_limits_change_while_a_container_runs(bench: Bench) -> None:
    made = await bench.engine.create(bench.spec("a", "sleep", "1000"))
    await bench.engine.start(made)
    before = await bench.engine.inspect(made)
    await bench.engine.resize(made, engine.Limits(cpu_shares=512, cpu_quota_us=20_000, memory_bytes=64 << 20))
    after = await bench.engine.inspect(made)
    assert before is not None
    assert after is not None
    assert (after.status, after.started_at, after.pid) == ("running", before.started_at, before.pid)
    with pytest.raises(errors.NoSuchContainer):
        await bench.engine.resize("0" * 64, engine.Limits(2, 0, 0))
