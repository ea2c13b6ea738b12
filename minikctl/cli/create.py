"""``create`` and ``expose``: new objects from files or from a few words."""

from __future__ import annotations

import base64
import os
from typing import Annotated, Any

import typer

from minikctl import errors
from minikctl.cli import changing, flags, manifests, report, selection
from minikctl.cli.selection import Target
from minikctl.cli.session import Session

app = flags.app(help="Create objects from files or from a few words.", invoke_without_command=True)
secret_app = flags.app(help="Create a Secret.", no_args_is_help=True)
service_app = flags.app(help="Create a Service.", no_args_is_help=True)
app.add_typer(secret_app, name="secret")
app.add_typer(service_app, name="service")

DryRun = Annotated[str, typer.Option("--dry-run", help="none, client or server.")]
Output = Annotated[str, typer.Option("--output", "-o", help="yaml, json or name.")]
Name = Annotated[str, typer.Argument(metavar="NAME")]
Literals = Annotated[list[str] | None, typer.Option("--from-literal", help="KEY=VALUE.")]
FromFiles = Annotated[list[str] | None, typer.Option("--from-file", help="[KEY=]FILE, or a directory.")]
Ports = Annotated[list[str] | None, typer.Option("--tcp", help="PORT or PORT:TARGETPORT.")]


class CreateOptions(Options):
    """What ``create`` was asked."""

    files: tuple[str, ...] = flag("--filename", "-f", default=(), help="Files to create from.")
    recursive: bool = flag("--recursive", "-R", default=False, help="Descend into directories.")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def create(options: CreateOptions, session: Session) -> int:
    """Create objects from files or from a few words."""
    if ctx.invoked_subcommand is not None:
        return
    if not options.files:
        raise errors.UsageError("error: must specify one of -f and -k")
    failed = False
    for document in manifests.read(options.files, options.recursive, session.io.stdin):
        if isinstance(document, manifests.BadDocument):
            session.io.warn(f"error: {document}")
            failed = True
            continue
        try:
            send(session, document.object, options.dry_run, options.output)
        except errors.StatusError as error:
            session.io.warn(report.status_sentence(error, f'error when creating "{document.source}"'))
            failed = True
    return 1 if failed else 0


# COMMAND create: 'Create objects from files or from a few words.\n\nExamples:  minikctl create -f app.yaml     minikctl create deployment web --image=minikctl-demo:latest'


def send(session: Session, obj: dict[str, Any], dry_run: str, output: str) -> None:
    """Create the object and say so."""
    target = selection.target_of(obj, session)
    if target.resource.namespaced:
        obj = {**obj, "metadata": {**obj.get("metadata", {}), "namespace": target.namespace}}
    result = obj
    if dry_run != "client":
        query = {"dryRun": "All" if dry_run == "server" else "", "fieldManager": "kubectl-create"}
        query["fieldValidation"] = "Strict"
        place = Target(target.resource, "", target.namespace)
        result = session.client.request("POST", place.path(), obj, query=query).json()
    made = Target(target.resource, result["metadata"].get("name", target.name), target.namespace)
    changing.tell(changing.Chosen(dry_run=dry_run, output=output), made, result, "created", session)


