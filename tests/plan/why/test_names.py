"""Names and listeners in the walks: what keeps a pod from finding names, and who listens by which protocol."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from minikctl.plan.why import names, pods, service
from minikctl.plan.why.links import Facts, Listener
from tests.plan.proxy import cases
from tests.plan.why.test_why import DNS, GOOD, VIEW, deny, pod, system, verdict

UDP = cases.service("web", ports=[{"port": 53, "protocol": "UDP"}], selector={"app": "web"})
PIECE = cases.endpoint_slice("web", "10.1.0.2", ports=[{"port": 53, "protocol": "UDP"}])
SILENT = replace(
    GOOD, client="default/web-1", names={}, silent=frozenset({"kubernetes.default.svc.cluster.local"})
)


def test_a_pod_that_gets_no_answer_learns_which_policy_denies_it() -> None:
    view = replace(VIEW, facts=SILENT, policies=[deny(policyTypes=["Egress"])])
    said = "cluster DNS does not answer default/web-1: policy deny isolates default/web-1 for egress, and no rule allows it"
    assert verdict(pods.walk(pod(), view)) == ("name", said)
    assert verdict(pods.walk(pod(), replace(view, policies=[]))) == (
        "name",
        "cluster DNS does not answer default/web-1",
    )


@pytest.mark.parametrize("servers", [[], [system("kube-dns", ready=False)]])
def test_without_a_ready_name_server_no_policy_is_blamed(servers: list[Any]) -> None:
    view = replace(VIEW, pods=[pod(), *servers], facts=SILENT, policies=[deny(policyTypes=["Egress"])])
    assert verdict(pods.walk(pod(), view)) == ("name", names.NOBODY)


def test_a_policy_in_the_way_of_one_name_server_of_two_is_not_the_cause() -> None:
    other = pod("kube-dns-2", "10.1.0.98", metadata=DNS["metadata"] | {"uid": "other"})
    block = [{"to": [{"ipBlock": {"cidr": "10.1.0.98/32"}}]}]
    view = replace(VIEW, pods=[pod(), DNS, other], facts=SILENT, policies=[deny(egress=block)])
    assert names.silence(view) == "cluster DNS does not answer default/web-1"


@pytest.mark.parametrize("target", ["192.0.2.1", "192.0.2.1."])
def test_an_address_is_no_other_name(target: str) -> None:
    wrong = cases.service("web", "", type="ExternalName", externalName=target)
    name, said = verdict(service.walk(wrong, VIEW))
    assert (name, f"externalName {target} is an address" in said) == ("name", True)
    assert "EndpointSlice" in said


@pytest.mark.parametrize(
    ("listeners", "words"),
    [
        ([Listener("0.0.0.0", 53, "udp"), Listener("0.0.0.0", 8080)], ""),
        (
            [Listener("0.0.0.0", 53), Listener("0.0.0.0", 5353, "udp")],
            "nothing in pod web-1 listens on 10.1.0.2:53/UDP: its processes listen on 5353, 53/TCP",
        ),
        ([Listener("127.0.0.1", 53, "udp")], "10.1.0.2:53/UDP: only at 127.0.0.1"),
        ([], "its processes listen on no port"),
    ],
)
def test_who_listens_by_udp_is_looked_at(listeners: list[Listener], words: str) -> None:
    facts = replace(GOOD, rules=None, connections={}, listeners={("default", "web-1"): frozenset(listeners)})
    name, said = verdict(service.walk(UDP, replace(VIEW, slices=[PIECE], facts=facts)))
    assert (name, words in said) == (("listeners", True) if words else ("", True))


@pytest.mark.parametrize(
    ("said", "broken", "words"),
    [
        ("answered", "", ""),
        ("refused", "connection", "10.96.0.20:53/SCTP: refused"),
        ("no answer", "connection", "no answer"),
    ],
)
def test_an_association_is_begun(said: str, broken: str, words: str) -> None:
    ports = [{"name": "s", "port": 53, "protocol": "SCTP"}, {"name": "u", "port": 53, "protocol": "UDP"}]
    both = cases.service("web", ports=ports, selector={"app": "web"})
    piece = cases.endpoint_slice("web", "10.1.0.2", ports=ports)
    facts = replace(GOOD, rules=None, listeners={}, connections={("10.96.0.20", 53): "refused"})
    facts = replace(facts, associations={("10.96.0.20", 53): said})
    found = service.walk(both, replace(VIEW, slices=[piece], facts=facts))
    assert len([link for link in found if link.name == "connection"]) == 1
    name, told = verdict(found)
    assert (name, words in told) == (broken, True)


def test_listeners_of_sctp_are_not_looked_at() -> None:
    sctp = cases.service("web", ports=[{"port": 53, "protocol": "SCTP"}], selector={"app": "web"})
    piece = cases.endpoint_slice("web", "10.1.0.2", ports=[{"port": 53, "protocol": "SCTP"}])
    facts = Facts(names=GOOD.names, listeners={("default", "web-1"): frozenset()})
    assert verdict(service.walk(sctp, replace(VIEW, slices=[piece], facts=facts))) == ("", "")


@pytest.mark.parametrize(
    ("restart", "words"),
    [("", "waits for its init container i: it is still running"), ("Always", "c: PodInitializing")],
)
def test_an_init_container_that_runs_is_waited_for_unless_it_is_to_stay(restart: str, words: str) -> None:
    init = {"name": "i", **({"restartPolicy": restart} if restart else {})}
    waiting = pod(
        ready=False,
        state={"waiting": {"reason": "PodInitializing"}},
        status={"initContainerStatuses": [{"name": "i", "started": True, "state": {"running": {}}}]},
        initContainers=[init],
    )
    name, said = verdict(pods.walk(waiting, replace(VIEW, facts=SILENT)))
    assert (name, words in said) == ("readiness", True)
