"""Go templates: what kubectl prints for them, and its words for what is wrong."""

from __future__ import annotations

import pytest

from minikctl import errors
from minikctl.cli.output import gotemplate

DATA = {
    "kind": "Thing",
    "value": 1234567,
    "metadata": {"name": "p", "labels": {"b": "2", "a": "1"}},
    "items": [{"n": 1}, {"n": 2}, {}],
}

CASES = {
    "{{.value}} {{.metadata}}": "1234567 map[labels:map[a:1 b:2] name:p]",
    "{{.nope.x}}": "<no value>",
    '{{.kind | printf "%s-%q" .kind}}': 'Thing-"Thing"',
    "{{range $k, $v := .metadata.labels}}{{$k}}={{$v}},{{end}}": "a=1,b=2,",
    "{{range .items}}{{.n}};{{else}}none{{end}}": "1;2;<no value>;",
    "{{range .nope}}x{{else}}none{{end}}": "none",
    "{{range 3}}{{.}}{{end}}": "012",
    "{{range .items}}{{if eq .n 2}}{{break}}{{end}}{{.n}}{{end}}": "1",
    '{{if eq .kind "X" "Thing"}}a{{else if false}}b{{else}}c{{end}}': "a",
    "{{if .nope}}a{{else with .kind}}{{.}}{{end}}": "Thing",
    '{{with .metadata}}{{.name}}{{end}}{{/* note */}} {{- " x" -}}  y': "p xy",
    '{{exists . "metadata" "name"}}{{exists . "a" "b"}}': "truefalse",
    '{{"YQ==" | base64decode}}': "a",
    '{{define "a"}}<{{.}}>{{end}}{{template "a" .kind}}': "<Thing>",
    '{{println .kind 1 2 "a"}}{{print 1 2 "a" "b" 3}}': "Thing 1 2 a\n1 2a b3".replace("a b", "ab"),
    '{{slice .kind 1 3}}{{html "<a>"}}{{urlquery "a b"}}': "hi&lt;a&gt;a+b",
    '{{$x := 1}}{{$x = 2}}{{$x}}{{not true}}{{and 1 0}}{{or 0 "x"}}': "2false0x",
    '{{printf "%v %5s|%-5s|%05d %x %t %T" .kind "a" "b" 5 "hi" true .}}': (
        "Thing     a|b    |00005 6869 true map[string]interface {}"
    ),
    "{{1e6}} {{1234567.0}} {{0.000001}} {{1e21}} {{1.5}} {{0x1F}} {{'a'}}": "1e+06 1.234567e+06 1e-06 1e+21 1.5 31 97",
    '{{lt 1 2}}{{ge "b" "a"}}{{ne 1 2}}{{len .items}}': "truetruetrue3",
    '{{(index .metadata.labels "a")}}{{(index .items 1).n}}{{$.kind}}': "12Thing",
}


@pytest.mark.parametrize("template", CASES)
def test_templates_print_what_go_prints(template: str) -> None:
    assert gotemplate.render(template, DATA) == CASES[template]


FAILURES = {
    "{{.value.x}}": "can't evaluate field x in type interface {}",
    "{{range .kind}}{{end}}": "range can't iterate over Thing",
    "{{.value | len}}": 'executing "output" at <len>: error calling len: len of type int64',
    "{{eq .value 1.0}}": "incompatible types for comparison: int64 and float64",
    '{{index .metadata.nope "a"}}': "error calling index: index of untyped nil",
    "{{index .items 9}}": "error calling index: index out of range: 9",
    "{{len .kind .}}": "wrong number of args for len: want 1 got 2",
    '{{.kind "a"}}': "kind is not a method but has arguments",
    "{{nil}}": "nil is not a command",
    '{{template "z"}}': 'template "z" not defined',
}


@pytest.mark.parametrize("template", FAILURES)
def test_what_cannot_be_done_is_told_in_gos_words(template: str) -> None:
    with pytest.raises(errors.UsageError, match="error: error executing template") as caught:
        gotemplate.render(template, DATA)
    assert FAILURES[template] in str(caught.value)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{nope}}", 'function "nope" not defined'),
        ("{{if}}", "missing value for if"),
        ("{{if .a}}", "unexpected EOF"),
        ("{{end}}", "unexpected {{end}}"),
        ("a\n{{.a", "template: output:2: unclosed action"),
        ('{{"a', "unterminated quoted string"),
        ("{{break}}", "{{break}} outside {{range}}"),
        ("{{(.a}}", "unclosed left paren"),
    ],
)
def test_a_text_that_is_no_template_is_refused(template: str, text: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        gotemplate.check(template)
    assert text in str(caught.value)


def test_a_missing_key_is_a_failure_when_asked() -> None:
    with pytest.raises(errors.UsageError, match='map has no entry for key "nope"'):
        gotemplate.render("{{.nope}}", DATA, strict=True)
