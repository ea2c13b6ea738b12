"""Command lines are read as kubectl's flag library reads them."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.cli import commands, flags, parsing
from minikctl.cli.flags import Options, after_dash, flag, rest
from minikctl.cli.settings import Settings


class Sample(Options):
    words: tuple[str, ...] = rest("WORDS", default=())
    tail: tuple[str, ...] = after_dash(default=())
    name: str = flag("--name", "-n", default="x")
    many: tuple[str, ...] = flag("--many", "-m", default=(), split=True)
    wait: bool = flag("--wait", "-w", default=True)
    quiet: bool = flag("--quiet", "-q", default=False)
    count: int = flag("--count", default=0)
    mode: str = flag("--mode", default="none", bare="client")


def read(*words: str) -> Sample:
    parsed = parsing.parse(words, parsing.Lookup([Sample.FLAGS]))
    found = commands.options_of(commands.Command("", Sample), parsed)
    assert isinstance(found, Sample)
    return found


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--name", "a"], {"name": "a"}),
        (["--name=a", "b"], {"name": "a", "words": ("b",)}),
        (["-na", "b"], {"name": "a", "words": ("b",)}),
        (["-n=a"], {"name": "a"}),
        (["-qn", "a"], {"quiet": True, "name": "a"}),
        (["--wait=false"], {"wait": False}),
        (["--wait", "false"], {"wait": True, "words": ("false",)}),
        (["--mode", "b"], {"mode": "client", "words": ("b",)}),
        (["--mode=server"], {"mode": "server"}),
        (["-m", "a,b", "-m", "c"], {"many": ("a", "b", "c")}),
        (["--count", "-3"], {"count": -3}),
        (["a", "-q", "b"], {"quiet": True, "words": ("a", "b")}),
        (["a", "--", "-q", "b"], {"words": ("a",), "tail": ("-q", "b")}),
        (["-"], {"words": ("-",)}),
    ],
)
def test_flags_and_arguments(words: list[str], wanted: dict[str, Any]) -> None:
    found = read(*words)
    assert {key: getattr(found, key) for key in wanted} == wanted
    assert found == Sample(**{"words": (), "tail": (), **wanted})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nope"], "unknown flag: --nope"),
        (["-Z"], "unknown shorthand flag: 'Z' in -Z"),
        (["-qZ"], "unknown shorthand flag: 'Z' in -qZ"),
        (["--name"], "flag needs an argument: --name"),
        (["-n"], "flag needs an argument: 'n' in -n"),
        (
            ["--wait=x"],
            'invalid argument "x" for "-w, --wait" flag: strconv.ParseBool: parsing "x": invalid syntax',
        ),
        (
            ["--count=x"],
            'invalid argument "x" for "--count" flag: strconv.ParseInt: parsing "x": invalid syntax',
        ),
    ],
)
def test_what_cannot_be_read_is_told_in_kubectls_words(words: list[str], message: str) -> None:
    with pytest.raises(parsing.BadCommandLine) as raised:
        read(*words)
    assert str(raised.value) == message


def test_options_are_frozen_and_know_their_fields() -> None:
    with pytest.raises(AttributeError):
        Sample().name = "b"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Sample(nope=1)  # type: ignore[call-arg]
    assert Sample(name="a").as_dict()["name"] == "a"
    assert repr(Sample(name="a")) == "Sample(name='a')"


def test_the_verb_is_found_behind_global_flags() -> None:
    lookup = parsing.Lookup([Settings.FLAGS])
    assert parsing.first_word(["-n", "a", "--context=b", "get", "pods"], lookup) == 3
    assert parsing.first_word(["-n", "a"], lookup) is None
    assert parsing.first_word(["--", "get"], lookup) is None


def test_one_argument_is_one() -> None:
    assert flags.one(["a"]) == "a"
    with pytest.raises(flags.BadArguments, match="exactly one NAME is required, got 2"):
        flags.one(["a", "b"])
