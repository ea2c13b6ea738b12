"""Users by the hashes that ``htpasswd`` makes: which can be checked, and what the proxy is given for it."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.plan import ingress, ingress_haproxy, ingress_users
from minikctl.plan.ingress_values import PREFIX
from tests.plan.ingress.cases import make, path, rule, view

CRYPT, APACHE = ("tim", "$5$salt$x"), ("ann", "$apr1$salt$yz/.1")
NOTES = {PREFIX + "auth-type": "basic", PREFIX + "auth-secret": "s"}


def files(*users: tuple[str, str], notes: Any = NOTES) -> Any:
    one = make("i", rule("h", path("/", "a")), annotations=notes)
    found = view(one, users={("default", "s"): users})
    return ingress_haproxy.render(ingress.routing(found), {}, "pem", {}, ingress_haproxy.Place()).files


@pytest.mark.parametrize(
    ("name", "given", "usable"),
    [
        (*CRYPT, True),
        (*APACHE, True),
        ("tim", "$2y$05$abc", True),
        ("tim", "{SHA}abc=", False),
        ("tim", "plain", False),
        ("t m", "$5$salt$x", False),
        ("tim", "$5$salt$x' x", False),
    ],
)
def test_which_users_can_be_checked(name: str, given: str, usable: bool) -> None:
    assert ingress_users.is_usable(name, given) is usable


def test_hashes_of_apache_are_for_the_script_and_others_for_the_proxy() -> None:
    found = files(CRYPT, APACHE)
    text, (listed,) = found["haproxy.cfg"], [name for name in found if name.startswith("users-")]
    assert found[listed] == "ann $apr1$salt$yz/.1\n"
    assert "  user tim password '$5$salt$x'\n" in text
    assert "ann" not in text
    assert f"  http-request set-var(txn.hash) http_auth_user,map_str({listed})\n" in text
    assert "lua-load-per-thread basic-auth.lua" in text
    assert "basic-auth.lua" in found
    assert "!{ http_auth(users_default_a_80:i) } !{ var(txn.known) -m bool }\n" in text


@pytest.mark.parametrize(("users", "notes"), [([CRYPT], NOTES), ([], {})])
def test_without_them_nothing_of_that_is_there(users: Any, notes: Any) -> None:
    found = files(*users, notes=notes)
    assert not [name for name in found if name.startswith("users-") or name == "basic-auth.lua"]
    assert "lua" not in found["haproxy.cfg"]
