"""What the program in the agent makes of requests and of what the kernel tells; real namespaces: see contract."""

from __future__ import annotations

import contextlib
import os
import pathlib
import resource
import signal
import socket
import struct
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from minikctl.drivers import agent, resident
from minikctl.drivers import netns_messages as messages
from minikctl.drivers import netns_program as program
from minikctl.drivers.netns import NetnsChange, Writing
from tests.waiting import eventually


def message(kind: int, *attributes: tuple[int, bytes]) -> bytes:
    """Return a netlink message of nf_tables, padded as the kernel pads it."""
    body = b"".join(
        struct.pack("=HH", 4 + len(value), number) + value + b"\0" * (-len(value) % 4)
        for number, value in attributes
    )
    return struct.pack("=IHHIIBBH", 20 + len(body), kind, 0, 0, 0, 1, 0, 0) + body


RULE = message(10 << 8 | 8, (1, b"minikctl\0"), (2, b"nat-output\0"))
CHAIN = message(10 << 8 | 5, (9, b"x"), (0x8001, b"other\0"))


def test_a_table_is_found_in_each_message_of_a_piece() -> None:
    assert messages.tables(RULE) == {"minikctl"}
    assert messages.tables(RULE + CHAIN + RULE) == {"minikctl", "other"}


def test_a_generation_names_its_author() -> None:
    generation = message(messages.NEWGEN, (1, struct.pack(">I", 7)), (2, struct.pack(">I", 9)), (3, b"nft\0"))
    assert messages.HEADER.unpack_from(generation)[1] == messages.NEWGEN
    assert messages.attribute(generation, messages.GEN_PROC_NAME) == b"nft"


@pytest.mark.parametrize(
    ("group", "mounts", "is_owned"),
    [
        ("0::/docker/abc\n", "", True),
        ("0::/\n", "9 1 8:1 /data/containers/abc/hostname /etc/hostname rw - ext4 x rw\n", True),
        ("0::/\n", "9 1 8:1 /data/containers/other/hostname /etc/hostname rw - ext4 x rw\n", False),
        ("0::/\n", "9 1 8:1 /data/containers/abc/hostname /mnt rw - ext4 x rw\n", False),
    ],
)
def test_whose_a_process_is_show_its_control_group_or_without_one_its_host_name(
    group: str, mounts: str, is_owned: bool, tmp_path: pathlib.Path
) -> None:
    place = tmp_path / "7"
    place.mkdir()
    (place / "cgroup").write_text(group)
    (place / "mountinfo").write_text(mounts)
    assert program.belongs(7, "abc", str(tmp_path)) is is_owned
    asked = agent.OWNED.replace("/proc/", f"{tmp_path}/") + "owned abc 7"
    assert (subprocess.run(["sh", "-c", asked], check=False).returncode == 0) is is_owned


def test_who_may_not_have_more_room_than_the_machine_allows_takes_what_there_is() -> None:
    asked: list[int] = []

    class Small:
        """May not be forced."""

        def setsockopt(self, level: int, option: int, value: int) -> None:
            """Take note of what was asked for."""
            if option == program.SO_RCVBUFFORCE:
                raise PermissionError
            asked.append(option)

    program.widen(Small())  # type: ignore[arg-type]
    assert asked == [socket.SO_RCVBUF]


def test_a_pause_in_the_process_namespace_of_the_machine_is_one_process_that_ends_at_once() -> None:
    pause = pathlib.Path(program.__file__).parents[1] / "images" / "infra" / "pause"
    process = subprocess.Popen(["sh", str(pause)])
    try:
        comm = pathlib.Path(f"/proc/{process.pid}/comm")
        eventually(lambda: comm.read_text() == "sleep\n", 5, 0.01)
        assert not pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    finally:
        process.terminate()
    assert process.wait(5) == -signal.SIGTERM


