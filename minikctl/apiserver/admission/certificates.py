"""CertificateSigningRequests: who asks is noted, and who approves or signs has to be allowed to.

This is CertificateApproval, CertificateSigning and CertificateSubjectRestriction of Kubernetes, and what its
storage of these objects does.
"""

from __future__ import annotations

import base64
import binascii

from minikctl import errors
from minikctl.apiserver import signer
from minikctl.apiserver.admission.chain import Plugin, Request
from minikctl.apiserver.admission.world import World
from minikctl.apiserver.attributes import Attributes
from minikctl.apiserver.auth import MASTERS
from minikctl.apiserver.rbac import Rbac
from minikctl.model import causes, objects, signing
from minikctl.model.objects import Object

GROUP = "certificates.k8s.io"
_SHORTEST_SECONDS = 600


class CertificateRequests(Plugin):
    """Notes the requestor; checks permission for approval and signing."""

    name = "CertificateApproval"
    operations = frozenset(("CREATE", "UPDATE"))
    resources = frozenset((f"certificatesigningrequests.{GROUP}",))
    subresources = frozenset(("", "approval", "status"))

    def __init__(self, world: World, roles: Rbac) -> None:
        self._world = world
        self._roles = roles

    async def mutate(self, request: Request) -> None:
        """Write into the spec who asks; into conditions, when they were met; keep what may not change."""
        new, old = request.new, request.old or {}
        if request.operation == "CREATE":
            info = request.user.info()
            kept = {key: info[key] for key in ("username", "uid", "groups", "extra") if key in info}
            spec = {
                key: value
                for key, value in objects.spec(new).items()
                if key not in ("username", "uid", "groups", "extra")
            }
            new["spec"] = {**spec, **kept}
            return
        if not request.subresource:
            new["spec"] = objects.spec(old)
            return
        status = dict(objects.status(new))
        if request.subresource == "approval":
            status["certificate"] = objects.status(old).get("certificate")
            if not status["certificate"]:
                del status["certificate"]
        status["conditions"] = self._dated(status, old)
        new["status"] = status

    def _dated(self, status: Object, old: Object) -> list[Object]:
        now = objects.timestamp(self._world.now())
        before = {each.get("type"): each for each in objects.status(old).get("conditions") or ()}
        found = []
        for each in status.get("conditions") or ():
            times = {"lastTransitionTime": now, "lastUpdateTime": now}
            known = before.get(each.get("type")) or {}
            found.append({**times, **{key: known[key] for key in times if key in known}, **each})
        return found

    async def validate(self, request: Request) -> None:
        """Refuse what is no request, and those who may not approve or sign it."""
        if request.operation == "CREATE":
            self._check(request)
        elif request.subresource == "approval" and _decided(request.new) != _decided(request.old or {}):
            self._permit(request, "approve", "approve")
        elif request.subresource == "status":
            certificate = objects.status(request.new).get("certificate")
            if certificate != objects.status(request.old or {}).get("certificate"):
                self._permit(request, "sign", "sign")

    def _check(self, request: Request) -> None:
        spec = objects.spec(request.new)
        found = []
        name = str(spec.get("signerName") or "")
        try:
            asked = signer.asked(base64.b64decode(str(spec.get("request") or ""), validate=True))
        except (signer.NotARequest, binascii.Error):
            text = "PEM block type must be CERTIFICATE REQUEST"
            raise self._invalid(
                request, [causes.invalid("spec.request", spec.get("request"), text)]
            ) from None
        if name == signing.LEGACY:
            text = "the legacy signerName is not allowed via this API version"
            found.append(causes.invalid("spec.signerName", name, text))
        if not spec.get("usages"):
            found.append(causes.required("spec.usages", "usages must be provided"))
        seconds = spec.get("expirationSeconds")
        if seconds is not None and seconds < _SHORTEST_SECONDS:
            text = "may not specify a duration less than 600 seconds (10 minutes)"
            found.append(causes.invalid("spec.expirationSeconds", seconds, text))
        if found:
            raise self._invalid(request, found)
        if name == signing.CLIENT and MASTERS in asked.organizations:
            raise request.refusal(f"use of {name} signer with {MASTERS} group is not allowed")

    def _invalid(self, request: Request, found: list[dict[str, str]]) -> errors.StatusError:
        return errors.invalid(request.kind.kind, request.kind.group, request.name, found)

    def _permit(self, request: Request, verb: str, word: str) -> None:
        name = str(objects.spec(request.old or {}).get("signerName") or "")
        for each in (name, f"{name.partition('/')[0]}/*"):
            asked = Attributes(verb, GROUP, "*", "signers", name=each)
            if self._roles.authorize(request.user, asked).allowed:
                return
        raise request.refusal(f'user not permitted to {word} requests with signerName "{name}"')


def _decided(obj: Object) -> set[str]:
    met = {str(each.get("type")) for each in objects.status(obj).get("conditions") or ()}
    return met & {"Approved", "Denied"}
