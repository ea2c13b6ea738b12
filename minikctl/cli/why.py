"""``why``: walks the way to a Service, an Ingress, a workload or a pod, and names the link that is broken."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from minikctl import errors
from minikctl.cli import interrupts
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ssl import SSLContext

    from minikctl.cli.ends import Reader
    from minikctl.cli.session import Session
    from minikctl.client.settings import ClusterSettings
    from minikctl.plan.why.ingress import Handshake, Outside, Visit
    from minikctl.plan.why.links import Link, View

KINDS = {
    "services": "Service",
    "ingresses.networking.k8s.io": "Ingress",
    "pods": "Pod",
    "deployments.apps": "Deployment",
    "statefulsets.apps": "StatefulSet",
    "daemonsets.apps": "DaemonSet",
    "jobs.batch": "Job",
    "replicasets.apps": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
}
LAST_LINES = 3
"""So much is shown of what a container said before it ended."""
MOST_PODS = 10
MOST_ASSOCIATIONS = 3
"""So many of a Service are tried: each that nobody answers takes seconds."""
MOST_BINDS = 10
VISIT_SECONDS = 5
SETTLING_SECONDS = 1
DNS_SERVICE = ("kube-system", "kube-dns")


class WhyOptions(Options):
    """What ``why`` was asked."""

    arguments: tuple[str, ...] = rest(
        "(SERVICE | INGRESS | WORKLOAD | POD)", default=(), complete="explained"
    )
    client: str = flag("--from", default="", help="The pod that wants to connect.", complete="name:pods")
    probe: bool = flag("--probe", default=True, help="Look at the live network, and try real connections.")


def why(options: WhyOptions, session: Session) -> int:
    """Print the chain and name the broken link; return 0 if all hold, 1 if one is broken."""
    from minikctl.cli import ends, report
    from minikctl.plan.why import links as chains
    from minikctl.plan.why.links import State

    if len(options.arguments) != 1:
        raise errors.UsageError(
            "error: name one Service, Ingress, workload or pod, as in svc/web, ingress/web, deploy/web or pod/web-1"
        )
    kind, found = _subject(options.arguments[0], ends.Reader(session, "TCP"), session)
    title = f"{kind.lower()} {'/'.join((found['metadata']['namespace'], found['metadata']['name']))}"
    walked = _look(kind, found, options, session)
    settling = ("rules", "published")
    if options.probe and any(link.name in settling and link.state is State.BROKEN for link in walked):
        # What has just changed may still be on its way to the pods' namespaces, or to the proxy of ports.
        interrupts.sleep(SETTLING_SECONDS)
        walked = _look(kind, found, options, session)
    session.io.say(title)
    worst = chains.first_broken(walked)
    if worst is not None:  # it leads: that is what was asked
        session.io.say(report.lined(f"broken: {worst.name}: {worst.words}"))
    for link in walked:
        session.io.say(f"  {link.state.value:<7} {link.name:<11} {link.words.partition('; hint: ')[0]}")
    if worst is None:
        session.io.say(f"nothing is broken on the way to {title}, as far as it could be seen")
    return 0 if worst is None else 1


def _look(kind: str, found: dict[str, Any], options: WhyOptions, session: Session) -> Sequence[Link]:
    """Return the chain as it is now."""
    from minikctl.cli import ends

    reader = ends.Reader(session, "TCP")
    client = reader.source(options.client).pod if options.client else None
    return _walk(kind, found, _view(reader, session, client), session, options.probe)


def _subject(argument: str, reader: Reader, session: Session) -> tuple[str, dict[str, Any]]:
    """Return the object that is meant; a bare name is a Service, else an Ingress, a pod, a workload."""
    from minikctl.cli import selection

    if "/" not in argument:
        for resource, kind in KINDS.items():
            found = reader.one(resource, session.namespace, argument)
            if found is not None:
                return kind, found
        raise errors.UsageError(
            f'error: there is no service, ingress, pod or workload "{argument}" in namespace {session.namespace}'
        )
    target = selection.parse([argument], session.discovery, session.namespace)[0]
    kind = KINDS.get(target.resource.qualified, "")
    if not kind:
        raise errors.UsageError(f"error: {target.resource.title} is no Service, Ingress, workload or pod")
    found = session.client.request("GET", target.path()).json()
    return kind, found


def _view(reader: Reader, session: Session, client: dict[str, Any] | None) -> View:
    from minikctl.plan.why.links import View

    domain = session.home.settings().domain if session.is_local else "cluster.local"
    return View(
        domain=domain,
        services=reader.listed("services"),
        slices=reader.listed("endpointslices"),
        pods=reader.listed("pods"),
        ingresses=reader.listed("ingresses.networking.k8s.io"),
        classes=reader.listed("ingressclasses"),
        policies=reader.listed("networkpolicies.networking.k8s.io"),
        namespaces=reader.listed("namespaces"),
        nodes=reader.listed("nodes"),
        events=reader.listed("events"),
        client=client,
    )


def _walk(kind: str, found: dict[str, Any], view: View, session: Session, probe: bool) -> Sequence[Link]:
    from dataclasses import replace

    from minikctl.cli import inquiry
    from minikctl.plan.why import ingress, pods, service, workload
    from minikctl.plan.why.links import Facts

    if kind in workload.KINDS:
        crashed = workload.members(found, view.pods)[:1]
        return [
            *workload.walk(found, kind, view),
            *(link for pod in crashed for link in _last_words(pod, session)),
        ]
    facts = inquiry.ask(_questions(kind, found, view), session) if probe else Facts()
    if probe and kind == "Service" and session.is_local:
        facts = replace(facts, machine=met(found, session.home.settings()))
    view = replace(view, facts=facts)
    if kind == "Service":
        return service.walk(found, view)
    if kind == "Pod":
        return [*pods.walk(found, view), *_last_words(found, session)]
    view = replace(view, secrets=list(_secrets(found, session)))
    return ingress.walk(found, view, _outside(found) if probe else ingress.Outside())


def _last_words(pod: dict[str, Any], session: Session) -> Iterator[Link]:
    """Yield the last lines of a container that has ended, as far as they are kept, and how to see all."""
    from minikctl.plan.why import trouble
    from minikctl.plan.why.links import note

    container, waits = trouble.crashed(pod)
    if not container:
        return
    namespace, name = _key(pod)
    query = {"container": container, "tailLines": LAST_LINES, **({"previous": True} if waits else {})}
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/log"
    try:
        lines = session.client.request("GET", path, query=query).body.decode(errors="replace").splitlines()
    except errors.MinikctlError:
        return
    for line in lines:
        yield note("log", f"{container}: {line}")
    previous = " --previous" if waits else ""
    if lines:
        yield note("log", f"all of it: `minikctl logs {name} -n {namespace} -c {container}{previous}`")


def _questions(kind: str, found: dict[str, Any], view: View) -> Any:
    """Return what to find out live, from the named client or from a pod that can be entered."""
    from minikctl.cli import inquiry
    from minikctl.plan import service_ports
    from minikctl.plan.why import ingress, service

    server = _dns_address(view)
    if kind == "Pod":
        names = [f"kubernetes.default.svc.{view.domain}"]
        return inquiry.Questions(found, names=names, server=server)
    keys = [_key(found)] if kind == "Service" else list(ingress.backends_of(found))
    behind = [pod for key in keys for pod in _pods_behind(view, key)][:MOST_PODS]
    if kind == "Ingress":
        return inquiry.Questions(None, behind)
    clients = [view.client] if view.client else [*behind, *view.pods]
    client = next((one for one in clients if inquiry.container_of(one)), None)
    spec = found.get("spec") or {}
    headless = service_ports.is_headless(found)
    wanted: dict[str, list[tuple[str, int]]] = {"TCP": [], "UDP": [], "SCTP": []}
    for port in () if headless else spec.get("ports") or ():
        wanted[port.get("protocol") or "TCP"].append((str(spec["clusterIP"]), int(port["port"])))
    names = [service.domain_name(found, view.domain)]
    return inquiry.Questions(client, behind, names, wanted["TCP"], wanted["SCTP"][:MOST_ASSOCIATIONS], server)


def _key(obj: dict[str, Any]) -> tuple[str, str]:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def _dns_address(view: View) -> str:
    found = [one for one in view.services if _key(one) == DNS_SERVICE]
    return str(found[0]["spec"].get("clusterIP") or "") if found else ""


def _pods_behind(view: View, key: tuple[str, str]) -> Iterator[dict[str, Any]]:
    for piece in view.slices_of(key):
        for entry in piece.get("endpoints") or ():
            pod = view.pod_at(str((entry.get("addresses") or [""])[0]))
            if pod is not None:
                yield pod


def met(service: dict[str, Any], settings: ClusterSettings) -> dict[tuple[str, int], str]:
    """Return what this machine meets where it has the Service's TCP ports: "" is somebody who listens."""
    from minikctl.plan import publisher

    found: dict[tuple[str, int], str] = {}
    binds = (
        publisher.bindings(service, settings.publish, publisher.TCP) if settings.runtime == "docker" else ()
    )
    for bind in binds[:MOST_BINDS]:
        where = bind.host_ip, bind.host_port
        try:
            socket.create_connection(where, VISIT_SECONDS).close()
            found[where] = ""
        except OSError as error:
            found[where] = error.strerror or str(error)
    return found


