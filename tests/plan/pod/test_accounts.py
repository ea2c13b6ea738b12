"""Who users of an image are, by its /etc/passwd and /etc/group."""

from __future__ import annotations

import pytest

from minikctl.plan.pod import accounts

PASSWD = """root:x:0:0:root:/root:/bin/sh
# said aside
short:x:1
odd:x:one:1::/:
odd:x:1:one::/:
:x:5:5::/:
web:x:33:34:www:/var/www:/bin/false
7:x:70:71::/:/bin/sh
+::::::
"""
GROUP = """root:x:0:
wheel:x:10:root,web
short:x
odd:x:ten:web
:x:9:web
web:x:34:
data:x:40:web,other,
"""
KNOWN = accounts.parse(PASSWD, GROUP)


@pytest.mark.parametrize(
    ("user", "wanted"),
    [
        ("", (0, 0, (10,))),
        ("root", (0, 0, (10,))),
        ("web", (33, 34, (10, 40))),
        ("33", (33, 34, (10, 40))),
        ("web:data", (33, 40, (10, 40))),
        ("web:40", (33, 40, (10, 40))),
        ("web:99", (33, 99, (10, 40))),
        ("1234", (1234, 0, ())),
        ("1234:5", (1234, 5, ())),
        (":data", (0, 40, (10,))),
        ("7", (70, 71, ())),
        ("nobody", None),
        ("web:nobody", None),
    ],
)
def test_users_are_found_by_name_then_by_number(
    user: str, wanted: tuple[int, int, tuple[int, ...]] | None
) -> None:
    assert KNOWN.identity(user) == wanted


def test_an_image_without_files_has_numbers_only() -> None:
    empty = accounts.parse("", "")
    assert empty.identity("") == (0, 0, ())
    assert empty.identity("5:6") == (5, 6, ())
    assert empty.identity("web") is None
