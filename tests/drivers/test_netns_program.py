"""What the program in the agent makes of requests and of what the kernel tells; real namespaces: see contract."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct

import pytest

from minikctl.drivers import netns_program as program
from minikctl.drivers import resident
from minikctl.drivers.netns import NetnsChange


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
    assert program.tables(RULE) == {"minikctl"}
    assert program.tables(RULE + CHAIN + RULE) == {"minikctl", "other"}


def test_a_generation_names_its_author() -> None:
    generation = message(program.NEWGEN, (1, struct.pack(">I", 7)), (2, struct.pack(">I", 9)), (3, b"nft\0"))
    assert program.HEADER.unpack_from(generation)[1] == program.NEWGEN
    assert program.attribute(generation, program.GEN_PROC_NAME) == b"nft"


def test_what_is_cut_off_or_odd_is_no_endless_loop() -> None:
    assert program.tables(RULE[:-4] + struct.pack("=HH", 0, 0)) == {"minikctl"}
    assert program.tables(b"\0" * 40) == set()
    assert program.tables(b"") == set()
    assert program.attribute(message(0, (3, b"")), 1) == b""
    assert program.attribute(struct.pack("=IHHIIIHH", 24, 0, 0, 0, 0, 0, 0, 1), 1) == b""


def test_a_text_that_many_need_is_sent_once() -> None:
    changes = [NetnsChange("a", 1, (("ip", "x"),), "one"), NetnsChange("b", 2, (), "two")]
    changes += [NetnsChange("c", 3, (), "one"), NetnsChange("d", 4, (("true",),))]
    assert resident.request(5, changes) == (
        b'{"id": 5, "texts": ["one", "two"], "changes": [["a", 1, [["ip", "x"]], 0], ["b", 2, [], 1], '
        b'["c", 3, [], 0], ["d", 4, [["true"]], -1]]}\n'
    )


def test_a_command_that_fails_tells_in_its_words() -> None:
    program.Running(["true"]).end()
    for argv, words in (
        (["sh", "-c", "echo no; exit 3"], "no"),
        (["sh", "-c", "exit 3"], "exit code 3"),
        (["/bin/no-such"], "/bin/no-such: not found"),
        (["sh", "-c", "kill -9 $$"], "exit code -9"),
    ):
        with pytest.raises(program.Refused) as refusal:
            program.Running(argv).end()
        assert str(refusal.value) == words


def test_a_command_reads_nothing_and_may_write_much() -> None:
    program.Running(["sh", "-c", "cat; yes | head -c 200000"]).end()


def test_a_command_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "COMMAND_SECONDS", 0.1)
    with pytest.raises(program.Refused, match="at it\n\ndid not end in time"):
        program.Running(["sh", "-c", "echo at it; exec sleep 60"]).end()


def test_commands_run_one_after_the_other_until_one_fails() -> None:
    assert program.begun([]) is None
    running = program.begun([["echo", "a b"], ["sh", "-c", "echo c; exit 2"], ["echo", "never"]])
    assert running is not None
    with pytest.raises(program.Refused, match=r"a b\nc$"):
        running.end()


def test_what_is_kept_of_namespaces_leaves_the_low_descriptors_free(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (512, 2048))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits))
    files = program.Files()
    assert set_to == [(2048, 2048)]
    assert files.namespaces == (2048 - 512) // 3
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
    assert program.is_loss(struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 7) + body) is lost