class Ear:
    """Hears what a list says, byte strings or failures, then nothing."""

    def __init__(self, *said: bytes | OSError) -> None:
        self.said = [*said]

    def recv(self, _: int) -> bytes:
        """Return what comes next."""
        if not self.said:
            raise BlockingIOError
        found = self.said.pop(0)
        if isinstance(found, OSError):
            raise found
        return found


def generation(number: int, author: bytes = b"me") -> bytes:
    return message(messages.NEWGEN, (1, struct.pack(">I", number)), (3, author + b"\0"))


LOST = OSError(105, "No buffer space available")


@pytest.mark.parametrize(
    ("since", "known"),
    [
        ([], 256),
        ([generation(257), generation(258)], 258),
        ([generation(258)], 0),
        ([RULE, generation(257, b"nft")], 0),
        ([LOST], 0),
        ([LOST, generation(257)], 0),
        ([generation(258), generation(259)], 0),
    ],
    ids=(
        "nothing",
        "ours",
        "one that was not heard",
        "others",
        "lost",
        "lost, then ours",
        "not heard, then ours",
    ),
)
def test_rules_are_known_while_each_generation_since_they_were_written_is_ours(
    since: list[bytes | OSError], known: int
) -> None:
    place = object.__new__(program.Namespace)
    place._unfinished, place._generation = [], 0
    ear: Any = Ear(generation(7), generation(8))
    place.ear = ear
    place.heard(b"me", wrote=True)
    assert place._generation == 0, "they were never written as a whole"
    ear.said = [generation(256)]
    assert place.heard(b"me", wrote=True, whole=True) == set()
    ear.said = [*since]
    place.heard(b"me", wrote=True)
    assert place._generation == known


def test_what_is_cut_off_or_odd_is_no_endless_loop() -> None:
    assert messages.tables(RULE[:-4] + struct.pack("=HH", 0, 0)) == {"minikctl"}
    assert messages.tables(b"\0" * 40) == set()
    assert messages.tables(b"") == set()
    assert messages.attribute(message(0, (3, b"")), 1) == b""
    assert messages.attribute(struct.pack("=IHHIIIHH", 24, 0, 0, 0, 0, 0, 0, 1), 1) == b""


def test_a_text_that_many_need_is_sent_once() -> None:
    changes = [NetnsChange("a", 1, (("ip", "x"),), "one"), NetnsChange("b", 2, (), "two", Writing.WHOLE)]
    changes += [NetnsChange("c", 3, (), "one", Writing.IF_DISTURBED), NetnsChange("d", 4, (("true",),))]
    assert resident.request(5, changes) == (
        b'{"id": 5, "texts": ["one", "two"], "changes": [["a", 1, [["ip", "x"]], 0, 0], ["b", 2, [], 1, 1], '
        b'["c", 3, [], 0, 2], ["d", 4, [["true"]], -1, 0]]}\n'
    )


