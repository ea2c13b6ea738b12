"""The functions that Kubernetes adds to CEL, by the examples of its documentation, and how they fail."""

from __future__ import annotations

import pytest

from minikctl.model.cel import engine

TRUE = """
!isIP('::ffff:1.2.3.4') && !isIP('fe80::1%eth0') && !isIP('01.2.3.4')
ip.isCanonical('2001:db8::abcd') && !ip.isCanonical('2001:DB8::ABCD')
ip('::').isUnspecified() && !ip('::1').isUnspecified()
ip('224.0.0.1').isLinkLocalMulticast() && !ip('224.0.1.1').isLinkLocalMulticast() && ip('ff02::1').isLinkLocalMulticast()
ip('169.254.169.254').isLinkLocalUnicast() && ip('fe80::1').isLinkLocalUnicast() && !ip('fd80::1').isLinkLocalUnicast()
!ip('255.255.255.255').isGlobalUnicast() && !ip('ff00::1').isGlobalUnicast() && ip('2001:db8::abcd').isGlobalUnicast()
isCIDR('::1/128') && !isCIDR('10.0.0.0/33') && !isCIDR('10.0.0.0') && !isCIDR('10.0.0.0/255.0.0.0') && !isCIDR('10.0.0.0/08')
!isCIDR('fe80::1%eth0/64') && !isCIDR('::ffff:1.2.3.4/100') && !isCIDR('10.0.0/8')
!cidr('192.168.0.0/24').containsIP(ip('192.168.1.1')) && !cidr('192.168.0.0/24').containsIP('::1')
cidr('192.168.0.0/24').containsCIDR(cidr('192.168.0.0/25')) && !cidr('192.168.0.0/24').containsCIDR('192.168.0.0/23')
!cidr('0.0.0.0/0').containsCIDR('::1/128') && cidr('192.168.0.1/24').ip() == ip('192.168.0.1')
isURL('/absolute-path') && isURL('mailto:a@b') && isURL('//a.b/c') && !isURL('') && !isURL('../relative-path')
url('/path').getScheme() == '' && url('/path').getHost() == '' && url('/path').getHostname() == '' && url('/path').getPort() == ''
url('HTTPS://[::1]:80/').getHost() == '[::1]:80' && url('https://[::1]:80/').getHostname() == '::1' && url('https://[::1]/').getPort() == ''
url('HTTPS://Example.COM:080/').getScheme() == 'https' && url('https://Example.COM:080/').getHostname() == 'Example.COM'
url('https://a.b:080/').getPort() == '080' && url('https://a.b:/').getPort() == '' && url('https://a.b').getEscapedPath() == ''
url('//a.b/c').getHost() == 'a.b' && url('///c').getHost() == '' && url('mailto:a@b').getEscapedPath() == ''
url('/path with spaces/(é)?x#y').getEscapedPath() == '/path%20with%20spaces/%28%C3%A9%29' && url("/it's%20(fine)#y").getEscapedPath() == "/it's%20(fine)"
url('/p?key with spaces=a+b&k&k=%41&;&x=%4&').getQuery() == {'key with spaces': ['a b'], 'k': ['', 'A']}
quantity('1.5').asApproximateFloat() == 1.5 && !quantity('1.5').isInteger() && quantity('50000000G').isInteger()
!quantity('9999999999999999999999999999999999999G').isInteger() && quantity('0').sign() == 0
semver('v01.2', true) == semver('1.2.0') && semver('1.0.0+a') == semver('1.0.0+b') && semver('1.0.0-rc.2').patch() == 0
!isSemver('1.0.0-01') && isSemver('1.0.0-0a.1') && !isSemver('1.0.0+a..b') && !isSemver('1.2-rc', true)
""".strip().splitlines()
PREFIX = "network address parse error during conversion from string: "
URL = "URL parse error during conversion from string: parse "


def outcome(source: str) -> object:
    program = engine.compile(source, ())
    return program.run(program.bind({}))


@pytest.mark.parametrize("source", TRUE)
def test_true(source: str) -> None:
    assert outcome(source) is True


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("10.0.0.0/", 'netip.ParsePrefix("10.0.0.0/"): bad bits after slash: ""'),
        ("10.0.0.0", "netip.ParsePrefix(\"10.0.0.0\"): no '/'"),
        ("x/8", 'netip.ParsePrefix("x/8"): ParseAddr("x"): unable to parse IP'),
        ("fe80::1%e/64", 'netip.ParsePrefix("fe80::1%e/64"): IPv6 zones cannot be present in a prefix'),
        ("10.0.0.0/33", 'netip.ParsePrefix("10.0.0.0/33"): prefix length out of range'),
    ],
)
def test_what_is_no_network(text: str, fault: str) -> None:
    with pytest.raises(engine.EvaluationError) as error:
        outcome(f"cidr('{text}').prefixLength()")
    assert str(error.value) == PREFIX + PREFIX + fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty url"),
        ("relative", "invalid URI for request"),
        (":x", "missing protocol scheme"),
        ("https://a:b:c/", 'invalid port ":c" after host'),
        ("https://[::1]x/", 'invalid port "x" after host'),
        ("https://[::1/", "missing ']' in host"),
        ("https://a b/", 'invalid character " " in host name'),
        ("https://a%20b/", 'invalid URL escape "%20"'),
        ("https://a#b@c/", "net/url: invalid userinfo"),
        ("/%zz", 'invalid URL escape "%zz"'),
        ("/\\n", "net/url: invalid control character in URL"),
    ],
)
def test_what_is_no_url(text: str, fault: str) -> None:
    with pytest.raises(engine.EvaluationError) as error:
        outcome(f"url('{text}').getHost()")
    assert str(error.value) == f'{URL}"{text}": {fault}'


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("ip('::ffff:1.2.3.4').family()", 'IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'),
        ("ip('fe80::1%eth0').family()", 'IP address "fe80::1%eth0" with zone value is not allowed'),
        ("cidr('::ffff:1.2.3.4/99').ip()", PREFIX + 'IPv4-mapped IPv6 address "::ffff:1.2.3.4/99" is not allowed'),
        ("ip('::1').getScheme()", "no such overload"),
        ("quantity('1').family()", "no such overload"),
        ("quantity('1').masked()", "no such overload"),
        ("ip('::1').sign()", "no such overload"),
        ("ip('::1').major()", "no such overload"),
        ("quantity('0.5').asInteger()", "cannot convert value to integer"),
        ("semver('x').major()", "invalid semver: 'x'"),
        ("[].max()", "max called on empty list"),
    ],
)  # fmt: skip
def test_what_fails(source: str, said: str) -> None:
    with pytest.raises(engine.EvaluationError) as error:
        outcome(source)
    assert str(error.value) == said