def _secrets(ingress: dict[str, Any], session: Session) -> Iterator[dict[str, Any]]:
    from minikctl.cli import ends
    from minikctl.plan import ingress_secrets

    reader = ends.Reader(session, "TCP")
    wanted = ingress_secrets.secrets_of([ingress]) | ingress_secrets.user_secrets_of([ingress])
    for namespace, name in sorted(wanted):
        found = reader.one("secrets", namespace, name)
        if found is not None:
            yield found


def _outside(ingress: dict[str, Any]) -> Outside:
    """Return what this machine sees of the Ingress: addresses of its hosts, and answers to requests."""
    from minikctl.plan.why import ingress as walks

    names, visits = {}, {}
    address, (http, https) = walks.address_of(ingress), walks.ports_of(ingress)
    for rule in ingress["spec"].get("rules") or ():
        host = str(rule.get("host") or "")
        if host.startswith("*."):
            host = f"any{host[1:]}"
        elif host:
            names[host] = _lookup(host)
        for path in (rule.get("http") or {}).get("paths") or () if address else ():
            where = host or address, str(path.get("path") or "/")
            visits[where] = _visit((address, http), *where)
    secured = [
        host
        for entry in (ingress["spec"].get("tls") or () if address else ())
        if entry.get("secretName")
        for host in walks.tls_hosts(ingress, entry)
    ]
    return walks.Outside(names, visits, {host: _handshake((address, https), host) for host in secured})


