"""Which ports are listened on, as the kernel tells."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.drivers import listening

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:7530 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2
   2: 0100007F:7531 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 3
"""
TABLE6 = """  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A
   1: 0000000000000000FFFF00000200007F:0016 00000000000000000000000000000000:0000 0A
   2: 00000000000000000000000001000000:0017 00000000000000000000000000000000:0000 0A
"""


def test_only_listeners_count() -> None:
    assert set(listening.listeners(TABLE)) == {("127.0.0.1", 30000), ("0.0.0.0", 80)}


def test_ipv6_listeners_that_take_ipv4_clients_count_too() -> None:
    assert set(listening.listeners(TABLE6)) == {("0.0.0.0", 8080), ("127.0.0.2", 22)}


def test_a_port_is_held_by_who_listens_or_takes_datagrams_at_whatever_address() -> None:
    with (
        socket.create_server(("127.0.0.1", 0), reuse_port=True) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taking,
    ):
        taking.bind(("127.0.0.2", 0))
        ports = server.getsockname()[1], taking.getsockname()[1]
        assert [listening.is_held(port) for port in ports] == [True, True]
    assert [listening.is_held(port) for port in ports] == [False, False]


def test_a_port_is_somebodys() -> None:
    assert list(listening.inodes(TABLE, 80)) == ["2"]
    assert list(listening.inodes(TABLE, 30001)) == []
    assert [list(listening.inodes(TABLE, 30000, place)) for place in ("127.0.0.1", "127.0.0.2")] == [
        ["1"],
        [],
    ]
    assert list(listening.inodes(TABLE, 80, "127.0.0.2")) == ["2"], "who listens at any address is met there"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listening.holder(port).endswith(f"(process {os.getpid()})")
    assert listening.holder(port) == ""


def test_this_machine_is_read_from_its_kernel() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        assert address in listening.of_this_machine()
    assert address not in listening.of_this_machine()
    assert listening.nobody() == frozenset()


def test_sctp_is_known_by_the_kernels_table_of_protocols(tmp_path: Path) -> None:
    table = tmp_path / "protocols"
    assert not listening.has_sctp(table)
    for text, known in (
        ("UDP       1088\nSCTPv6    1728\n", False),
        ("UDP       1088\nSCTP      1640\n", True),
    ):
        table.write_text(text)
        assert listening.has_sctp(table) is known


def test_tables_that_cannot_be_read_are_a_failure_of_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A directory in the table's place: it is there, and reading it fails, as when no more files may be opened.
    monkeypatch.setattr(listening, "_TABLES", (tmp_path,))
    with pytest.raises(errors.DriverError, match="cannot see who listens on this machine"):
        listening.of_this_machine()
