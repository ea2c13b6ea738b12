"""The walks: each broken link is named, and by the right words."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from minikctl.plan import proxy_view
from minikctl.plan.why import accounts, ingress, links, pods, service
from minikctl.plan.why.ingress import Outside, Visit
from minikctl.plan.why.links import Facts, Listener, State, View
from tests.plan.ingress import cases as routes
from tests.plan.proxy import cases

RULES = """table inet minikctl {{
	map services {{
		elements = {{ 10.96.0.20 . 6 . 80 : goto svc-default/web/tcp/80 }}
	}}

	chain svc-default/web/tcp/80 {{
		meta l4proto 6 dnat ip to {0}
	}}
}}
"""
NAME = "web.default.svc.cluster.local"
GOOD = Facts(
    client="default/client",
    names={NAME: ("10.96.0.20",), "kubernetes.default.svc.cluster.local": ("10.96.0.1",)},
    rules=RULES.format("10.1.0.2:8080"),
    listeners={("default", "web-1"): frozenset({Listener("0.0.0.0", 8080)})},
    connections={("10.96.0.20", 80): "connected"},
)


def pod(name: str = "web-1", ip: str = "10.1.0.2", *, ready: bool = True, **more: Any) -> Any:
    state = more.pop("state", {"running": {}})
    status = {
        "phase": "Running",
        "podIP": ip,
        "conditions": [{"type": "Ready", "status": str(ready)}, *more.pop("conditions", ())],
        "containerStatuses": [{"name": "c", "ready": ready, "state": state, **more.pop("container", {})}],
        **more.pop("status", {}),
    }
    port = {"containerPort": 8080, "name": "http"}
    metadata = {"namespace": "default", "name": name, "uid": f"uid-{name}", "labels": {"app": "web"}}
    return {
        "metadata": {**metadata, **more.pop("metadata", {})},
        "spec": {"nodeName": "here", "containers": [{"name": "c", "ports": [port]}], **more},
        "status": status,
    }


def system(app: str, label: str = "k8s-app", *, ready: bool = True) -> Any:
    metadata = {"namespace": "kube-system", "labels": {label: app}}
    return pod(app, "10.1.0.99", ready=ready, metadata=metadata)


DNS = system("kube-dns")
PROXY = system("ingress", "app.kubernetes.io/name")
WEB = cases.service("web", selector={"app": "web"})
SLICE = cases.endpoint_slice("web", "10.1.0.2")
VIEW = View(
    GOOD, services=[WEB], slices=[SLICE], pods=[pod(), DNS], namespaces=[{"metadata": {"name": "default"}}]
)


def deny(name: str = "deny", **spec: Any) -> Any:
    return {"metadata": {"namespace": "default", "name": name}, "spec": {"podSelector": {}, **spec}}


def verdict(walked: list[links.Link]) -> tuple[str, str]:
    worst = links.first_broken(walked)
    return (worst.name, worst.words) if worst else ("", "")


def test_a_service_that_works_has_no_broken_link() -> None:
    walked = service.walk(WEB, VIEW)
    assert {link.state for link in walked} == {State.HOLDS}
    assert [link.name for link in walked] == [
        "name", "address", "rules", "endpoints", "readiness", "policy", "connection"
    ]  # fmt: skip


UNREADY = cases.endpoint_slice("web", cases.endpoint("10.1.0.2", ready=False, serving=False))
BROKEN: list[tuple[str, View, Any, str, str]] = [
    ("no name server", replace(VIEW, pods=[pod()]), WEB, "name", "no pod of cluster DNS is ready"),
    ("name unknown", replace(VIEW, facts=replace(GOOD, names={NAME: ()})), WEB, "name", "does not know web"),
    (
        "name stale",
        replace(VIEW, facts=replace(GOOD, names={NAME: ("10.96.9.9",)})),
        WEB,
        "name",
        "is 10.96.9.9, but its address is 10.96.0.20",
    ),
    ("rules gone", replace(VIEW, facts=replace(GOOD, rules="")), WEB, "rules", "default/client has no rules"),
    (
        "name without rules",
        replace(VIEW, facts=replace(GOOD, rules="", silent=frozenset({NAME}))),
        WEB,
        "rules",
        "default/client has no rules",
    ),
    (
        "silent name server",
        replace(VIEW, facts=replace(GOOD, silent=frozenset({NAME}))),
        WEB,
        "name",
        "cluster DNS does not answer default/client",
    ),
    (
        "name server behind a policy",
        replace(
            VIEW,
            facts=replace(GOOD, silent=frozenset({NAME})),
            pods=[pod(), DNS, pod("client", "10.1.0.8")],
            policies=[deny(policyTypes=["Egress"])],
        ),
        WEB,
        "name",
        "does not answer default/client: policy deny isolates default/client for egress",
    ),
    (
        "rules stale",
        replace(VIEW, facts=replace(GOOD, rules=RULES.format("10.1.0.7:8080"))),
        WEB,
        "rules",
        "leads to 10.1.0.7:8080 instead of 10.1.0.2:8080",
    ),
    (
        "selector",
        replace(VIEW, slices=[], facts=replace(GOOD, rules="chain x")),
        cases.service("web", selector={"app": "wbe"}),
        "endpoints",
        "app=wbe of Service web matches no pod: pods have app=web",
    ),
    (
        "unknown label",
        replace(VIEW, slices=[], facts=replace(GOOD, rules="chain x")),
        cases.service("web", selector={"tier": "a"}),
        "endpoints",
        "no pod has a label tier",
    ),
    (
        "labels apart",
        replace(
            VIEW,
            slices=[],
            pods=[pod(), pod("o", metadata={"labels": {"tier": "a"}}), DNS],
            facts=replace(GOOD, rules="chain x"),
        ),
        cases.service("web", selector={"app": "web", "tier": "a"}),
        "endpoints",
        "on no pod all of them",
    ),
    (
        "no pods",
        replace(VIEW, slices=[], pods=[DNS], facts=replace(GOOD, rules="chain x")),
        WEB,
        "endpoints",
        "namespace default has none",
    ),
    (
        "no slices",
        replace(VIEW, slices=[], facts=replace(GOOD, rules="chain x")),
        cases.service("web"),
        "endpoints",
        "no EndpointSlice labelled kubernetes.io/service-name=web",
    ),
    (
        "unready",
        replace(
            VIEW,
            slices=[UNREADY],
            pods=[pod(ready=False), pod("web-2", "10.1.0.3", ready=False), DNS],
            facts=replace(GOOD, rules="chain x"),
            events=[
                {
                    "involvedObject": {"uid": "uid-web-1"},
                    "reason": "Unhealthy",
                    "message": "Readiness probe failed: 500",
                }
            ],
        ),
        WEB,
        "readiness",
        "none gets traffic: web-1 has a container that is not ready, c: Readiness probe failed: 500 (of 2",
    ),
    (
        "listens elsewhere",
        replace(
            VIEW, facts=replace(GOOD, listeners={("default", "web-1"): frozenset({Listener("0.0.0.0", 80)})})
        ),
        WEB,
        "listeners",
        "nothing in pod web-1 listens on 10.1.0.2:8080: its processes listen on 80",
    ),
    (
        "listens to itself only",
        replace(
            VIEW,
            facts=replace(GOOD, listeners={("default", "web-1"): frozenset({Listener("127.0.0.1", 8080)})}),
        ),
        WEB,
        "listeners",
        "only at 127.0.0.1",
    ),
    (
        "policy",
        replace(VIEW, policies=[deny()], client=pod("client", "10.1.0.8")),
        WEB,
        "policy",
        "policy deny isolates default/web-1 for ingress",
    ),
    (
        "connection",
        replace(VIEW, facts=replace(GOOD, connections={("10.96.0.20", 80): "no answer"})),
        WEB,
        "connection",
        "from default/client to 10.96.0.20:80: no answer",
    ),
    (
        "another's balancer",
        VIEW,
        cases.service("web", selector={"app": "web"}, type="LoadBalancer", loadBalancerClass="x/y"),
        "balancer",
        "loadBalancerClass x/y",
    ),
    (
        "balancer pending",
        VIEW,
        cases.service("web", selector={"app": "web"}, type="LoadBalancer"),
        "balancer",
        "no load balancer address yet",
    ),
    *(
        (
            f"another's proxy by {label}",
            VIEW,
            {**WEB, "metadata": {**WEB["metadata"], "labels": {label: "x"}}},
            "rules",
            f"its label {label} leaves it to another proxy than kube-proxy",
        )
        for label in proxy_view.ELSEWHERE
    ),
    (
        "external name unknown",
        replace(VIEW, facts=replace(GOOD, names={NAME: ()})),
        cases.service("web", "", type="ExternalName", externalName="x.example"),
        "name",
        "cannot be resolved",
    ),
    (
        "headless stale",
        replace(VIEW, facts=replace(GOOD, names={NAME: ("10.1.0.7",)})),
        cases.service("web", "None", selector={"app": "web"}),
        "name",
        "is 10.1.0.7, but ready are 10.1.0.2",
    ),
    (
        "headless without endpoints",
        replace(VIEW, facts=replace(GOOD, names={NAME: ()}), slices=[UNREADY]),
        cases.service("web", "None", selector={"app": "web"}),
        "name",
        "no endpoint is ready",
    ),
]


@pytest.mark.parametrize(
    ("view", "obj", "name", "words"), [each[1:] for each in BROKEN], ids=[b[0] for b in BROKEN]
)
def test_a_broken_link_of_a_service_is_named(view: View, obj: Any, name: str, words: str) -> None:
    found = verdict(service.walk(obj, view))
    assert found[0] == name
    assert words in found[1]


def test_what_could_not_be_looked_at_is_not_called_broken() -> None:
    walked = service.walk(WEB, replace(VIEW, facts=Facts()))
    assert verdict(walked) == ("", "")
    assert {link.name for link in walked if link.state is State.UNKNOWN} == {"name", "rules"}
    not_tried = replace(GOOD, connections={("10.96.0.20", 80): "not tried: nc is missing"})
    assert service.walk(WEB, replace(VIEW, facts=not_tried))[-1].state is State.UNKNOWN


def test_partly_working_is_a_note_with_what_is_out() -> None:
    both = cases.endpoint_slice("web", "10.1.0.2", cases.endpoint("10.1.0.3", ready=False, serving=False))
    view = replace(VIEW, slices=[both], pods=[pod(), pod("web-2", "10.1.0.3", ready=False), DNS])
    (found,) = [link for link in service.walk(WEB, view) if link.name == "readiness"]
    assert found.state is State.NOTE
    assert found.words.startswith("1 of 2 get traffic; out: web-2 has a container that is not ready")


def test_one_deaf_or_denied_endpoint_of_several_is_a_note() -> None:
    both = cases.endpoint_slice("web", "10.1.0.2", "10.1.0.3")
    facts = replace(GOOD, rules=None, listeners={("default", "web-2"): frozenset()})
    shut = deny(podSelector={"matchLabels": {"shut": "yes"}})
    second = pod("web-2", "10.1.0.3", metadata={"labels": {"app": "web", "shut": "yes"}})
    view = View(
        facts,
        services=[WEB],
        slices=[both],
        pods=[pod(), second, DNS],
        policies=[shut],
        client=pod("client", "10.1.0.8"),
    )
    found = {link.name: link for link in service.walk(WEB, view)}
    assert found["listeners"].state is State.NOTE
    assert "no port" in found["listeners"].words
    assert found["policy"].words.startswith("1 of 2 endpoints are denied")


def test_headless_external_and_udp_services_have_chains_of_their_own() -> None:
    headless = cases.service("web", "None", selector={"app": "web"})
    facts = replace(GOOD, names={NAME: ("10.1.0.2",)}, connections={})
    walked = service.walk(headless, replace(VIEW, facts=facts))
    assert verdict(walked) == ("", "")
    assert "headless" in walked[0].words
    entry = {**cases.endpoint("10.1.0.2"), "addresses": ["10.1.0.2", "10.1.0.7"]}
    several = replace(VIEW, slices=[cases.endpoint_slice("web", entry)])
    facts = replace(facts, names={NAME: ("10.1.0.2", "10.1.0.7")})
    assert service.walk(headless, replace(several, facts=facts))[0].state is State.HOLDS
    ready = tuple(f"10.1.1.{number}" for number in range(1, 101))
    many = replace(VIEW, slices=[cases.endpoint_slice("web", *ready)])
    for count, state in ((30, State.HOLDS), (28, State.BROKEN)):
        cut = replace(facts, names={NAME: ready[:count]})
        assert service.walk(headless, replace(many, facts=cut))[0].state is state
    external = cases.service("web", "", type="ExternalName", externalName="x.example")
    assert service.walk(external, replace(VIEW, facts=Facts()))[0].state is State.NOTE
    assert service.walk(external, VIEW)[0].state is State.HOLDS
    udp = cases.service("web", ports=[{"port": 53, "protocol": "UDP"}], selector={"app": "web"})
    piece = cases.endpoint_slice("web", "10.1.0.2", ports=[{"port": 53, "protocol": "UDP"}])
    view = replace(VIEW, slices=[piece], facts=replace(GOOD, rules=None, connections={}, listeners={}))
    assert verdict(service.walk(udp, view)) == ("", "")


def test_a_balancer_of_ours_and_isolating_policies_are_told() -> None:
    balanced = cases.service(
        "web", selector={"app": "web"}, type="LoadBalancer", status=[{"ip": "127.0.1.2"}]
    )
    walked = service.walk(balanced, replace(VIEW, policies=[deny()]))
    assert any(link.name == "balancer" and "127.0.1.2" in link.words for link in walked)
    assert any(link.name == "policy" and link.state is State.NOTE for link in walked)
    local = cases.service("web", selector={"app": "web"}, internalTrafficPolicy="Local")
    assert verdict(service.walk(local, replace(VIEW, facts=replace(GOOD, rules="chain x")))) == ("", "")


def test_a_service_without_selector_has_the_endpoints_that_were_written_for_it() -> None:
    outside = cases.endpoint_slice("web", "192.0.2.7", ports=[{"port": 8080, "protocol": "TCP"}])
    view = replace(VIEW, slices=[outside], facts=replace(GOOD, rules=RULES.format("192.0.2.7:8080")))
    walked = service.walk(cases.service("web"), view)
    assert verdict(walked) == ("", "")
    assert "its EndpointSlices have 1 address" in [link.words for link in walked]
    asked = service.walk(cases.service("web"), replace(view, client=pod("client", "10.1.0.8")))
    assert [link.name for link in asked] == [link.name for link in walked]


def test_a_client_that_may_connect_is_told() -> None:
    walked = service.walk(WEB, replace(VIEW, client=pod("client", "10.1.0.8")))
    assert "default/client may connect" in [link.words for link in walked]


NOT_FOUND = (
    "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
    'exec: "python3 app.py": executable file not found in $PATH: unknown'
)
PULLING = {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}
MOUNT = {
    "involvedObject": {"uid": "uid-web-1"},
    "reason": "FailedMount",
    "message": 'secret "keys" not found',
}


def crashing(**last: Any) -> dict[str, Any]:
    return {
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        "container": {"lastState": {"terminated": last}},
    }


TROUBLES = [
    (pod(status={"phase": "Failed"}), "has ended (Failed)"),
    (pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), "is being deleted"),
    (
        pod(
            ready=False,
            nodeName="",
            conditions=[{"type": "PodScheduled", "status": "False", "message": "0/1 fit"}],
        ),
        "is on no node: 0/1 fit",
    ),
    (pod(ready=False, nodeName=""), "is on no node yet"),
    (
        pod(ready=False, state={"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}),
        "has a container that does not run, c: ImagePullBackOff: no such image",
    ),
    (
        pod(
            ready=False,
            state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            container={"lastState": {"terminated": {"exitCode": 3}}},
        ),
        "CrashLoopBackOff (it ended with exit code 3)",
    ),
    (pod(ready=False, state={"terminated": {"exitCode": 1}}), "it ended with exit code 1"),
    (pod(ready=False, state={}), "it has not been started"),
    (
        pod(
            ready=False,
            containers=[{"name": "c", "resources": {"limits": {"memory": "20Mi"}}}],
            **crashing(reason="OOMKilled", exitCode=137),
        ),
        "CrashLoopBackOff (it was killed because it took more memory than its limit of 20Mi: OOMKilled)",
    ),
    (
        pod(ready=False, **crashing(reason="OOMKilled", exitCode=137)),
        "it took more memory than there is: OOMKilled",
    ),
    (
        pod(
            ready=False,
            containers=[{"name": "c", "command": ["python3 app.py"]}],
            **crashing(reason="StartError", exitCode=128, message=NOT_FOUND),
        ),
        'CrashLoopBackOff (it could not be started: exec: "python3 app.py": executable file not found in $PATH)'
        '; hint: the command is one word with spaces in it: write each word by itself, ["python3", "app.py"]',
    ),
    (
        pod(
            ready=False,
            containers=[{"name": "c", "args": ["app"]}],
            **crashing(reason="StartError", exitCode=128, message="no such thing"),
        ),
        "CrashLoopBackOff (it could not be started: no such thing)",
    ),
    (
        pod(ready=False, **crashing(reason="Completed", exitCode=0)),
        "it ended with exit code 0: its command does its work and ends, instead of going on",
    ),
    (
        pod(ready=False, state={"waiting": {"reason": "ContainerCreating"}}),
        'ContainerCreating: secret "keys" not found',
    ),
    (
        pod("web-2", ready=False, state={"waiting": {"reason": "ContainerCreating"}}),
        "run, c: ContainerCreating",
    ),
    (
        pod(ready=False, state=PULLING, container={"image": "shop:1"}),
        "ErrImagePull: image shop:1: no such host",
    ),
    (pod(ready=False, container={"started": False}), "its startup probe has not passed"),
    (pod(ready=False), "its readiness probe fails"),
    (
        pod(ready=False, status={"initContainerStatuses": [{"name": "i", "state": {"running": {}}}]}),
        "waits for its init container i: it is still running",
    ),
    (
        pod(
            ready=False,
            status={
                "initContainerStatuses": [
                    {"name": "i", "ready": True, "state": {"terminated": {"exitCode": 0}}}
                ]
            },
        ),
        "its readiness probe fails",
    ),
    (pod(ready=False, status={"containerStatuses": []}), "it has only just started"),
]


def told(about: Any, reason: str, message: str, second: int) -> Any:
    regarding = {"uid": about["metadata"]["uid"], "fieldPath": "spec.containers{c}"}
    when = f"2026-05-01T12:00:{second:02}Z"
    return {"involvedObject": regarding, "reason": reason, "message": message, "lastTimestamp": when}


def test_a_paused_container_is_told_until_it_goes_on() -> None:
    troubled = pod(ready=False)
    paused = told(troubled, "Paused", "Container c is paused", 1)
    unhealthy = told(troubled, "Unhealthy", "Readiness probe failed: late", 2)
    view = replace(VIEW, facts=replace(GOOD, client="default/web-1"), events=[paused, unhealthy])
    assert verdict(pods.walk(troubled, view))[1].endswith("not ready, c: Container c is paused")
    view = replace(view, events=[*view.events, told(troubled, "Resumed", "Container c goes on", 3)])
    assert verdict(pods.walk(troubled, view))[1].endswith("not ready, c: Readiness probe failed: late")


def test_a_pod_that_waits_for_the_agent_says_what_ails_that() -> None:
    troubled = pod("web-2", ready=False, state={"waiting": {"reason": "ContainerCreating"}})
    agent = system("minikctl-agent", ready=False)
    paused = told(agent, "Paused", "Container c is paused", 1)
    view = replace(VIEW, pods=[troubled, agent], events=[paused])
    assert verdict(pods.walk(troubled, view))[1].endswith(
        "ContainerCreating: it waits for the network agent, pod kube-system/minikctl-agent, which has a container"
        " that is not ready, c: Container c is paused"
    )
    view = replace(view, pods=[troubled, system("minikctl-agent")])
    assert verdict(pods.walk(troubled, view))[1].endswith("c: ContainerCreating")


@pytest.mark.parametrize(("troubled", "words"), TROUBLES, ids=[words for _, words in TROUBLES])
def test_what_ails_a_pod_is_told(troubled: Any, words: str) -> None:
    view = replace(VIEW, facts=replace(GOOD, client="default/web-1"), events=[MOUNT])
    name, said = verdict(pods.walk(troubled, view))
    assert name in ("phase", "node", "readiness")
    assert words in said


def test_a_pod_that_works_and_what_may_be_wrong_around_it() -> None:
    view = replace(VIEW, facts=replace(GOOD, client="default/web-1"))
    walked = pods.walk(pod(), view)
    assert verdict(walked) == ("", "")
    assert any("it gets traffic of Service web: ready" in link.words for link in walked)
    assert verdict(pods.walk(pod(), replace(view, facts=replace(view.facts, rules=""))))[0] == "rules"
    silent = replace(view.facts, names={}, silent=frozenset({"kubernetes.default.svc.cluster.local"}))
    assert verdict(pods.walk(pod(), replace(view, facts=silent)))[0] == "name"
    assert verdict(pods.walk(pod(status={"podIP": ""}), view))[0] == "address"
    assert pods.walk(pod(hostNetwork=True), view)[-1].state is State.NOTE
    stranger = pod(metadata={"labels": {}})
    assert any("no Service selects it" in link.words for link in pods.walk(stranger, VIEW))


def test_policies_of_a_pod_are_judged_from_a_client() -> None:
    shut = replace(VIEW, policies=[deny()])
    assert any("--from POD" in link.words for link in pods.walk(pod(), shut))
    client = pod("client", "10.1.0.8")
    assert verdict(pods.walk(pod(), replace(shut, client=client)))[0] == "policy"
    opened = replace(shut, policies=[deny(ingress=[{"ports": [{"port": 8080}]}])], client=client)
    assert any("may connect to port 8080" in link.words for link in pods.walk(pod(), opened))


def account(obj: Any = WEB, **more: Any) -> accounts.Account:
    return accounts.of_service(obj, replace(VIEW, **more))[0]


def test_each_candidate_has_its_reason() -> None:
    assert account() == accounts.Account("web-1", "10.1.0.2", True, "ready")
    leaving = pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    last = cases.endpoint_slice(
        "web", cases.endpoint("10.1.0.2", ready=False, serving=True, terminating=True)
    )
    assert "still serves" in account(pods=[leaving], slices=[last]).why
    eager = cases.service("web", selector={"app": "web"}, publishNotReadyAddresses=True)
    assert "publishNotReadyAddresses" in account(eager, pods=[pod(ready=False)]).why
    assert "still says ready" in account(pods=[pod(ready=False)]).why
    assert "in no EndpointSlice yet" in account(slices=[]).why
    assert "does not say so yet" in account(slices=[UNREADY]).why
    assert "has no address yet" in account(pods=[pod(status={"podIP": ""})], slices=[]).why
    wrong = cases.service("web", selector={"app": "web"}, ports=[{"port": 80, "targetPort": "htp"}])
    assert "has no port named htp (TCP)" in account(wrong, slices=[]).why
    foreign = accounts.of_service(cases.service("web"), VIEW)
    assert foreign == [accounts.Account("10.1.0.2", "10.1.0.2", True, "ready in its EndpointSlice")]
    assert "not ready" in accounts.of_service(cases.service("web"), replace(VIEW, slices=[UNREADY]))[0].why
    portless = cases.service("web", "None", selector={"app": "web"})
    portless["spec"]["ports"] = []
    assert account(portless).is_in


INGRESS = routes.make("web", routes.rule("web.localhost", routes.path("/", "web")))
SHOWN = {**INGRESS, "status": {"loadBalancer": {"ingress": [{"ip": "127.0.1.1"}]}}}
HTTP = replace(VIEW, ingresses=[SHOWN], classes=[routes.OURS, routes.OTHER], pods=[pod(), DNS, PROXY])
SEEN = Outside({"web.localhost": ("127.0.0.1",)}, {("web.localhost", "/"): Visit(200)})


def test_endpoints_by_hand_have_to_name_their_ports_as_the_service_does() -> None:
    plain = cases.service("web", selector=None, ports=[{"port": 80}])
    named = {**SLICE, "ports": [{"name": "http", "port": 9376, "protocol": "TCP"}]}
    view = replace(VIEW, services=[plain], slices=[named], facts=replace(GOOD, rules="chain x"))
    link, words = verdict(service.walk(plain, view))
    assert link == "endpoints"
    assert 'have ports named "http", the Service "": ports belong together by their names' in words
    _, words = verdict(service.walk(plain, replace(view, slices=[{**named, "endpoints": []}])))
    assert words.endswith("no EndpointSlice labelled kubernetes.io/service-name=web has an endpoint")


def test_an_ingress_that_works_has_no_broken_link() -> None:
    assert {link.state for link in ingress.walk(SHOWN, HTTP, SEEN)} == {State.HOLDS}


def shown(*rules: Any, **spec: Any) -> Any:
    return {**routes.make("web", *rules, **spec), "status": SHOWN["status"]}


def test_a_broken_link_of_an_ingress_is_named() -> None:
    def found(obj: Any, view: View = HTTP, outside: Outside = SEEN) -> tuple[str, str]:
        return verdict(ingress.walk(obj, replace(view, ingresses=[obj]), outside))

    told = found(shown(ingressClassName="nginx"))[1]
    assert (
        "belongs to another controller; ours is minikctl; hint: leave ingressClassName out, or make" in told
    )
    told = found(shown(ingressClassName="x"))[1]
    assert "there is no class x" in told
    assert told.endswith(
        "hint: leave ingressClassName out, or add an IngressClass x with spec.controller minikctl.dev/ingress"
    )
    assert "names no class" in found(SHOWN, replace(HTTP, classes=[]))[1]
    assert found(SHOWN, replace(HTTP, pods=[pod(), DNS]))[0] == "proxy"
    refused = {"involvedObject": {"uid": ""}, "reason": "Refused", "message": "left out"}
    assert found(INGRESS, replace(HTTP, events=[refused])) == ("address", "left out")
    assert found(INGRESS) == ("address", "it has no address in its status (yet)")
    assert "does not exist" in found(shown(routes.rule("web.localhost", routes.path("/", "nope"))))[1]
    assert ingress.backends_of(shown(defaultBackend={"resource": {"kind": "Bucket", "name": "b"}})) == {}
    assert "resource backend" in found(shown(defaultBackend={"resource": {"kind": "Bucket", "name": "b"}}))[1]
    assert found(shown(tls=[{"secretName": "s"}]))[1].startswith('Secret "s" does not exist')
    half = {"metadata": {"namespace": "default", "name": "s"}, "data": {"tls.crt": ""}}
    assert "has no tls.key" in found(shown(tls=[{"secretName": "s"}]), replace(HTTP, secrets=[half]))[1]
    assert found(SHOWN, replace(HTTP, slices=[]))[0] == "readiness"
    assert found(SHOWN, replace(HTTP, policies=[deny()]))[0] == "policy"
    assert found(SHOWN, HTTP, Outside({}, {("web.localhost", "/"): Visit(503)}))[0] == "request"
    assert found(SHOWN, HTTP, Outside({}, {("web.localhost", "/"): Visit(problem="refused")}))[0] == "request"


def test_an_ingress_at_other_ports_is_asked_there() -> None:
    ports = [{"port": 10080, "protocol": "TCP"}, {"port": 10443, "protocol": "TCP"}]
    moved = {**INGRESS, "status": {"loadBalancer": {"ingress": [{"ip": "127.0.1.1", "ports": ports}]}}}
    assert (ingress.ports_of(SHOWN), ingress.ports_of(moved)) == ((80, 443), (10080, 10443))


def test_what_an_ingress_can_do_without_is_a_note() -> None:
    """The broken link is what keeps requests away, and is not hidden by an annotation that is not done."""
    notes = {"nginx.ingress.kubernetes.io/mirror-target": "http://x"}
    obj = {**SHOWN, "metadata": {**SHOWN["metadata"], "annotations": notes}}
    view = replace(HTTP, ingresses=[obj])
    walked = ingress.walk(obj, view, SEEN)
    assert [link.words for link in walked if link.state is State.NOTE] == [
        "nginx.ingress.kubernetes.io/mirror-target is not supported: HAProxy sends a request to one server only; copies are for the application to send on"
    ]
    assert verdict(walked) == ("", "")
    assert verdict(ingress.walk(obj, replace(view, slices=[]), SEEN))[0] == "readiness"


def test_behind_a_service_of_another_name_the_walk_goes_on() -> None:
    """Annotations of other controllers are no reason why it does not work, either."""
    spec = {"type": "ExternalName", "externalName": "web.default.svc.cluster.local"}
    alias = {"metadata": {"namespace": "default", "name": "alias"}, "spec": spec}
    obj = shown(routes.rule("web.localhost", routes.path("/", "alias")))
    obj["metadata"]["annotations"] = {"haproxy.org/cors-enable": "true"}
    view = replace(HTTP, ingresses=[obj], services=[*HTTP.services, alias])
    walked = ingress.walk(obj, view, SEEN)
    assert verdict(walked) == ("", "")
    assert "which is web.default.svc.cluster.local" in [link.words for link in walked]
    assert verdict(ingress.walk(obj, replace(view, slices=[]), SEEN))[0] == "readiness"


def test_users_of_an_ingress_are_looked_up() -> None:
    notes = {
        "nginx.ingress.kubernetes.io/auth-type": "basic",
        "nginx.ingress.kubernetes.io/auth-secret": "users",
    }
    obj = {**SHOWN, "metadata": {**SHOWN["metadata"], "annotations": notes}}
    view = replace(HTTP, ingresses=[obj])
    asked = Outside({}, {("web.localhost", "/"): Visit(401)})
    assert "names no Secret" in verdict(ingress.walk(obj, view, asked))[1]
    listed = base64.b64encode(b"tim:$5$salt$x").decode()
    secret = {"metadata": {"namespace": "default", "name": "users"}, "data": {"auth": listed}}
    walked = ingress.walk(obj, replace(view, secrets=[secret]), asked)
    assert verdict(walked) == ("", "")
    assert walked[-1].state is State.NOTE


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (ingress.Handshake(b"leaf"), ""),
        (
            ingress.Handshake(b"leaf", "certificate has expired"),
            'that of Secret "s": certificate has expired',
        ),
        (ingress.Handshake(b"other"), 'does not show the certificate of Secret "s": it is broken'),
        (ingress.Handshake(problem="no answer"), "https://web.localhost/: no answer"),
    ],
)
def test_a_certificate_is_judged_by_what_clients_are_shown(seen: ingress.Handshake, words: str) -> None:
    body = base64.b64encode(b"leaf").decode()
    chain = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    data = {"tls.crt": base64.b64encode(chain.encode()).decode(), "tls.key": ""}
    secret = {"metadata": {"namespace": "default", "name": "s"}, "data": data}
    obj = shown(routes.rule("web.localhost", routes.path("/", "web")), tls=[{"secretName": "s"}])
    told = {"involvedObject": {"uid": ""}, "reason": "CertificateUnusable", "message": "it is broken"}
    view = replace(HTTP, ingresses=[obj], secrets=[secret], events=[told])
    outside = replace(SEEN, handshakes={"web.localhost": seen})
    assert words in verdict(ingress.walk(obj, view, outside))[1]
    if words.endswith("broken"):
        for other in ("YQ==", "a"):
            bare = {**secret, "data": {**data, "tls.crt": other}}
            walked = ingress.walk(obj, replace(view, secrets=[bare], events=[]), outside)
            assert verdict(walked)[1].endswith('does not show the certificate of Secret "s"')


def test_an_endpoint_that_is_spoken_to_otherwise_is_told_with_how() -> None:
    notes = {"nginx.ingress.kubernetes.io/backend-protocol": "GRPC"}
    obj = {**SHOWN, "metadata": {**SHOWN["metadata"], "annotations": notes}}
    for visit in (Visit(503), Visit(problem="no answer")):
        outside = Outside({}, {("web.localhost", "/"): visit})
        words = verdict(ingress.walk(obj, replace(HTTP, ingresses=[obj]), outside))[1]
        assert words.endswith(", which is spoken to by GRPC (backend-protocol)")


def test_notes_about_names_certificates_and_pages_that_are_missing() -> None:
    whole = {"metadata": {"namespace": "default", "name": "s"}, "data": {"tls.crt": "", "tls.key": ""}}
    obj = shown(
        routes.rule("web.example", routes.path("/", "web")),
        routes.rule("*.example", routes.path("/", "web")),
        tls=[{"secretName": "s"}, {"hosts": ["x"]}],
        defaultBackend=routes.backend("web"),
        ingressClassName="minikctl",
    )
    outside = Outside({"web.example": ()}, {("web.example", "/x"): Visit(404)})
    walked = ingress.walk(obj, replace(HTTP, ingresses=[obj], secrets=[whole]), outside)
    assert verdict(walked) == ("", "")
    assert {link.name for link in walked if link.state in (State.NOTE, State.UNKNOWN)} == {"name", "request"}
    elsewhere = ingress.walk(SHOWN, HTTP, Outside({"web.localhost": ("192.0.2.1",)}))
    assert any("is 192.0.2.1 on this machine" in link.words for link in elsewhere)
    here = ingress.walk(SHOWN, HTTP, Outside({"web.localhost": ("127.0.1.1",)}))
    assert any("is 127.0.1.1 on this machine" in link.words for link in here)


def test_many_words_are_shortened() -> None:
    assert links.listed(list("abcde")) == "a, b, c and 2 more"
