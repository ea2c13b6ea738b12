"""What a Corefile means here."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.plan import corefile, dns_forwarding
from minikctl.plan.dns_forwarding import Forwarding

HOST = ("192.0.2.53",)
OWN = ("cluster.local", "96.10.in-addr.arpa")
DEFAULT = """
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
"""


def read(text: str, **custom: str) -> Forwarding:
    files = {name.replace("_", "."): body for name, body in custom.items()}
    return dns_forwarding.read({"Corefile": text}, files, HOST, OWN)


def test_without_a_corefile_and_with_the_usual_one_the_host_is_asked() -> None:
    assert dns_forwarding.read({}, {}, HOST, OWN) == Forwarding(HOST)
    assert read(DEFAULT) == Forwarding(HOST, ignored=("kubernetes pods insecure", "prometheus"), ttl=30)


def test_upstreams_and_stub_domains() -> None:
    text = """
    # the company's names
    .:53 {
        forward . 192.0.2.1 dns://192.0.2.2:5353   # two of them
        forward lab.example 192.0.2.3
        log
    }
    corp.example:53 dns://other.example. {
        forward . 10.96.0.50
    }
    10.7.0.0/16 {
        forward . 192.0.2.9
    }
    """
    assert read(text) == Forwarding(
        ("192.0.2.1", "192.0.2.2 port 5353"),
        (
            ("7.10.in-addr.arpa", ("192.0.2.9",)),
            ("corp.example", ("10.96.0.50",)),
            ("lab.example", ("192.0.2.3",)),
            ("other.example", ("10.96.0.50",)),
        ),
        log=True,
    )


def test_further_files_are_read_as_in_k3s() -> None:
    found = read(
        DEFAULT,
        corp_server="corp.example {\n forward . 192.0.2.1\n}",
        more_override="log\ntemplate IN A a {\n}",
        notes_txt="}",
    )
    ignored = ("kubernetes pods insecure", "prometheus", "template")
    stubs = (("corp.example", ("192.0.2.1",)),)
    assert found == Forwarding(HOST, stubs, log=True, ignored=ignored, ttl=30)


def test_what_is_not_done_is_listed() -> None:
    text = """. {
        hosts /etc/hosts {
            192.0.2.300 printer.example
            192.0.2.7 under_score.example not/one
        }
        rewrite name suffix .a .b
        rewrite continue name c d
        rewrite name regex (.*) d
        rewrite name a b {
            answer auto
        }
        rewrite type ANY HINFO
        forward . tls://192.0.2.1 {
            except internal.example
        }
        forward lab.example tls://192.0.2.1
    }
    cluster.local {
        forward . 192.0.2.1
    }
    10.96.0.0/16 {
        forward . 192.0.2.1
    }"""
    found = read(text)
    assert found.stubs == ()
    assert found.ignored == (
        "hosts without fallthrough",
        "hosts /etc/hosts",
        "hosts 192.0.2.300",
        "hosts not/one",
        "rewrite name suffix .a .b",
        "rewrite continue name c d",
        "rewrite name regex (.*) d",
        "rewrite name a b",
        "rewrite type ANY HINFO",
        "forward to tls://192.0.2.1",
        "forward except",
        "forward of cluster.local",
        "forward of 96.10.in-addr.arpa",
    )


def test_hosts_and_rewritten_names_are_answered_first() -> None:
    text = """
    . {
        hosts /etc/coredns/NodeHosts {
            192.0.2.7 printer.example Printer.lan.
            2001:db8::7 printer.example
            ttl 60
            no_reverse
            fallthrough
        }
        rewrite name exact old.example web.shop.svc.cluster.local
        rewrite name printer.lan printer.example.
    }
    corp.example {
        hosts {
            192.0.2.8 www.corp.example www.other.example
            fallthrough
        }
        rewrite name a.other.example b.example
    }
    """
    files = {"Corefile": text, "NodeHosts": "192.0.2.9 node-1  # the first\n\n# 192.0.2.10 node-2\n"}
    found = dns_forwarding.read(files, {}, HOST, OWN)
    assert found.overrides == (
        ("8.2.0.192.in-addr.arpa", "PTR", "www.corp.example."),
        ("node-1", "A", "192.0.2.9"),
        ("printer.example", "A", "192.0.2.7"),
        ("printer.example", "AAAA", "2001:db8::7"),
        ("www.corp.example", "A", "192.0.2.8"),
        ("old.example", "CNAME", "web.shop.svc.cluster.local."),
        ("printer.lan", "CNAME", "printer.example."),
    )
    assert found.ignored == ("rewrite name a.other.example b.example",), "the zone has no such name"


def test_snippets_are_taken_in_and_files_beside_blocks_are_no_zones() -> None:
    text = """
    import /etc/coredns/custom/*.server
    (upstream) {
        forward . 192.0.2.1
        import noting
    }
    (noting) {
        log
        import noting
    }
    . {
        import upstream
        import /etc/coredns/custom/*.override
    }
    corp.example {
        import upstream
    }
    """
    assert read(text) == Forwarding(("192.0.2.1",), (("corp.example", ("192.0.2.1",)),), log=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("}", "line 1: a brace closes"),
        (". {\n forward . 192.0.2.1\n", "ends within a block"),
        (". {\n forward\n}", "forward needs FROM and TO"),
        ('. {\n log "\n}', "line 2"),
        ("{\n}", "line 1"),
        ("10.0.0.0/99 {\n}", "is no zone"),
        ("a..b {\n}", "a..b is no zone"),
        ('"a b" {\n}', "a b is no zone"),
        ("x;y {\n}", "x;y is no zone"),
        (f"{'a' * 64}.example {{\n}}", "is no zone"),
        (". {\n forward . 192.0.2.1:x\n}", "forward to 192.0.2.1:x: x is no port"),
        (". {\n forward . 192.0.2.1:65536\n}", "65536 is no port"),
    ],
)
def test_what_is_no_corefile(text: Any, said: str) -> None:
    with pytest.raises(corefile.Malformed, match=said):
        read(text)


@pytest.mark.parametrize(
    ("option", "ignored"),
    [
        ("pods verified", ()),
        ("pods insecure", ("kubernetes pods insecure",)),
        ("endpoint_pod_names", ("kubernetes endpoint_pod_names",)),
        ("namespaces a b", ("kubernetes namespaces a b",)),
        ("fallthrough in-addr.arpa", ()),
    ],
)
def test_options_of_kubernetes_that_are_not_done_are_listed(option: str, ignored: tuple[str, ...]) -> None:
    found = read(f". {{\n kubernetes cluster.local {{\n {option}\n }}\n}}")
    assert found == Forwarding(ignored=ignored)


@pytest.mark.parametrize("words", ["ttl", "ttl 3601", "ttl -1", "ttl x", "ttl 1 2"])
def test_a_ttl_is_a_number_of_seconds_up_to_an_hour(words: str) -> None:
    with pytest.raises(corefile.Malformed, match=r"in range \[0, 3600\]"):
        read(f". {{\n kubernetes cluster.local {{\n {words}\n }}\n}}")
    assert read(". {\n kubernetes cluster.local {\n ttl 0\n }\n}").ttl == 0
