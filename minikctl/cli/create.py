"""``create``: new objects from files or from a few words."""

from __future__ import annotations

import os

from minikctl import errors
from minikctl.cli import changing, flags, generators, manifests, report, selection
from minikctl.cli.commands import Command
from minikctl.cli.discovery import Resource
from minikctl.cli.flags import after_dash, flag, rest
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from minikctl.cli.session import Session

RESOURCES = {
    "Namespace": Resource("", "v1", "namespaces", "namespace", "Namespace", namespaced=False),
    "ServiceAccount": Resource(
        "", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", namespaced=True
    ),
    "ConfigMap": Resource("", "v1", "configmaps", "configmap", "ConfigMap", namespaced=True),
    "Secret": Resource("", "v1", "secrets", "secret", "Secret", namespaced=True),
    "Service": Resource("", "v1", "services", "service", "Service", namespaced=True),
    "Pod": Resource("", "v1", "pods", "pod", "Pod", namespaced=True),
    "Deployment": Resource("apps", "v1", "deployments", "deployment", "Deployment", namespaced=True),
    "Ingress": Resource("networking.k8s.io", "v1", "ingresses", "ingress", "Ingress", namespaced=True),
}
"""The resources of generated objects: known without asking, so that a client-side dry run needs no server."""


class CreateOptions(changing.Reported):
    """What ``create -f`` was asked."""

    files: tuple[str, ...] = flag(
        "--filename", "-f", default=(), split=True, help="Files to create from.", complete="files"
    )
    recursive: bool = flag("--recursive", "-R", default=False, help="Descend into directories.")
    validate: str = flag(
        "--validate",
        default="strict",
        bare="strict",
        help="strict, warn or ignore unknown fields.",
        complete="strict warn ignore",
    )
    words: tuple[str, ...] = rest(default=())


def create(options: CreateOptions, session: Session) -> int:
    """Create the objects of manifests; return the exit code."""
    changing.check_dry_run(options.dry_run)
    if options.words:
        raise flags.BadArguments(f"Unexpected args: [{' '.join(options.words)}]")
    if not options.files:
        raise errors.UsageError("error: must specify one of -f and -k")
    failed = False
    for document in manifests.read(options.files, options.recursive, session.io.stdin):
        if isinstance(document, manifests.BadDocument):
            session.io.warn(f"error: {document}")
            failed = True
            continue
        try:
            target = selection.target_of(document.object, session)
            send(options, target, document.object, session)
        except errors.StatusError as error:
            session.io.warn(report.status_sentence(error, f'error when creating "{document.source}"'))
            failed = True
        except errors.UsageError as error:
            session.io.warn(f"error: {document.place}: {str(error).removeprefix('error: ')}")
            failed = True
    return 1 if failed else 0


def send(
    options: changing.Reported, target: Target, obj: dict[str, Any], session: Session, said: str = "created"
) -> dict[str, Any]:
    """Create the object, say so, and return it as it is now."""
    result = obj
    if options.dry_run != "client":
        query = {
            "dryRun": "All" if options.dry_run == "server" else "",
            "fieldManager": options.manager or "kubectl-create",
            "fieldValidation": "Strict",
        }
        result = session.client.request("POST", target.collection.path(), obj, query=query).json()
    made = Target(target.resource, result["metadata"].get("name", target.name), target.namespace)
    changing.tell(options, made, result, said, session)
    return result


def make(options: changing.Reported, obj: dict[str, Any], session: Session, said: str = "created") -> int:
    """Create a generated object; return the exit code."""
    changing.check_dry_run(options.dry_run)
    resource = RESOURCES[obj["kind"]]
    namespace = session.settings.namespace
    if resource.namespaced and namespace:
        obj["metadata"]["namespace"] = namespace
    if resource.namespaced and options.dry_run != "client":
        namespace = session.namespace
    send(options, Target(resource, obj["metadata"]["name"], namespace), obj, session, said)
    return 0


def _generate(options: changing.Reported, obj: dict[str, Any], session: Session) -> int:
    """Create what a generator made; a refusal is told in kubectl's words."""
    try:
        return make(options, obj, session)
    except errors.StatusError as error:
        if obj["kind"] == "Namespace":
            raise
        kind = f"{obj['spec']['type']} service" if obj["kind"] == "Service" else obj["kind"].lower()
        raise errors.UsageError(f"error: failed to create {kind}: {error.message}") from error


class NameOptions(changing.Reported):
    """What a generator of objects without fields takes."""

    names: tuple[str, ...] = rest("NAME", default=())


class EntriesOptions(NameOptions):
    """What a generator of ConfigMaps takes."""

    literals: tuple[str, ...] = flag("--from-literal", default=(), help="An entry: KEY=VALUE.")
    sources: tuple[str, ...] = flag(
        "--from-file",
        default=(),
        help="An entry from [KEY=]FILE, or all files of a directory.",
        complete="files",
    )
    env_files: tuple[str, ...] = flag(
        "--from-env-file", default=(), help="Entries from a file of KEY=VALUE lines.", complete="files"
    )


