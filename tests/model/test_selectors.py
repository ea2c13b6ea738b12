from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minikctl.model import kinds, selectors

WEB = {"app": "web", "tier": "a", "n": "5", "x": "y"}


@pytest.mark.parametrize(
    ("text", "canonical", "matches"),
    [
        ("", "", True),
        ("app=web", "app=web", True),
        ("app==web,tier!=b", "app=web,tier!=b", True),
        (" app in ( web , db ) ", "app in (db,web)", True),
        ("app notin (web,db)", "app notin (db,web)", False),
        ("gone notin (a)", "gone!=a", True),
        ("gone!=a", "gone!=a", True),
        ("x", "x", True),
        ("!x", "!x", False),
        ("!gone,x", "!gone,x", True),
        ("n>4,n<6", "n>4,n<6", True),
        ("n>5", "n>5", False),
        ("x>1", "x>1", False),
        ("gone<1", "gone<1", False),
        ("app=", "app=", False),
        ("app in ()", "app=", False),
        ("a.b/c in (x,)", "a.b/c in (,x)", False),
    ],
)
def test_label_selector(text: str, canonical: str, matches: bool) -> None:
    selector = selectors.parse(text)
    assert str(selector) == canonical
    assert selector.matches(WEB) is matches
    assert str(selectors.parse(canonical)) == canonical


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("=x", "unable to parse requirement: found '=', expected: identifier"),
        ("a=!", "unable to parse requirement: found '!', expected: identifier"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b c)", "unable to parse requirement: found 'c', expected: ',', ')' or identifier"),
        ("a in (b", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a=b,", "found '', expected: identifier after ','"),
        ("a>b", "unable to parse requirement: values[0][a]: Invalid value: \"b\": for 'Gt', 'Lt' operators"),
        ("_=b", 'unable to parse requirement: <nil>: Invalid value: "_": name part must consist'),
        ("a=-", 'unable to parse requirement: values[0][a]: Invalid value: "-": a valid label'),
    ],
)
def test_refusal(text: str, said: str) -> None:
    with pytest.raises(selectors.SelectorError) as error:
        selectors.parse(text)
    assert str(error.value).startswith(said)


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="ab=!,() <>in", max_size=12))
def test_every_text_is_parsed_or_refused(text: str) -> None:
    try:
        selector = selectors.parse(text)
    except selectors.SelectorError:
        return
    assert str(selectors.parse(str(selector))) == str(selector)


def test_selectors_in_objects() -> None:
    expressions = [{"key": "tier", "operator": "In", "values": ["a"]}, {"key": "x", "operator": "Exists"}]
    selector = selectors.of({"matchLabels": {"app": "web"}, "matchExpressions": expressions})
    assert selector.matches(WEB)
    assert not selector.matches({"app": "web"})
    assert selectors.of({}).matches(WEB)
    assert not selectors.of({"matchExpressions": [{"key": "x"}]}).matches(WEB)
    assert not selectors.of(None).matches(WEB)
    assert selectors.of_map({"app": "web"}).matches(WEB)
    assert not selectors.of_map({}).matches(WEB)


def test_field_selector() -> None:
    pod = {"metadata": {"name": "a", "namespace": "b"}, "spec": {"nodeName": "n,1", "hostNetwork": True}}
    text = r"metadata.name=a,spec.nodeName==n\,1,status.phase!=Running,,spec.hostNetwork=true"
    selector = selectors.parse_fields(kinds.POD, text)
    assert selector.matches(pod)
    assert selector.name() == "a"
    assert not selectors.parse_fields(kinds.POD, "metadata.namespace=c").matches(pod)
    assert selectors.parse_fields(kinds.POD, "metadata.name!=a").name() == ""
    with pytest.raises(selectors.SelectorError, match=r"field label not supported: spec\.x"):
        selectors.parse_fields(kinds.POD, "spec.x=1")
    with pytest.raises(selectors.SelectorError, match="invalid selector: 'x'; can't understand 'x'"):
        selectors.parse_fields(kinds.POD, "x")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"metadata.name=a\,b", "a,b"),
        (r"metadata.name=a\=b", "a=b"),
        (r"metadata.name=a\\", "a\\"),
        ("metadata.name=a!", "a!"),
        (r"metadata.name=\x", "invalid field selector: invalid escape sequence: \\x"),
        ("metadata.name=a\\", "invalid field selector: invalid escape sequence: \\"),
        ("metadata.name=a=b", "invalid field selector: unescaped character in value: 61"),
    ],
)
def test_values_of_fields_are_escaped(text: str, value: str) -> None:
    try:
        found = selectors.parse_fields(kinds.POD, f"metadata.namespace!=b,{text}").name()
    except selectors.SelectorError as error:
        found = str(error)
    assert found == value
    assert selectors.parse_fields(kinds.POD, r"metadata.name=a\\,metadata.namespace=b").requirements[1:]
