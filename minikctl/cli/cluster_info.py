"""``cluster-info``: where the API server and cluster DNS are."""

from __future__ import annotations

import typer

from minikctl.cli import flags


class CommandOptions(Options):
    """What ``command`` was asked."""


def command(options: CommandOptions, session: Session) -> int:
    """Print the addresses of the control plane."""
    session.client.request("GET", "/version")
    session.io.say(f"Kubernetes control plane is running at {session.endpoint.server}")
    query = {"labelSelector": "kubernetes.io/cluster-service=true"}
    path = "/api/v1/namespaces/kube-system/services"
    for service in session.client.request("GET", path, query=query).json().get("items") or ():
        metadata = service["metadata"]
        title = metadata.get("labels", {}).get("kubernetes.io/name") or metadata["name"]
        session.io.say(f"{title} is running in the cluster at {service['spec'].get('clusterIP', '')}")
    return 0


# COMMAND command: 'Print the addresses of the control plane.\n\nExamples:  minikctl cluster-info     minikctl --cluster dev cluster-info'


VERBS = {"cluster-info": flags.single(command)}
