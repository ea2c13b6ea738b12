"""The limits of a pod's traffic by its annotations, in bits a second, as kubelets read them."""

from __future__ import annotations

from minikctl.model import objects, quantity
from minikctl.model.objects import Object

INGRESS, EGRESS = "kubernetes.io/ingress-bandwidth", "kubernetes.io/egress-bandwidth"
LEAST, MOST = 1_000, 10**15


def rate(pod: Object, annotation: str) -> int:
    """Return a limit, 0 when there is none or it cannot be used, which ``refusal`` tells."""
    text = objects.annotations(pod).get(annotation)
    return 0 if not text or problem(text) else quantity.whole(text)


def refusal(pod: Object) -> str:
    """Return why there can be no sandbox with the limits that the pod asks for, "" if there can."""
    for annotation in (INGRESS, EGRESS):
        text = objects.annotations(pod).get(annotation)
        if text and (words := problem(text)):
            return f"Failed to create pod sandbox: failed to get pod bandwidth annotations: {words}"
    return ""


def problem(text: str) -> str:
    """Return what is wrong with a limit, "" if nothing is."""
    try:
        found = quantity.parse(text)
    except ValueError as error:
        return str(error)
    if found < LEAST:
        return "resource is unreasonably small (< 1kbit)"
    return "resource is unreasonably large (> 1Pbit)" if found > MOST else ""
