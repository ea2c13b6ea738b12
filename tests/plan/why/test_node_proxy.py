"""The walk of a Service in the mode userspace: each broken link of the way through a node's proxy is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from minikctl.plan.why import service
from minikctl.plan.why.links import Facts, View
from tests.plan.proxy import cases
from tests.plan.why.test_why import GOOD, RULES, VIEW, WEB, deny, pod, verdict

MODE = {"minikctl.dev/proxy-mode": "userspace"}
CLIENT = pod("client", "10.1.0.9", metadata={"labels": {"app": "client"}})


def node_proxy(node: str = "here", *, ready: bool = True) -> Any:
    metadata = {"namespace": "kube-system", "annotations": MODE, "labels": {"k8s-app": "kube-proxy"}}
    return pod("kube-proxy", "10.1.0.8", ready=ready, metadata=metadata, nodeName=node)


LED = replace(GOOD, rules=RULES.format("10.1.0.8:11000"))
THROUGH = replace(VIEW, facts=LED, pods=[*VIEW.pods, CLIENT, node_proxy()])
TO_WEB = {"matchLabels": {"app": "web"}}
TO_CLIENT = {"matchLabels": {"app": "client"}}
SPACES = [{"metadata": {"name": name}} for name in ("default", "kube-system")]


def words(view: View, obj: Any = WEB) -> dict[str, str]:
    return {link.name: link.words for link in service.walk(obj, view)}


@pytest.mark.parametrize("client", [None, CLIENT])
def test_a_way_through_the_proxy_holds_and_says_whom_endpoints_see(client: Any) -> None:
    view = replace(THROUGH, client=client)
    assert verdict(service.walk(WEB, view)) == ("", "")
    assert words(view)["proxy"] == "kube-proxy connects: endpoints see 10.1.0.8 as the client"
    assert words(view)["rules"].endswith("they lead to the node's kube-proxy")


BROKEN: list[tuple[str, View, str, str]] = [
    ("past", replace(THROUGH, facts=GOOD), "rules", "leads to 10.1.0.2 instead of 10.1.0.8"),
    (
        "none",
        replace(
            THROUGH, facts=replace(LED, rules="chain x {"), pods=[*VIEW.pods, CLIENT, node_proxy("there")]
        ),
        "proxy",
        "no pod kube-proxy is on node here",
    ),
    (
        "unready",
        replace(THROUGH, pods=[*VIEW.pods, CLIENT, node_proxy(ready=False)]),
        "proxy",
        "kube-proxy of node here is not ready",
    ),
    (
        "shut endpoint",
        replace(THROUGH, client=CLIENT, policies=[deny(podSelector=TO_WEB)]),
        "policy",
        "(it judges pod kube-proxy, which connects)",
    ),
    (
        "shut client",
        replace(THROUGH, client=CLIENT, policies=[deny(podSelector=TO_CLIENT, policyTypes=["Egress"])]),
        "policy",
        "policy deny isolates default/client for egress",
    ),
]


@pytest.mark.parametrize(
    ("view", "name", "said"), [one[1:] for one in BROKEN], ids=[one[0] for one in BROKEN]
)
def test_the_broken_link_is_named(view: View, name: str, said: str) -> None:
    found = verdict(service.walk(WEB, replace(view, namespaces=SPACES)))
    assert found[0] == name
    assert said in found[1]


def test_without_endpoints_the_rules_lead_nowhere() -> None:
    view = replace(THROUGH, slices=[], facts=replace(LED, rules="chain x {"))
    assert words(view)["rules"].endswith("lead to the node's kube-proxy")


def test_what_was_not_looked_at_is_not_called_broken() -> None:
    found = words(replace(THROUGH, facts=Facts()))
    assert "proxy" not in found
    unknown = replace(THROUGH, facts=replace(LED, rules=None), client=CLIENT)
    assert verdict(service.walk(WEB, unknown)) == ("", "")


def test_headless_and_udp_services_need_no_proxy() -> None:
    ports = [{"port": 53, "protocol": "UDP"}]
    for obj in (cases.service("web", "None"), cases.service("web", ports=ports)):
        assert "proxy" not in words(replace(THROUGH, services=[obj]), obj)