def _handshake(address: tuple[str, int], host: str) -> Handshake:
    """Return the certificate that is shown for a host, and what is wrong with it but for who has signed it."""
    import ssl

    from minikctl.plan.why.ingress import Handshake

    name = host.replace("*.", "any.", 1)
    shown = b""
    try:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        shown = _shown(address, name, context)
        context = ssl.create_default_context(cadata=shown)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        _shown(address, name, context)
    except ssl.SSLCertVerificationError as error:
        return Handshake(shown, error.verify_message)
    except OSError as error:
        return Handshake(shown, f"no answer at {address[0]}:{address[1]} ({error})")
    return Handshake(shown)


def _shown(address: tuple[str, int], name: str, context: SSLContext) -> bytes:
    with (
        socket.create_connection(address, VISIT_SECONDS) as raw,
        context.wrap_socket(raw, server_hostname=name) as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""


def _lookup(host: str) -> tuple[str, ...]:
    try:
        return tuple(sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, 80, socket.AF_INET)}))
    except OSError:
        return ()


def _visit(address: tuple[str, int], host: str, path: str) -> Visit:
    import http.client
    import string
    import urllib.parse

    from minikctl.plan.why.ingress import Visit

    asked = urllib.parse.quote(path, safe=string.punctuation)
    connection = http.client.HTTPConnection(*address, timeout=VISIT_SECONDS)
    try:
        connection.request("GET", asked, headers={"Host": host, "User-Agent": "minikctl-why"})
        return Visit(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return Visit(problem=f"no answer at {address[0]}:{address[1]} ({error})")
    finally:
        connection.close()


COMMANDS = {
    "why": Command(
        "Walk the way to a Service, Ingress, workload or pod, link by link: name, address, rules, endpoints, readiness, policy."
        " The exit code is 1 when one is broken.",
        WhyOptions,
        why,
        usage="(SERVICE | INGRESS | WORKLOAD | POD) [--from=POD]",
        examples=(
            ("Why a Service does not answer", "minikctl why svc/web"),
            ("Why a certain pod cannot reach it", "minikctl why svc/web --from client"),
            ("Why an Ingress answers with 503", "minikctl why ingress/shop -n shop"),
            ("Why a Deployment does not come to run", "minikctl why deploy/web"),
            ("Why a pod gets no traffic", "minikctl why pod/web-1"),
        ),
    )
}
