"""Tables, JSONPath, YAML and descriptions, as text."""

from __future__ import annotations

import io
import random
import subprocess
from typing import Any

import pytest

from minikctl.cli import session
from minikctl.cli.output import jsonpath, printers, table, yamltext
from minikctl.cli.output.describing.sheet import Sheet
from tests.cli.conftest import KUBECTL

DATA: dict[str, Any] = {
    "kind": "Pod",
    "metadata": {"name": "a", "labels": {"x.y/z": "1"}},
    "items": [{"name": "b", "n": 1, "ok": True}, {"name": "c", "n": 2}, {"n": 3}],
}


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("{.kind}", "Pod"),
        ("{$.kind}", "Pod"),
        ("a{.kind}b", "aPodb"),
        ("{.items[*].name}", "b c"),
        ("{.items[0].name}", "b"),
        ("{.items[-1].n}", "3"),
        ("{.items[0:2].n}", "1 2"),
        ("{.items[0,2].n}", "1 3"),
        ("{.items[0]['name','n']}", "b 1"),
        ("{.items[?(@.n>1)].n}", "2 3"),
        ('{.items[?(@.name=="c")].n}', "2"),
        ("{.items[?(@.ok==true)].n}", "1"),
        ("{.items[?(@.ok)].n}", "1"),
        (r"{.metadata.labels.x\.y/z}", "1"),
        ("{.metadata['name']}", "a"),
        ("{..n}", "1 2 3"),
        ("{.nope}", ""),
        ("{.items[0]}", '{"n":1,"name":"b","ok":true}'),
        ('{range .items[*]}{.n}{"\\t"}{end}.', "1\t2\t3\t."),
        ("{'text'}", "text"),
    ],
)
def test_jsonpath(template: str, wanted: str) -> None:
    assert jsonpath.render(template, DATA) == wanted


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{.a", "unclosed action"),
        ("{.a[0}", "unterminated array"),
        ("{.a[x]}", "invalid array index x"),
        ("{range .items[*]}", "unexpected EOF"),
        ("{end}", "not in range"),
        ("{.items[?(@.n==x)]}", "unrecognized identifier x"),
        ("{.items[9]}", "array index out of bounds: index 9, length 3"),
    ],
)
def test_bad_jsonpath_is_told(template: str, complaint: str) -> None:
    with pytest.raises(jsonpath.BadTemplate, match=complaint.replace("[", r"\[")):
        jsonpath.render(template, DATA)


def test_expressions_may_leave_out_their_braces() -> None:
    assert (
        jsonpath.find("kind", DATA)
        == jsonpath.find(".kind", DATA)
        == jsonpath.find("{.kind}", DATA)
        == ["Pod"]
    )


@pytest.mark.parametrize("seed", range(4))
def test_yaml_is_byte_for_byte_what_kubectl_prints(seed: int) -> None:
    chance = random.Random(seed)
    pieces = [
        "a",
        " ",
        "  ",
        ":",
        "- ",
        "#",
        '"',
        "'",
        "\n",
        "\t",
        "{",
        "]",
        ",",
        "&",
        "*",
        "|",
        ">",
        "%",
        "@",
        "`",
    ]
    pieces += [
        "1",
        "0",
        ".",
        "e",
        "-",
        "_",
        "é",
        "😀",
        "\r",
        "x" * 30,
        "word ",
        "null",
        "true",
        "~",
        "=",
        "<<",
        "\\",
    ]
    texts = ["".join(chance.choice(pieces) for _ in range(chance.choice([1, 3, 8, 30]))) for _ in range(120)]
    data = {f"k{number:03}": text for number, text in enumerate(texts)}
    argv = [f"--from-literal={key}={text}" for key, text in data.items()]
    command = [KUBECTL, "create", "configmap", "x", "--dry-run=client", "-o", "yaml", *argv]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ours = yamltext.to_yaml(
        {"apiVersion": "v1", "data": data, "kind": "ConfigMap", "metadata": {"name": "x"}}
    )
    assert ours.replace("\r", "") == theirs.replace("\r", "")


def test_json_is_sorted_and_safe_in_html() -> None:
    assert printers.to_json({"b": "<&>", "a": 1}) == '{\n    "a": 1,\n    "b": "\\u003c\\u0026\\u003e"\n}'


def test_tables_align_and_the_last_cell_is_bare() -> None:
    assert table.align([["A", "LONG"], ["value", "x"]]) == ["A       LONG", "value   x"]
    assert table.align([["A", "B"]], padding=2, minimum=0) == ["A  B"]


def test_columns_end_where_a_line_lacks_them() -> None:
    sheet = Sheet()
    sheet.row(0, "Name:", "a")
    sheet.row(0, "Long name:", "b")
    sheet.row(0, "Section:")
    sheet.row(1, "x:", "y")
    assert sheet.text() == "Name:       a\nLong name:  b\nSection:\n  x:  y\n"


def test_custom_columns_name_what_is_missing() -> None:
    printer = printers.of("custom-columns=N:.name,X:.nope", lambda _: "")
    assert printer is not None
    assert printer([{"name": "a"}], True) == "N     X\na     <none>\n"


EVIL = "\x1b[31mred\x1b]0;title\x07\rnew"


def test_what_others_wrote_does_not_command_the_terminal() -> None:
    columns = [{"name": "Name"}, {"name": "Said"}]
    rows = table.rows({"columnDefinitions": columns, "rows": [{"cells": ["a", EVIL]}]}, table.Style())
    assert rows == [["a", "^[[31mred^[]0;title\x07..."]]
    assert table.align([["a", EVIL]]) == ["a     ^[[31mred^[]0;title\x07\\rnew"]
    sheet = Sheet()
    sheet.row(0, "Said:", EVIL)
    assert sheet.text() == "Said:  ^[[31mred^[]0;title\x07\\rnew\n"


def test_of_what_is_told_only_colours_reach_the_terminal() -> None:
    out, err = io.StringIO(), io.StringIO()
    told = session.Io(out, err, io.StringIO())
    told.say("\x1b[1;31mwrong\x1b[0m \x1b[2J\x1b]52;c;AAAA\x07")
    told.warn("\x1bc")
    assert out.getvalue() == "\x1b[1;31mwrong\x1b[0m ^[[2J^[]52;c;AAAA\x07\n"
    assert err.getvalue() == "^[c\n"
