"""Nobody who may write an Ingress writes the proxy's configuration, whatever is in its annotations and paths.

Values are made of what the proxy reads as its own: quotes, comments, escapes, ends of lines, words of conditions.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minikctl.plan import haproxy, ingress, ingress_clients, ingress_haproxy
from tests.contract.test_ingress_words import ALWAYS, CANARY, CREDENTIALS, NAMES, PEM, TRUSTED, USERS, noted
from tests.plan.ingress.cases import path, view

pytestmark = pytest.mark.timeout(120)

MARK = "z=q"
"""What a word of a user is known by; it is in no name that stands without quotes."""
SIGNS = (
    *"'\"\\#%$&{}[]()<>|!;:,.=~^*?+-@/\0\x1b\x7fé",
    *(
        "$host",
        "$1",
        "%[src]",
        "%[lua.x]",
        "${HOME}",
        "http://",
        "https://h/",
        "10.0.0.0/8",
        "/a",
        "1",
        "true",
        "off",
    ),
    MARK,
)
SPACES = (
    *" \t\r\n\v\f\x1c\x85\xa0\u2028",
    " if ",
    " unless ",
    "' ",
    '"\n',
    "\n  ",
    " #",
    "server ",
    "\n\nfrontend ",
)
TIGHT = st.lists(st.sampled_from(SIGNS), min_size=1, max_size=8).map("".join)
TEXTS = st.one_of(TIGHT, st.lists(st.sampled_from(SIGNS + SPACES), min_size=1, max_size=8).map("".join))
LIKELY = st.sampled_from(["/", "http://h/", "https://$host/", "a", "10.0.0.0/8", "error ", "any", "/$1"])
VALUES = st.one_of(TEXTS, st.tuples(LIKELY, TEXTS).map("".join))
KEYS = (*NAMES, *(f"canary-{one}" for one in CANARY), "canary", "satisfy", "auth-realm", "any-other")
USUAL = {**ALWAYS, **TRUSTED, "use-regex": "true", "satisfy": "any", "whitelist-source-range": "10.0.0.0/8"}
TYPES = ("Exact", "Prefix", "ImplementationSpecific")


@st.composite
def written(draw: st.DrawFn) -> list[Any]:
    """Return Ingresses whose annotations and paths are anything that somebody may have written."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        notes = draw(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6))
        notes |= {name: text for name, text in USUAL.items() if draw(st.booleans())}
        text = "/" + draw(st.one_of(st.just(""), TEXTS))
        one = path(text, "a", draw(st.sampled_from(TYPES)))
        found.append(noted(f"i{number}", f"h{number // 2}.test", notes, one, str(number)))
    return found


_WORD = re.compile(r"(?:'[^']*'|\"(?:\\.|[^\"])*\"|\\.|[^\s'\"\\#])+|#.*|['\"\\]")
_KEPT = re.compile(r"[^\s'\"#\\]*'[^']*'[^\s'\"#\\]*")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def assert_ours(files: Mapping[str, str]) -> None:
    """Fail where what a user wrote is not in quotes, as the proxy takes lines apart, or does not stay in its line."""
    for line in files["haproxy.cfg"].splitlines():
        found = _WORD.findall(line)
        assert all(_KEPT.fullmatch(word) for word in found if MARK in word), line
    for name, text in files.items():
        assert not _CONTROL.search(text), (name, text)
        if name.endswith(".map") and name != ingress_clients.WORDS_MAP:
            lines = text.removesuffix("\n").split("\n") if text else []
            assert all(re.fullmatch(r"[^\s#]\S* \S+", line) for line in lines), (name, text)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(written())
def test_values_are_taken_by_the_proxy_as_values_or_told(
    tmp_path_factory: pytest.TempPathFactory, found: list[Any]
) -> None:
    directory = tmp_path_factory.mktemp("haproxy")
    place = ingress_haproxy.Place(sockets=str(directory))
    refused: frozenset[Any] = frozenset()
    while True:
        routes = ingress.routing(view(*found, users=USERS, credentials=CREDENTIALS, refused=refused))
        rendered = ingress_haproxy.render(routes, {}, PEM, {}, place)
        assert_ours(rendered.files)
        words = refusal(rendered.files, directory)
        if not words:
            return
        guilty = haproxy.culprits(words, rendered)
        assert guilty - refused, words
        refused |= guilty


def refusal(files: Mapping[str, str], directory: Path) -> str:
    """Return what HAProxy has against these files, "" if it takes them; skip where there is none."""
    if shutil.which("haproxy") is None:
        pytest.skip("HAProxy is not installed")
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    argv = ["haproxy", "-c", "-f", str(directory / "haproxy.cfg")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""
