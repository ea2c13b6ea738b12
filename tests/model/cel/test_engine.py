"""Expressions as Kubernetes' documentation has them, and what is said of those that are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model.cel import engine

VARIABLES = (("self", "dyn"),)
SELF = {
    "minReplicas": 1,
    "replicas": 3,
    "name": "name",
    "list": [{"name": "a", "port": 1}, {"name": "b", "port": 2}],
    "map": {"a": "v"},
    "half": 2.5,
    "nothing": None,
}

TRUE = """
self.minReplicas <= self.replicas
self.replicas in [1, 2, 3]
!has(self.foo) || self.foo.size() > 2
has(self.name)
self.list.exists(x, x.name == 'b') && self.list.exists_one(x, x.port == 2)
self.list.map(x, x.name) == ['a', 'b'] && self.list.filter(x, x.port > 1).size() == 1
self.map.all(k, self.map[k] == 'v')
self.name.matches('^[a-z]+$') && self.name.startsWith('na') && self.name.endsWith('me')
'a,b'.split(',').join('-') == 'a-b'
'ABC'.lowerAscii() == 'abc' && ' x '.trim() == 'x' && 'abc'.replace('b', '') == 'ac'
'abc'.substring(1) == 'bc' && 'abc'.indexOf('c') == 2
self.half > 2 && dyn(1) == dyn(1.0)
duration('1h30m') > duration('60m')
timestamp('2024-01-01T00:00:00Z').getFullYear() == 2024
self.nope.x || true
self.?foo.orValue('d') == 'd' && self.?name.hasValue()
cel.bind(x, 5, x * 2) == 10
math.greatest(1, 2) == 2
'%s is %d'.format(['a', 1]) == 'a is 1'
sets.contains([1, 2], [1]) && sets.equivalent([1, 2], [2, 1]) && sets.intersects([1], [1, 2])
[1, 2, 3].sum() == 6 && [3, 1].min() == 1 && [3, 1].max() == 3 && [1, 2].isSorted()
'abc 123 9'.find('[0-9]+') == '123' && 'abc 123 9'.findAll('[0-9]+') == ['123', '9']
'1 2 3'.findAll('[0-9]', 2) == ['1', '2']
isURL('https://a.b:80/c?x=1') && !isURL('no way')
url('https://user@a.b:80/c?x=1').getHost() == 'a.b:80' && url('https://a.b:80/').getPort() == '80'
url('https://a.b/c%20d?x=1&x=2').getQuery()['x'] == ['1', '2']
quantity('1Gi').isGreaterThan(quantity('1M')) && quantity('1000m') == quantity('1')
quantity('500m').add(quantity('500m')).asInteger() == 1 && quantity('1').compareTo(quantity('2')) == -1
isQuantity('20Mi') && !isQuantity('20x') && quantity('1').sub(2).sign() == -1
semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))
isSemver('v1.2', true) && !isSemver('v1.2') && semver('2.3.4').minor() == 3
isIP('1.2.3.4') && isIP('::1') && !isIP('1.2.3') && ip('127.0.0.1').isLoopback()
ip('::1').family() == 6 && ip('8.8.8.8').isGlobalUnicast()
cidr('10.0.0.0/8').containsIP('10.1.1.1') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')
cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.0.0.0/8').prefixLength() == 8
type(self.replicas) == int && self.nothing == null
""".strip().splitlines()


@pytest.mark.parametrize("source", TRUE)
def test_true(source: str) -> None:
    program = engine.compile(source, VARIABLES)
    assert program.run(program.bind({"self": SELF})) is True


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("self.nope == 1", "no such key: nope"),
        ("self.replicas / (self.replicas - 3) == 1", "division by zero"),
        ("self.list[7].port == 1", "index out of bounds: 7"),
        ("self.replicas + 'x' == 'x'", "no such overload"),
        ("quantity('x') == quantity('1')", "quantities must match the regular expression"),
        ("ip('x') == ip('::1')", 'IP Address "x" parse error during conversion from string'),
        ("[].min() == 1", "min called on empty list"),
    ],
)
def test_failures_of_evaluation(source: str, said: str) -> None:
    program = engine.compile(source, VARIABLES)
    with pytest.raises(engine.EvaluationError, match="^" + said.replace("(", r"\(")):
        program.run(program.bind({"self": SELF}))


def test_what_takes_too_long_is_ended() -> None:
    program = engine.compile("self.all(x, self.all(y, self.all(z, x + y + z >= 0)))", VARIABLES)
    with pytest.raises(engine.EvaluationError, match="cost limit exceeded"):
        program.run(program.bind({"self": list(range(2000))}))


@pytest.mark.parametrize(
    ("source", "variables", "said"),
    [
        ("self.x ==", VARIABLES, "Syntax error"),
        ("other == 1", VARIABLES, "undeclared reference to 'other'"),
        (
            "self + 'x' == 'x'",
            (("self", "int"),),
            "found no matching overload for '_+_' applied to '(int, string)'",
        ),
        ("self.nonsense()", VARIABLES, "undeclared reference to 'nonsense'"),
    ],
)
def test_what_cannot_be_compiled(source: str, variables: Any, said: str) -> None:
    with pytest.raises(engine.CompileError) as caught:
        engine.compile(source, variables)
    assert said in str(caught.value)
    assert str(caught.value).startswith("ERROR: <input>:1:")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("plain", "plain"),
        ("with-dash", "with__dash__dash"),
        ("a.b/c", "a__dot__b__slash__c"),
        ("x__y", "x__underscores__y"),
        ("namespace", "__namespace__"),
        ("1a", None),
        ("a b", None),
    ],
)
def test_names_are_escaped(name: str, written: str | None) -> None:
    assert engine.escaped(name) == written
