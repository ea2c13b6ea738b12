"""CertificateSigningRequest: somebody asks for a certificate."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells, durations, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object


def _duration(obj: Object, _now: datetime) -> str:
    seconds = objects.spec(obj).get("expirationSeconds")
    return cells.NONE if seconds is None else durations.human(seconds)


def _condition(obj: Object, _now: datetime) -> str:
    status = objects.status(obj)
    met = {each.get("type") for each in status.get("conditions") or ()}
    words = ["Denied" if "Denied" in met else "Approved" if "Approved" in met else "Pending"]
    if "Failed" in met:
        words.append("Failed")
    if status.get("certificate"):
        words.append("Issued")
    return ",".join(words)


KIND = Kind(
    "certificates.k8s.io",
    "v1",
    "CertificateSigningRequest",
    "certificatesigningrequests",
    namespaced=False,
    short_names=("csr",),
    subresources=frozenset({"approval", "status"}),
    selectable=cells.selectable("spec.signerName"),
    columns=(
        cells.NAME,
        cells.AGE,
        Column("SignerName", cells.text("spec.signerName", cells.NONE)),
        Column("Requestor", cells.text("spec.username")),
        Column("RequestedDuration", _duration),
        Column("Condition", _condition),
    ),
)
