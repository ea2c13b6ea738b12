"""What becomes of an approved CertificateSigningRequest: its signature, or why it cannot be signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from minikctl.model import kinds, objects, signing
from minikctl.model.actions.api import Plan, Update
from minikctl.model.objects import Object


@dataclass(frozen=True)
class View:
    """A request; ``asked`` is what it asks for; ``certificate`` what the authority would make of it, base64.

    Both are None as long as nothing is to be signed.
    """

    object: Object
    asked: signing.Asked | None = None
    certificate: str | None = None


def is_due(request: Object) -> bool:
    """Tell whether one of our signers has to look at the request."""
    met = {each.get("type") for each in objects.status(request).get("conditions") or ()}
    return (
        "Approved" in met
        and not met & {"Denied", "Failed"}
        and not objects.status(request).get("certificate")
        and objects.spec(request).get("signerName") in signing.SIGNERS
    )


def desired(view: View, now: datetime) -> Plan:
    """Return the write of the certificate, or of the reason why there is none."""
    request = view.object
    if view.asked is None or not is_due(request):
        return Plan()
    spec, status = objects.spec(request), objects.status(request)
    problem = signing.refusal(str(spec.get("signerName")), view.asked, spec.get("usages") or ())
    if problem:
        moment = objects.timestamp(now)
        failed = {
            "type": "Failed",
            "status": "True",
            "reason": "SignerValidationFailure",
            "message": problem,
            "lastUpdateTime": moment,
            "lastTransitionTime": moment,
        }
        status = {**status, "conditions": [*(status.get("conditions") or ()), failed]}
    else:
        status = {**status, "certificate": view.certificate}
    return Plan((Update(kinds.CERTIFICATE_SIGNING_REQUEST, {**request, "status": status}, "status"),))
