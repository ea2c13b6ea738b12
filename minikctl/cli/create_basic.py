"""``create configmap|secret|deployment|service|ingress|namespace|serviceaccount``: generators of common objects."""

from __future__ import annotations

import os

from minikctl import errors
from minikctl.cli import creating, generators
from minikctl.cli.commands import Command
from minikctl.cli.flags import after_dash, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class EntriesOptions(creating.HashedOptions):
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


class TlsOptions(creating.HashedOptions):
    """What ``create secret tls`` takes."""

    cert: str = flag("--cert", default="", help="A file with the certificate, PEM.", complete="files")
    key: str = flag("--key", default="", help="A file with the key, PEM.", complete="files")


class RegistryOptions(creating.HashedOptions):
    """What ``create secret docker-registry`` takes."""

    server: str = flag("--docker-server", default="https://index.docker.io/v1/", help="The registry.")
    user: str = flag("--docker-username", default="", help="The user's name.")
    password: str = flag("--docker-password", default="", help="The user's password.")
    sources: tuple[str, ...] = flag(
        "--from-file", default=(), help="A file that is such a configuration, [KEY=]FILE.", complete="files"
    )
    email: str = flag("--docker-email", default="", help="The user's address.")


class DeploymentOptions(creating.NameOptions):
    """What ``create deployment`` takes."""

    REQUIRED = (("images", "image"),)
    images: tuple[str, ...] = flag("--image", default=(), split=True, help="The image of a container.")
    replicas: int = flag("--replicas", "-r", default=1, help="How many pods.")
    port: int = flag("--port", default=-1, help="The port that the container listens on.")
    command: tuple[str, ...] = after_dash(default=())


class ServiceOptions(creating.NameOptions):
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

    REQUIRED = (("external_name", "external-name"),)

    external_name: str = flag("--external-name", default="", help="The name that it stands for.")


class IngressOptions(creating.NameOptions):
    """What ``create ingress`` takes."""

    ingress_class: str = flag("--class", default="", help="The ingress class.")
    default_backend: str = flag("--default-backend", default="", help="SERVICE:PORT for all other requests.")
    annotations: tuple[str, ...] = flag(
        "--annotation", default=(), help="An annotation, KEY=VALUE; may repeat."
    )
    rules: tuple[str, ...] = flag("--rule", default=(), help="HOST/PATH=SERVICE:PORT[,tls[=SECRET]].")


def _deployment(options: DeploymentOptions, name: str) -> dict[str, Any]:
    return generators.deployment(name, options.images, options.replicas, options.port, options.command)


def _config_map(options: EntriesOptions, name: str) -> dict[str, Any]:
    return generators.config_map(
        name, generators.pairs(options.literals, options.sources, options.env_files, name)
    )


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
    if options.sources:
        entries = generators.pairs((), options.sources)
        return generators.secret(name, entries, "kubernetes.io/dockerconfigjson")
    if not (options.user and options.password and options.server):
        raise errors.UsageError(
            "error: either --from-file or the combination of --docker-username, --docker-password and "
            "--docker-server is required"
        )
    return generators.registry_secret(name, options.server, options.user, options.password, options.email)


def _ingress(options: IngressOptions, name: str) -> dict[str, Any]:
    found = generators.ingress(name, options.rules, options.ingress_class, options.default_backend)
    pairs = [entry.partition("=") for entry in options.annotations]
    for key, equals, value in pairs:
        if not equals:
            raise errors.UsageError(f"error: annotation {key} is invalid and should be in format key=[value]")
        found["metadata"].setdefault("annotations", {})[key] = value
    return found


def _cluster_ip(options: ClusterIpOptions, name: str) -> dict[str, Any]:
    chosen = {"clusterIP": options.cluster_ip} if options.cluster_ip else {}
    return generators.service(name, "ClusterIP", options.tcp, **chosen)


def _external_name(options: ExternalNameOptions, name: str) -> dict[str, Any]:
    from minikctl.model import names

    if list(names.dns_subdomain(options.external_name)):
        raise errors.UsageError(f"error: invalid service external name {options.external_name}")
    return generators.service(name, "ExternalName", options.tcp, externalName=options.external_name)


_ENTRIES = "NAME [--from-literal=KEY=VALUE] [--from-file=[KEY=]SOURCE]"

