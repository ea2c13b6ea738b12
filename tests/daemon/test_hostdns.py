from __future__ import annotations

from pathlib import Path

import pytest

from minikctl.daemon import hostdns


@pytest.mark.parametrize(
    ("own", "behind", "lines", "servers"),
    [
        (
            "# made by hand\n\nnameserver 192.0.2.1\n; no\nsearch example.org\noptions ndots:2\n",
            None,
            ("nameserver 192.0.2.1", "search example.org", "options ndots:2"),
            ("192.0.2.1",),
        ),
        (
            "nameserver 127.0.0.53\nsearch a\n",
            "nameserver 192.0.2.7\nsearch b\n",
            ("nameserver 192.0.2.7", "search b"),
            ("192.0.2.7",),
        ),
        ("nameserver 127.0.0.53\nsearch a\n", None, ("search a",), ()),
        ("nameserver ::1\nnameserver 192.0.2.1\n", None, ("nameserver 192.0.2.1",), ("192.0.2.1",)),
        ("nameserver\n", None, ("nameserver",), ()),
        (None, None, (), ()),
    ],
)
def test_what_pods_can_use_of_the_hosts_resolver(
    tmp_path: Path, own: str | None, behind: str | None, lines: tuple[str, ...], servers: tuple[str, ...]
) -> None:
    paths = []
    for name, text in (("own", own), ("behind", behind)):
        if text is not None:
            (tmp_path / name).write_text(text)
        paths.append(str(tmp_path / name))
    assert hostdns.lines(*paths) == lines
    assert hostdns.servers(*paths) == servers


def test_the_machine_s_own_table_of_hosts(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 here\n")
    assert hostdns.hosts(str(tmp_path / "hosts")) == "127.0.0.1 here\n"
    assert hostdns.hosts(str(tmp_path / "none")) == ""