class SecretOptions(EntriesOptions):
    """What ``create secret generic`` takes."""

    type: str = flag("--type", default="", help="The type of the Secret.")


class TlsOptions(NameOptions):
    """What ``create secret tls`` takes."""

    cert: str = flag("--cert", default="", help="A file with the certificate, PEM.", complete="files")
    key: str = flag("--key", default="", help="A file with the key, PEM.", complete="files")


class RegistryOptions(NameOptions):
    """What ``create secret docker-registry`` takes."""

    server: str = flag("--docker-server", default="https://index.docker.io/v1/", help="The registry.")
    user: str = flag("--docker-username", default="", help="The user's name.")
    password: str = flag("--docker-password", default="", help="The user's password.")
    email: str = flag("--docker-email", default="", help="The user's address.")


class DeploymentOptions(NameOptions):
    """What ``create deployment`` takes."""

    images: tuple[str, ...] = flag("--image", default=(), split=True, help="The image of a container.")
    replicas: int = flag("--replicas", "-r", default=1, help="How many pods.")
    port: int = flag("--port", default=-1, help="The port that the container listens on.")
    command: tuple[str, ...] = after_dash(default=())


class ServiceOptions(NameOptions):
    """What ``create service`` takes."""

    tcp: tuple[str, ...] = flag("--tcp", default=(), split=True, help="PORT or PORT:TARGETPORT.")


class ClusterIpOptions(ServiceOptions):
    """What ``create service clusterip`` takes."""

    cluster_ip: str = flag("--clusterip", default="", help='An address, or "None" for a headless Service.')


class NodePortOptions(ServiceOptions):
    """What ``create service nodeport`` takes."""

    node_port: int = flag("--node-port", default=0, help="The port on this machine.")


class ExternalNameOptions(ServiceOptions):
    """What ``create service externalname`` takes."""

    external_name: str = flag("--external-name", default="", help="The name that it stands for.")


class IngressOptions(NameOptions):
    """What ``create ingress`` takes."""

    ingress_class: str = flag("--class", default="", help="The ingress class.")
    default_backend: str = flag("--default-backend", default="", help="SERVICE:PORT for all other requests.")
    rules: tuple[str, ...] = flag("--rule", default=(), help="HOST/PATH=SERVICE:PORT[,tls[=SECRET]].")


def _generator(form: Callable[[Any, str], dict[str, Any]]) -> Callable[[Any, Session], int]:
    """Return a command that creates what ``form`` makes of its options and the only name."""

    def run(options: NameOptions, session: Session) -> int:
        return _generate(options, form(options, flags.one(options.names)), session)

    return run


def _deployment(options: DeploymentOptions, name: str) -> dict[str, Any]:
    if not options.images:
        raise errors.UsageError('error: required flag(s) "image" not set')
    return generators.deployment(name, options.images, options.replicas, options.port, options.command)


def _config_map(options: EntriesOptions, name: str) -> dict[str, Any]:
    return generators.config_map(name, generators.pairs(options.literals, options.sources, options.env_files))


def _secret(options: SecretOptions, name: str) -> dict[str, Any]:
    entries = generators.pairs(options.literals, options.sources, options.env_files)
    return generators.secret(name, entries, options.type)


def _tls(options: TlsOptions, name: str) -> dict[str, Any]:
    if not options.cert or not options.key:
        raise errors.UsageError("error: key and cert must be specified")
    files = {"tls.crt": options.cert, "tls.key": options.key}
    for path in files.values():
        if not os.path.isfile(path):
            raise errors.UsageError(f"error: Cannot read file {path}, open {path}: no such file or directory")
    entries = {key: generators.read(path) for key, path in files.items()}
    return generators.secret(name, entries, "kubernetes.io/tls")


def _registry(options: RegistryOptions, name: str) -> dict[str, Any]:
    return generators.registry_secret(name, options.server, options.user, options.password, options.email)


def _cluster_ip(options: ClusterIpOptions, name: str) -> dict[str, Any]:
    chosen = {"clusterIP": options.cluster_ip} if options.cluster_ip else {}
    return generators.service(name, "ClusterIP", options.tcp, **chosen)


def _external_name(options: ExternalNameOptions, name: str) -> dict[str, Any]:
    if not options.external_name:
        raise errors.UsageError('error: required flag(s) "external-name" not set')
    return generators.service(name, "ExternalName", options.tcp, externalName=options.external_name)


def _command(
    summary: str,
    options: type[NameOptions],
    form: Callable[[Any, str], dict[str, Any]],
    usage: str,
    *lines: str,
) -> Command:
    examples = (("Create one", lines[0]), ("Only show what would be created", lines[1]))
    return Command(summary, options, _generator(form), usage=usage, examples=examples)


_ENTRIES = "NAME [--from-literal=KEY=VALUE] [--from-file=[KEY=]SOURCE]"

