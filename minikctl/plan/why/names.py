"""Whether cluster DNS answers, and if not, why."""

from __future__ import annotations

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.why import policy
from minikctl.plan.why.links import View

NOBODY = "no pod of cluster DNS is ready: names are not resolved in pods"


def servers(view: View) -> list[Object]:
    """Return the name servers that are ready."""
    return [
        pod
        for pod in view.pods
        if objects.namespace(pod) == "kube-system"
        and objects.labels(pod).get("k8s-app") == "kube-dns"
        and readiness.is_ready(pod)
    ]


def silence(view: View) -> str:
    """Say why the pod that asked got no answer: by a policy, if one is in the way of all ready servers."""
    where = view.facts.client
    client = next((pod for pod in view.pods if "/".join(objects.key(pod)) == where), None)
    denials = [policy.denial(view, server, 53, "UDP", client) for server in servers(view) if client]
    why = f": {denials[0]}" if denials and all(denials) else ""
    return f"cluster DNS does not answer {where}{why}"
