"""``cluster-info``: where the API server and cluster DNS are."""

from __future__ import annotations

from minikctl.cli import dump
from minikctl.cli.commands import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from minikctl.cli.flags import Options
    from minikctl.cli.session import Session


def run(_: Options, session: Session) -> int:
    """Print the addresses of the control plane; return the exit code."""
    session.client.request("GET", "/version")
    session.io.say(f"Kubernetes control plane is running at {session.endpoint.server}")
    query = {"labelSelector": "kubernetes.io/cluster-service=true"}
    path = "/api/v1/namespaces/kube-system/services"
    for service in session.client.request("GET", path, query=query).json().get("items") or ():
        metadata = service["metadata"]
        title = (metadata.get("labels") or {}).get("kubernetes.io/name") or metadata["name"]
        port = service["spec"]["ports"][0].get("name", "")
        place = f"{path}/{metadata['name']}{':' + port if port else ''}/proxy"
        session.io.say(f"{title} is running at {session.endpoint.server}{place}")
    session.io.say("")
    session.io.say("To further debug and diagnose cluster problems, use 'minikctl cluster status'.")
    return 0


COMMANDS = {
    "cluster-info": Command(
        "Display where the control plane answers.",
        run=run,
        examples=(
            ("The local cluster", "minikctl cluster-info"),
            ("Another local cluster", "minikctl --cluster lab cluster-info"),
        ),
        children={"dump": dump.COMMAND},
    )
}
