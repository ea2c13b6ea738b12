"""``cluster-info``: where the API server and cluster DNS are."""

from __future__ import annotations

import typer

from minikctl.cli import flags


def command(ctx: typer.Context) -> None:
    """Print the addresses of the control plane.

    Examples:  minikctl cluster-info     minikctl --cluster dev cluster-info
    """
    session = flags.of(ctx)
    session.client.request("GET", "/version")
    session.io.say(f"Kubernetes control plane is running at {session.endpoint.server}")
    query = {"labelSelector": "kubernetes.io/cluster-service=true"}
    path = "/api/v1/namespaces/kube-system/services"
    for service in session.client.request("GET", path, query=query).json().get("items") or ():
        metadata = service["metadata"]
        title = metadata.get("labels", {}).get("kubernetes.io/name") or metadata["name"]
        session.io.say(f"{title} is running in the cluster at {service['spec'].get('clusterIP', '')}")
    raise typer.Exit(0)


VERBS = {"cluster-info": flags.single(command)}