SECRETS = {
    "docker-registry": _command(
        "Create a Secret that images are pulled with.",
        RegistryOptions,
        _registry,
        "NAME --docker-username=USER --docker-password=PASSWORD [--docker-server=SERVER]",
        "minikctl create secret docker-registry reg --docker-username=anna --docker-password=x",
        "minikctl create secret docker-registry reg --docker-username=a --docker-password=x --dry-run=client -o yaml",
    ),
    "generic": _command(
        "Create a Secret from values or files.",
        SecretOptions,
        _secret,
        _ENTRIES,
        "minikctl create secret generic keys --from-literal=key=value",
        "minikctl create secret generic keys --from-file=id_ed25519 --dry-run=client -o yaml",
    ),
    "tls": _command(
        "Create a Secret with a certificate and its key.",
        TlsOptions,
        _tls,
        "NAME --cert=FILE --key=FILE",
        "minikctl create secret tls web --cert=tls.crt --key=tls.key",
        "minikctl create secret tls web --cert=tls.crt --key=tls.key --dry-run=client -o yaml",
    ),
}

SERVICES = {
    "clusterip": _command(
        "Create a Service with an address inside the cluster.",
        ClusterIpOptions,
        _cluster_ip,
        "NAME [--tcp=PORT:TARGETPORT]",
        "minikctl create service clusterip web --tcp=80:8080",
        "minikctl create service clusterip web --clusterip=None --dry-run=client -o yaml",
    ),
    "externalname": _command(
        "Create a Service that stands for a name elsewhere.",
        ExternalNameOptions,
        _external_name,
        "NAME --external-name=NAME",
        "minikctl create service externalname db --external-name=db.example.com",
        "minikctl create service externalname db --external-name=db.example.com --dry-run=client -o yaml",
    ),
    "loadbalancer": _command(
        "Create a Service with an address of its own on this machine.",
        ServiceOptions,
        lambda options, name: generators.service(name, "LoadBalancer", options.tcp),
        "NAME [--tcp=PORT:TARGETPORT]",
        "minikctl create service loadbalancer web --tcp=80:8080",
        "minikctl create service loadbalancer web --tcp=80 --dry-run=client -o yaml",
    ),
    "nodeport": _command(
        "Create a Service with a port on this machine.",
        NodePortOptions,
        lambda options, name: generators.service(name, "NodePort", options.tcp, nodePort=options.node_port),
        "NAME [--tcp=PORT:TARGETPORT] [--node-port=PORT]",
        "minikctl create service nodeport web --tcp=80:8080 --node-port=30080",
        "minikctl create service nodeport web --tcp=80 --dry-run=client -o yaml",
    ),
}

CHILDREN = {
    "configmap": _command(
        "Create a ConfigMap from values or files.",
        EntriesOptions,
        _config_map,
        _ENTRIES,
        "minikctl create configmap settings --from-literal=color=blue",
        "minikctl create configmap settings --from-file=app.conf --dry-run=client -o yaml",
    ),
    "deployment": _command(
        "Create a Deployment.",
        DeploymentOptions,
        _deployment,
        "NAME --image=IMAGE [--replicas=N] [--port=PORT] -- [COMMAND] [ARGS...]",
        "minikctl create deployment web --image=minikctl-demo:latest --replicas=2",
        "minikctl create deployment web --image=minikctl-demo:latest --dry-run=client -o yaml",
    ),
    "ingress": _command(
        "Create an Ingress.",
        IngressOptions,
        lambda options, name: generators.ingress(
            name, options.rules, options.ingress_class, options.default_backend
        ),
        "NAME --rule=HOST/PATH=SERVICE:PORT[,tls[=SECRET]]",
        "minikctl create ingress web --rule='web.example/*=web:80'",
        "minikctl create ingress web --default-backend=web:80 --dry-run=client -o yaml",
    ),
    "namespace": _command(
        "Create a Namespace.",
        NameOptions,
        lambda options, name: generators.named("v1", "Namespace", name, spec={}, status={}),
        "NAME",
        "minikctl create namespace tour",
        "minikctl create namespace tour --dry-run=client -o yaml",
    ),
    "secret": Command("Create a Secret.", children=SECRETS),
    "service": Command("Create a Service.", children=SERVICES),
    "serviceaccount": _command(
        "Create a ServiceAccount.",
        NameOptions,
        lambda options, name: generators.named("v1", "ServiceAccount", name),
        "NAME",
        "minikctl create serviceaccount robot",
        "minikctl create serviceaccount robot --dry-run=client -o yaml",
    ),
}
ALIASES = {
    "cm": "configmap",
    "deploy": "deployment",
    "ing": "ingress",
    "ns": "namespace",
    "sa": "serviceaccount",
}
ALIASES |= {"svc": "service", "dep": "deployment"}

COMMANDS = {
    "create": Command(
        "Create objects from files, or from a few words.",
        CreateOptions,
        create,
        usage="-f FILENAME",
        examples=(
            ("Create what a file describes", "minikctl create -f app.yaml"),
            ("Create a Deployment", "minikctl create deployment web --image=minikctl-demo:latest"),
        ),
        children=CHILDREN,
        aliases=ALIASES,
    )
}