def _object(api_version: str, kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


class NamespaceOptions(Options):
    """What ``namespace`` was asked."""

    name: tuple[str, ...] = rest("NAME")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def namespace(options: NamespaceOptions, session: Session) -> int:
    """Create a Namespace."""
    send(session, _object("v1", "Namespace", options.name), options.dry_run, options.output)
    return 0


# COMMAND namespace: 'Create a Namespace.\n\nExamples:  minikctl create namespace dev     minikctl create namespace dev --dry-run=client -o yaml'


class ServiceaccountOptions(Options):
    """What ``serviceaccount`` was asked."""

    name: tuple[str, ...] = rest("NAME")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def serviceaccount(options: ServiceaccountOptions, session: Session) -> int:
    """Create a ServiceAccount."""
    send(session, _object("v1", "ServiceAccount", options.name), options.dry_run, options.output)
    return 0


# COMMAND serviceaccount: 'Create a ServiceAccount.\n\nExamples:  minikctl create serviceaccount robot     minikctl create serviceaccount robot -n dev'


class ConfigmapOptions(Options):
    """What ``configmap`` was asked."""

    name: tuple[str, ...] = rest("NAME")
    literals: tuple[str, ...] = flag("--from-literal", default=(), help="KEY=VALUE.")
    from_files: tuple[str, ...] = flag("--from-file", default=(), help="[KEY=]FILE, or a directory.")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def configmap(options: ConfigmapOptions, session: Session) -> int:
    """Create a ConfigMap."""
    data: dict[str, str] = {}
    binary: dict[str, str] = {}
    for key, value in _pairs(options.literals, options.from_files).items():
        try:
            data[key] = value.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(value).decode()
    fields = {key: value for key, value in (("data", data), ("binaryData", binary)) if value}
    send(session, _object("v1", "ConfigMap", options.name, **fields), options.dry_run, options.output)
    return 0


# COMMAND configmap: 'Create a ConfigMap.\n\nExamples:  minikctl create configmap c --from-literal=k=v     minikctl create configmap c --from-file=app.conf'


def _pairs(literals: list[str] | None, from_files: list[str] | None) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for literal in literals or ():
        key, equals, value = literal.partition("=")
        if not equals or not key:
            raise errors.UsageError(f"error: invalid literal source {literal}, expected key=value")
        found[key] = value.encode()
    for source in from_files or ():
        key, equals, path = source.rpartition("=")
        names = sorted(os.listdir(path)) if os.path.isdir(path) else [""]
        for name in names:
            place = os.path.join(path, name) if name else path
            if os.path.isfile(place):
                found[name or key or os.path.basename(path)] = _read(place)
            elif not name:
                raise errors.UsageError(f"error: error reading {place}: no such file or directory")
    return found


def _read(path: str) -> bytes:
    with open(path, "rb") as source:
        return source.read()


class GenericOptions(Options):
    """What ``generic`` was asked."""

    name: tuple[str, ...] = rest("NAME")
    literals: tuple[str, ...] = flag("--from-literal", default=(), help="KEY=VALUE.")
    from_files: tuple[str, ...] = flag("--from-file", default=(), help="[KEY=]FILE, or a directory.")
    kind: str = flag("--type", default="Opaque", help="The Secret's type.")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def generic(options: GenericOptions, session: Session) -> int:
    """Create a Secret from values or files."""
    data = {k: base64.b64encode(v).decode() for k, v in _pairs(options.literals, options.from_files).items()}
    send(
        session,
        _object("v1", "Secret", options.name, type=options.kind, data=data),
        options.dry_run,
        options.output,
    )
    return 0


# COMMAND generic: 'Create a Secret from values or files.\n\nExamples:  minikctl create secret generic s --from-literal=k=v     minikctl create secret generic s --from-file=key'


class TlsOptions(Options):
    """What ``tls`` was asked."""

    name: tuple[str, ...] = rest("NAME")
    cert: str = flag("--cert", default="", help="A file with the certificate, PEM.")
    key: str = flag("--key", default="", help="A file with the key, PEM.")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def tls(options: TlsOptions, session: Session) -> int:
    """Create a TLS Secret."""
    data = {"tls.crt": _read(options.cert), "tls.key": _read(options.key)}
    encoded = {entry: base64.b64encode(value).decode() for entry, value in data.items()}
    obj = _object("v1", "Secret", options.name, type="kubernetes.io/tls", data=encoded)
    send(session, obj, options.dry_run, options.output)
    return 0


# COMMAND tls: 'Create a TLS Secret.\n\nExamples:  minikctl create secret tls web --cert=tls.crt --key=tls.key     … -n dev'


class DeploymentOptions(Options):
    """What ``deployment`` was asked."""

    name: tuple[str, ...] = rest("NAME")
    image: tuple[str, ...] = flag("--image", default=(), help="The image.")
    replicas: int = flag("--replicas", "-r", default=1, help="How many pods.")
    port: int = flag("--port", default=0, help="The container's port.")
    words: tuple[str, ...] = rest("-- COMMAND [ARGS...]")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def deployment(options: DeploymentOptions, session: Session) -> int:
    """Create a Deployment."""
    labels = {"app": options.name}
    containers = [_container(reference, options.port, options.words) for reference in options.image]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec = {"replicas": options.replicas, "selector": {"matchLabels": labels}, "template": template}
    obj = _object("apps/v1", "Deployment", options.name, spec=spec)
    obj["metadata"]["labels"] = labels
    send(session, obj, options.dry_run, options.output)
    return 0


# COMMAND deployment: "Create a Deployment.\n\nExamples:  minikctl create deployment web --image=minikctl-demo:latest -r 2     … --port=8080 -- sh -c 'sleep 9'"


def _container(image: str, port: int, words: list[str] | None) -> dict[str, Any]:
    name = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    found: dict[str, Any] = {"name": name, "image": image}
    if port:
        found["ports"] = [{"containerPort": port}]
    if words:
        found["command"] = words
    return found


def _service(name: str, kind: str, ports: list[str] | None, node_port: int = 0) -> dict[str, Any]:
    spec: dict[str, Any] = {"type": kind, "selector": {"app": name}, "ports": []}
    for text in ports or ():
        port, _, target = text.partition(":")
        found: dict[str, Any] = {"name": text.replace(":", "-"), "port": int(port), "protocol": "TCP"}
        found["targetPort"] = int(target) if target.isdigit() else (target or int(port))
        if node_port:
            found["nodePort"] = node_port
        spec["ports"].append(found)
    if not spec["ports"]:
        raise errors.UsageError("error: at least one tcp port specifier must be provided")
    obj = _object("v1", "Service", name, spec=spec)
    obj["metadata"]["labels"] = {"app": name}
    return obj


class ClusteripOptions(Options):
    """What ``clusterip`` was asked."""

    name: tuple[str, ...] = rest("NAME")
    tcp: tuple[str, ...] = flag("--tcp", default=(), help="PORT or PORT:TARGETPORT.")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def clusterip(options: ClusteripOptions, session: Session) -> int:
    """Create a Service with a cluster address."""
    send(session, _service(options.name, "ClusterIP", options.tcp), options.dry_run, options.output)
    return 0


# COMMAND clusterip: 'Create a Service with a cluster address.\n\nExamples:  minikctl create service clusterip web --tcp=80:8080     minikctl create service clusterip web --tcp=80'


class NodeportOptions(Options):
    """What ``nodeport`` was asked."""

    name: tuple[str, ...] = rest("NAME")
    tcp: tuple[str, ...] = flag("--tcp", default=(), help="PORT or PORT:TARGETPORT.")
    node_port: int = flag("--node-port", default=0, help="The port on this machine.")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def nodeport(options: NodeportOptions, session: Session) -> int:
    """Create a Service with a port on this machine."""
    send(
        session,
        _service(options.name, "NodePort", options.tcp, options.node_port),
        options.dry_run,
        options.output,
    )
    return 0


# COMMAND nodeport: 'Create a Service with a port on this machine.\n\nExamples:  minikctl create service nodeport web --tcp=80:8080     … --node-port=30080'


class LoadbalancerOptions(Options):
    """What ``loadbalancer`` was asked."""

    name: tuple[str, ...] = rest("NAME")
    tcp: tuple[str, ...] = flag("--tcp", default=(), help="PORT or PORT:TARGETPORT.")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def loadbalancer(options: LoadbalancerOptions, session: Session) -> int:
    """Create a Service with an address of its own on this machine."""
    send(session, _service(options.name, "LoadBalancer", options.tcp), options.dry_run, options.output)
    return 0


# COMMAND loadbalancer: 'Create a Service with an address of its own on this machine.\n\nExamples:  minikctl create service loadbalancer web --tcp=80:8080     … -n dev'


class ExposeOptions(Options):
    """What ``expose`` was asked."""

    words: tuple[str, ...] = rest("TYPE/NAME | TYPE NAME")
    port: int = flag("--port", default=0, help="The Service's port.")
    target_port: str = flag("--target-port", default="", help="The container's port or its name.")
    name: str = flag("--name", default="", help="The Service's name.")
    kind: str = flag("--type", default="ClusterIP", help="ClusterIP, NodePort or LoadBalancer.")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")


def expose(options: ExposeOptions, session: Session) -> int:
    """Make a Service for what a Deployment, ReplicaSet, Pod or Service selects."""
    target = changing.targets(changing.Chosen(tuple(options.words)), session)[0]
    source = session.client.request("GET", target.path()).json()
    number = options.port or _first_port(source)
    entry: dict[str, Any] = {
        "port": number,
        "protocol": "TCP",
        "targetPort": _target_port(options.target_port, number),
    }
    spec = {"type": options.kind, "selector": _selector(source, target), "ports": [entry]}
    obj = _object("v1", "Service", options.name or target.name, spec=spec)
    obj["metadata"] |= {"namespace": target.namespace, "labels": source["metadata"].get("labels") or {}}
    result = obj
    if options.dry_run != "client":
        place = Target(session.discovery.find("services"), "", target.namespace)
        result = session.client.request("POST", place.path(), obj).json()
    made = Target(session.discovery.find("services"), obj["metadata"]["name"], target.namespace)
    changing.tell(
        changing.Chosen(dry_run=options.dry_run, output=options.output), made, result, "exposed", session
    )
    return 0


# COMMAND expose: 'Make a Service for what a Deployment, ReplicaSet, Pod or Service selects.\n\nExamples:  minikctl expose deploy/web --port=80 --target-port=8080     minikctl expose pod web-1 --port=80'


def _target_port(text: str, port: int) -> int | str:
    return int(text) if text.isdigit() else (text or port)


def _first_port(source: dict[str, Any]) -> int:
    spec = source.get("spec") or {}
    pod = (spec.get("template") or {}).get("spec") or spec
    found = [p["containerPort"] for c in pod.get("containers") or () for p in c.get("ports") or ()]
    found += [p["port"] for p in spec.get("ports") or ()]
    if not found:
        raise errors.UsageError("error: couldn't find port via --port flag or introspection")
    return int(found[0])


def _selector(source: dict[str, Any], target: Target) -> dict[str, str]:
    selector = (source.get("spec") or {}).get("selector") or {}
    if target.resource.name == "pods":
        selector = source["metadata"].get("labels") or {}
    found: dict[str, str] = selector.get("matchLabels", selector)
    if not found or "matchExpressions" in selector:
        raise errors.UsageError(f"error: couldn't retrieve selectors of {target.title}")
    return found


VERBS = {"create": app, "expose": flags.single(expose)}