SECRETS = {
    "docker-registry": creating.command(
        "Create a Secret that images are pulled with.",
        RegistryOptions,
        _registry,
        "NAME --docker-username=USER --docker-password=PASSWORD [--docker-server=SERVER]",
        "minikctl create secret docker-registry reg --docker-username=anna --docker-password=x",
        "minikctl create secret docker-registry reg --docker-username=a --docker-password=x --dry-run=client -o yaml",
    ),
    "generic": creating.command(
        "Create a Secret from values or files.",
        SecretOptions,
        _secret,
        _ENTRIES,
        "minikctl create secret generic keys --from-literal=key=value",
        "minikctl create secret generic keys --from-file=id_ed25519 --dry-run=client -o yaml",
    ),
    "tls": creating.command(
        "Create a Secret with a certificate and its key.",
        TlsOptions,
        _tls,
        "NAME --cert=FILE --key=FILE",
        "minikctl create secret tls web --cert=tls.crt --key=tls.key",
        "minikctl create secret tls web --cert=tls.crt --key=tls.key --dry-run=client -o yaml",
    ),
}

SERVICES = {
    "clusterip": creating.command(
        "Create a Service with an address inside the cluster.",
        ClusterIpOptions,
        _cluster_ip,
        "NAME [--tcp=PORT:TARGETPORT]",
        "minikctl create service clusterip web --tcp=80:8080",
        "minikctl create service clusterip web --clusterip=None --dry-run=client -o yaml",
    ),
    "externalname": creating.command(
        "Create a Service that stands for a name elsewhere.",
        ExternalNameOptions,
        _external_name,
        "NAME --external-name=NAME",
        "minikctl create service externalname db --external-name=db.example.com",
        "minikctl create service externalname db --external-name=db.example.com --dry-run=client -o yaml",
    ),
    "loadbalancer": creating.command(
        "Create a Service with an address of its own on this machine.",
        ServiceOptions,
        lambda options, name: generators.service(name, "LoadBalancer", options.tcp),
        "NAME [--tcp=PORT:TARGETPORT]",
        "minikctl create service loadbalancer web --tcp=80:8080",
        "minikctl create service loadbalancer web --tcp=80 --dry-run=client -o yaml",
    ),
    "nodeport": creating.command(
        "Create a Service with a port on this machine.",
        NodePortOptions,
        lambda options, name: generators.service(name, "NodePort", options.tcp, nodePort=options.node_port),
        "NAME [--tcp=PORT:TARGETPORT] [--node-port=PORT]",
        "minikctl create service nodeport web --tcp=80:8080 --node-port=30080",
        "minikctl create service nodeport web --tcp=80 --dry-run=client -o yaml",
    ),
}

CHILDREN = {
    "configmap": creating.command(
        "Create a ConfigMap from values or files.",
        EntriesOptions,
        _config_map,
        _ENTRIES,
        "minikctl create configmap settings --from-literal=color=blue",
        "minikctl create configmap settings --from-file=app.conf --dry-run=client -o yaml",
    ),
    "deployment": creating.command(
        "Create a Deployment.",
        DeploymentOptions,
        _deployment,
        "NAME --image=IMAGE [--replicas=N] [--port=PORT] -- [COMMAND] [ARGS...]",
        "minikctl create deployment web --image=minikctl-demo:latest --replicas=2",
        "minikctl create deployment web --image=minikctl-demo:latest --dry-run=client -o yaml",
    ),
    "ingress": creating.command(
        "Create an Ingress.",
        IngressOptions,
        _ingress,
        "NAME --rule=HOST/PATH=SERVICE:PORT[,tls[=SECRET]]",
        "minikctl create ingress web --rule='web.example/*=web:80'",
        "minikctl create ingress web --default-backend=web:80 --dry-run=client -o yaml",
    ),
    "namespace": creating.command(
        "Create a Namespace.",
        creating.NameOptions,
        lambda options, name: generators.named("v1", "Namespace", name, spec={}, status={}),
        "NAME",
        "minikctl create namespace tour",
        "minikctl create namespace tour --dry-run=client -o yaml",
    ),
    "secret": Command("Create a Secret.", children=SECRETS),
    "service": Command("Create a Service.", children=SERVICES),
    "serviceaccount": creating.command(
        "Create a ServiceAccount.",
        creating.NameOptions,
        lambda options, name: generators.named("v1", "ServiceAccount", name),
        "NAME",
        "minikctl create serviceaccount robot",
        "minikctl create serviceaccount robot --dry-run=client -o yaml",
    ),
}