class Slow(program.Program):
    """Makes changes in name only, and keeps what it tells."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.made: list[str] = []
        self._worked, self._home = 0.0, 0
        self._kernel: Any = SimpleNamespace(enter=lambda _: None)

    def _begin(self, changes: Any, failed: Any) -> Any:
        return [(SimpleNamespace(container=one[0]), None, one) for one in changes]

    def _finish(self, place: Any, running: Any, text: Any, writing: int) -> list[tuple[str, str]]:
        self.made.append(place.container)
        return []

    def _tell(self, what: object) -> None:
        self.told.append(what)


def test_that_it_goes_on_is_told_between_changes_and_those_without_commands_come_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changes = [["a", 1, [["true"]], 0, 0], ["b", 2, [], 0, 1], ["c", 3, [], 0, 2]]
    asked = {"id": 7, "texts": ["x"], "changes": changes}
    slow, quick = Slow(), Slow()
    quick._serve(dict(asked))
    assert quick.told == [{"id": 7, "failed": {}}]
    monkeypatch.setattr(program, "NEWS_SECONDS", -1.0)
    slow._serve(dict(asked))
    assert slow.told == [{"id": 7}] * 3 + [{"id": 7, "failed": {}}]
    assert slow.made == ["b", "c", "a"]


def test_what_is_kept_of_namespaces_leaves_the_low_descriptors_free(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (512, 2048))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits))
    files = program.Files()
    assert set_to == [(2048, 2048)]
    assert files.namespaces == (2048 - 512) // 4
    with contextlib.ExitStack() as opened:

        def taken() -> int:
            made = os.open("/dev/null", os.O_RDONLY)
            opened.callback(os.close, made)
            return made

        lifted = files.up(os.open("/dev/null", os.O_RDONLY))
        opened.callback(os.close, lifted)
        assert lifted >= 512
        assert not os.get_inheritable(lifted)
        assert files.is_low_left()
        while taken() < 512 - program.SPARE_FILES:
            pass
        assert not files.is_low_left()


@pytest.mark.parametrize(
    ("kind", "flags", "author", "lost"),
    [(25, 0, 3, True), (24, 0x600, 3, False), (24, 0x500, 3, True), (24, 0x600, 2, True)],
)
def test_routes_are_missed_when_one_goes_or_is_replaced_or_the_kernel_makes_one(
    kind: int, flags: int, author: int, *, lost: bool
) -> None:
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 16, 0, 0, 254, author, 253, 1, 0)
    assert messages.is_loss(struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 7) + body) is lost


def shown(kind: int, sequence: int, extra: str, *rows: str) -> str:
    """Return a message as libmnl shows it, with the size that it has."""
    size = 20 + 4 * len(rows)
    lines = [f"|  {size:010}  |\t| message length |", f"| {kind:05} | R--- |\t|  type | flags  |"]
    lines += [f"|  {sequence:010}  |\t| sequence number|", "|  0000000000  |\t|     port ID    |", BAR]
    lines += [f"| {extra}  |\t|  extra header  |", *rows, BAR]
    return "\n".join([BAR, *lines]) + "\n"


BAR = "----------------\t------------------"
NAMED = (
    "|\x1b[1;31m00006\x1b[0m|\x1b[1;32mNB\x1b[0m|\x1b[1;34m00001\x1b[0m|\t|len |flags| type|",
    "| 7c 00 00 00  |\t|      data      |\t |      ",
)
BEGIN, END = shown(16, 0, "00 00 00 0a"), shown(17, 2, "00 00 00 0a")


def test_what_was_sent_is_read_from_what_is_shown() -> None:
    asked = shown(2561, 0, "00 00 00 00")
    text = asked + BEGIN + shown(2560, 1, "01 00 00 00", *NAMED) + END
    head, tail = (
        struct.pack("=IHHII4B", 20, kind, 1, number, 0, 0, 0, 0, 10) for kind, number in ((16, 0), (17, 2))
    )
    table = struct.pack("=IHHII4BHH", 28, 2560, 0x401, 1, 0, 1, 0, 0, 0, 6, 0xC001) + b"|\0\0\0"
    assert messages.sent(text.encode()) == head + table + tail


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing of the kind",
        "| a | b | c | data | e |\n",
        BEGIN,
        BEGIN + shown(2560, 1, "01 00 00 00", NAMED[0]) + BEGIN,
        (BEGIN + shown(2560, 1, "01 00 00 00", *NAMED) + END).replace("0000000028", "0000000032"),
        BEGIN + shown(2600, 1, "01 00 00 00", *NAMED) + END,
        shown(16, 0, "00 00 00 0a", *NAMED) + END,
    ],
)
def test_what_is_not_understood_is_not_sent(text: str) -> None:
    assert messages.sent(text.encode()) == b""


def test_only_texts_that_add_delete_and_flush_are_sent_again() -> None:
    assert messages.is_plain(b"add chain a b\nflush chain a b\ndelete element a b { c }\n")
    assert not messages.is_plain(b"add chain a b\ncreate table a\n")
    assert not messages.is_plain(b"add " + b"x" * messages.MOST_BYTES)
    assert not messages.Text(b"add chain a b\n", 1).is_shared
    assert messages.Text(b"add chain a b\n", 2).is_shared
