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


@app.callback()
def create(
    ctx: typer.Context,
    files: Annotated[list[str] | None, typer.Option("--filename", "-f", help="Files to create from.")] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-R", help="Descend into directories.")] = False,
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Create objects from files or from a few words.

    Examples:  minikctl create -f app.yaml     minikctl create deployment web --image=minikctl-demo:latest
    """
    if ctx.invoked_subcommand is not None:
        return
    session = flags.of(ctx)
    if not files:
        raise errors.UsageError("error: must specify one of -f and -k")
    failed = False
    for document in manifests.read(files, recursive, session.io.stdin):
        if isinstance(document, manifests.BadDocument):
            session.io.warn(f"error: {document}")
            failed = True
            continue
        try:
            send(session, document.object, dry_run, output)
        except errors.StatusError as error:
            session.io.warn(report.status_sentence(error, f'error when creating "{document.source}"'))
            failed = True
    raise typer.Exit(1 if failed else 0)


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


@app.command()
def namespace(ctx: typer.Context, name: Name, dry_run: DryRun = "none", output: Output = "") -> None:
    """Create a Namespace.

    Examples:  minikctl create namespace dev     minikctl create namespace dev --dry-run=client -o yaml
    """
    send(flags.of(ctx), _object("v1", "Namespace", name), dry_run, output)
    raise typer.Exit(0)


@app.command()
def serviceaccount(ctx: typer.Context, name: Name, dry_run: DryRun = "none", output: Output = "") -> None:
    """Create a ServiceAccount.

    Examples:  minikctl create serviceaccount robot     minikctl create serviceaccount robot -n dev
    """
    send(flags.of(ctx), _object("v1", "ServiceAccount", name), dry_run, output)
    raise typer.Exit(0)


@app.command()
def configmap(
    ctx: typer.Context,
    name: Name,
    literals: Literals = None,
    from_files: FromFiles = None,
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Create a ConfigMap.

    Examples:  minikctl create configmap c --from-literal=k=v     minikctl create configmap c --from-file=app.conf
    """
    data: dict[str, str] = {}
    binary: dict[str, str] = {}
    for key, value in _pairs(literals, from_files).items():
        try:
            data[key] = value.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(value).decode()
    fields = {key: value for key, value in (("data", data), ("binaryData", binary)) if value}
    send(flags.of(ctx), _object("v1", "ConfigMap", name, **fields), dry_run, output)
    raise typer.Exit(0)


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


@secret_app.command()
def generic(
    ctx: typer.Context,
    name: Name,
    literals: Literals = None,
    from_files: FromFiles = None,
    kind: Annotated[str, typer.Option("--type", help="The Secret's type.")] = "Opaque",
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Create a Secret from values or files.

    Examples:  minikctl create secret generic s --from-literal=k=v     minikctl create secret generic s --from-file=key
    """
    data = {k: base64.b64encode(v).decode() for k, v in _pairs(literals, from_files).items()}
    send(flags.of(ctx), _object("v1", "Secret", name, type=kind, data=data), dry_run, output)
    raise typer.Exit(0)


@secret_app.command()
def tls(
    ctx: typer.Context,
    name: Name,
    cert: Annotated[str, typer.Option("--cert", help="A file with the certificate, PEM.")],
    key: Annotated[str, typer.Option("--key", help="A file with the key, PEM.")],
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Create a TLS Secret.

    Examples:  minikctl create secret tls web --cert=tls.crt --key=tls.key     … -n dev
    """
    data = {"tls.crt": _read(cert), "tls.key": _read(key)}
    encoded = {entry: base64.b64encode(value).decode() for entry, value in data.items()}
    obj = _object("v1", "Secret", name, type="kubernetes.io/tls", data=encoded)
    send(flags.of(ctx), obj, dry_run, output)
    raise typer.Exit(0)


@app.command()
def deployment(
    ctx: typer.Context,
    name: Name,
    image: Annotated[list[str], typer.Option("--image", help="The image.")],
    replicas: Annotated[int, typer.Option("--replicas", "-r", help="How many pods.")] = 1,
    port: Annotated[int, typer.Option("--port", help="The container's port.")] = 0,
    words: Annotated[list[str] | None, typer.Argument(metavar="-- COMMAND [ARGS...]")] = None,
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Create a Deployment.

    Examples:  minikctl create deployment web --image=minikctl-demo:latest -r 2     … --port=8080 -- sh -c 'sleep 9'
    """
    labels = {"app": name}
    containers = [_container(reference, port, words) for reference in image]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    obj = _object("apps/v1", "Deployment", name, spec=spec)
    obj["metadata"]["labels"] = labels
    send(flags.of(ctx), obj, dry_run, output)
    raise typer.Exit(0)


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


@service_app.command()
def clusterip(
    ctx: typer.Context, name: Name, tcp: Ports = None, dry_run: DryRun = "none", output: Output = ""
) -> None:
    """Create a Service with a cluster address.

    Examples:  minikctl create service clusterip web --tcp=80:8080     minikctl create service clusterip web --tcp=80
    """
    send(flags.of(ctx), _service(name, "ClusterIP", tcp), dry_run, output)
    raise typer.Exit(0)


@service_app.command()
def nodeport(
    ctx: typer.Context,
    name: Name,
    tcp: Ports = None,
    node_port: Annotated[int, typer.Option("--node-port", help="The port on this machine.")] = 0,
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Create a Service with a port on this machine.

    Examples:  minikctl create service nodeport web --tcp=80:8080     … --node-port=30080
    """
    send(flags.of(ctx), _service(name, "NodePort", tcp, node_port), dry_run, output)
    raise typer.Exit(0)


@service_app.command()
def loadbalancer(
    ctx: typer.Context, name: Name, tcp: Ports = None, dry_run: DryRun = "none", output: Output = ""
) -> None:
    """Create a Service with an address of its own on this machine.

    Examples:  minikctl create service loadbalancer web --tcp=80:8080     … -n dev
    """
    send(flags.of(ctx), _service(name, "LoadBalancer", tcp), dry_run, output)
    raise typer.Exit(0)


def expose(
    ctx: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="TYPE/NAME | TYPE NAME")],
    port: Annotated[int, typer.Option("--port", help="The Service's port.")] = 0,
    target_port: Annotated[str, typer.Option("--target-port", help="The container's port or its name.")] = "",
    name: Annotated[str, typer.Option("--name", help="The Service's name.")] = "",
    kind: Annotated[str, typer.Option("--type", help="ClusterIP, NodePort or LoadBalancer.")] = "ClusterIP",
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Make a Service for what a Deployment, ReplicaSet, Pod or Service selects.

    Examples:  minikctl expose deploy/web --port=80 --target-port=8080     minikctl expose pod web-1 --port=80
    """
    session = flags.of(ctx)
    target = changing.targets(changing.Chosen(tuple(words)), session)[0]
    source = session.client.request("GET", target.path()).json()
    number = port or _first_port(source)
    entry: dict[str, Any] = {
        "port": number,
        "protocol": "TCP",
        "targetPort": _target_port(target_port, number),
    }
    spec = {"type": kind, "selector": _selector(source, target), "ports": [entry]}
    obj = _object("v1", "Service", name or target.name, spec=spec)
    obj["metadata"] |= {"namespace": target.namespace, "labels": source["metadata"].get("labels") or {}}
    result = obj
    if dry_run != "client":
        place = Target(session.discovery.find("services"), "", target.namespace)
        result = session.client.request("POST", place.path(), obj).json()
    made = Target(session.discovery.find("services"), obj["metadata"]["name"], target.namespace)
    changing.tell(changing.Chosen(dry_run=dry_run, output=output), made, result, "exposed", session)
    raise typer.Exit(0)


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
