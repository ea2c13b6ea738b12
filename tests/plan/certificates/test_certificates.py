from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from minikctl.model import signing
from minikctl.plan import certificates

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ASKED = signing.Asked("ann", ("dev",))


def request(*conditions: str, **more: Any) -> Any:
    met = [{"type": each, "status": "True"} for each in conditions]
    spec = {"signerName": signing.CLIENT, "usages": ["client auth"], **more}
    return {"metadata": {"name": "r"}, "spec": spec, "status": {"conditions": met}}


def test_an_approved_request_is_signed() -> None:
    (write,) = certificates.desired(certificates.View(request("Approved"), ASKED, "PEM"), NOW).actions
    assert write.object["status"]["certificate"] == "PEM"
    assert write.subresource == "status"
    again = certificates.View(write.object, ASKED, "PEM")
    assert not certificates.desired(again, NOW).actions


def test_what_its_signer_does_not_sign_fails_and_says_why() -> None:
    wrong = request("Approved", usages=["server auth"])
    (write,) = certificates.desired(certificates.View(wrong, ASKED, "PEM"), NOW).actions
    failed = write.object["status"]["conditions"][-1]
    assert (failed["type"], failed["reason"]) == ("Failed", "SignerValidationFailure")
    assert "certificate" not in write.object["status"]
    assert not certificates.desired(certificates.View(write.object, ASKED, "PEM"), NOW).actions


def test_others_wait() -> None:
    for other in (request(), request("Approved", "Denied"), request("Approved", signerName="example.com/x")):
        assert not certificates.is_due(other)
        assert not certificates.desired(certificates.View(other, ASKED, "PEM"), NOW).actions
