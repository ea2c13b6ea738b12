"""Client certificates: asked for, approved, signed, and used."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from minikctl import errors
from minikctl.apiserver import pki, signer
from minikctl.apiserver.auth import Credentials, User
from minikctl.apiserver.options import Caller, WriteOptions
from minikctl.apiserver.registry import Registry
from minikctl.client.home import ClusterHome
from minikctl.client.settings import ClusterSettings
from minikctl.model import kinds, signing
from minikctl.runtime.clock import SystemClock
from tests.apiserver.harness import served

CLIENT = {"signerName": signing.CLIENT, "usages": ["client auth"]}


def request(name: str = "ann", groups: tuple[str, ...] = ("dev",)) -> tuple[bytes, bytes]:
    """Return a key and a request for it, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    parts += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in groups]
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(parts)).sign(key, hashes.SHA256())
    encoding = serialization.Encoding.PEM
    text = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return text, made.public_bytes(encoding)


def csr(pem: bytes, **spec: Any) -> Any:
    return {"metadata": {"name": "r"}, "spec": {**CLIENT, "request": base64.b64encode(pem).decode(), **spec}}


async def test_who_asks_is_noted_whatever_the_request_says(registry: Registry) -> None:
    options = WriteOptions(caller=Caller(User("bob", ("ops",))))
    body = csr(request()[1], username="root", groups=["system:masters"])
    made = await registry.create(kinds.CERTIFICATE_SIGNING_REQUEST, "", body, options)
    assert (made["spec"]["username"], made["spec"]["groups"]) == ("bob", ["ops"])


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"request": "AAAA"}, "spec.request: Invalid value"),
        ({"signerName": signing.LEGACY}, "the legacy signerName is not allowed via this API version"),
        ({"usages": []}, "usages"),
        ({"expirationSeconds": 10}, "may not specify a duration less than 600 seconds"),
    ],
)
async def test_what_cannot_be_signed_is_refused(registry: Registry, spec: Any, words: str) -> None:
    with pytest.raises(errors.StatusError, match=words):
        await registry.create(kinds.CERTIFICATE_SIGNING_REQUEST, "", csr(request()[1], **spec))


async def test_nobody_becomes_administrator_by_certificate(registry: Registry) -> None:
    body = csr(request(groups=("system:masters",))[1])
    with pytest.raises(errors.StatusError, match="signer with system:masters group is not allowed"):
        await registry.create(kinds.CERTIFICATE_SIGNING_REQUEST, "", body)


async def test_approval_has_to_be_allowed(registry: Registry) -> None:
    made = await registry.create(kinds.CERTIFICATE_SIGNING_REQUEST, "", csr(request()[1]))
    approved = {**made, "status": {"conditions": [{"type": "Approved", "status": "True", "reason": "x"}]}}
    bob = WriteOptions(caller=Caller(User("bob")))
    refused = pytest.raises(
        errors.StatusError, match="user not permitted to approve requests with signerName"
    )
    with refused:
        await registry.update(
            kinds.CERTIFICATE_SIGNING_REQUEST, "", "r", dict(approved), bob, subresource="approval"
        )
    done = await registry.update(
        kinds.CERTIFICATE_SIGNING_REQUEST, "", "r", dict(approved), subresource="approval"
    )
    condition = done["status"]["conditions"][0]
    assert condition["lastUpdateTime"] == condition["lastTransitionTime"] != ""


@pytest.mark.parametrize(
    ("signer_name", "asked", "usages", "words"),
    [
        (signing.CLIENT, signing.Asked("ann", ()), ["client auth", "digital signature"], ""),
        (signing.CLIENT, signing.Asked("ann", ()), ["server auth"], "usages did not match"),
        (signing.KUBELET_CLIENT, signing.Asked("system:node:a", ("system:nodes",)), ["client auth"], ""),
        (signing.KUBELET_CLIENT, signing.Asked("a", ("system:nodes",)), ["client auth"], "common name"),
        (
            signing.KUBELET_SERVING,
            signing.Asked("system:node:a", ("system:nodes",), ("a",)),
            ["server auth"],
            "",
        ),
        (
            signing.KUBELET_SERVING,
            signing.Asked("system:node:a", ("system:nodes",)),
            ["server auth"],
            "is required",
        ),
        (
            signing.KUBELET_SERVING,
            signing.Asked("system:node:a", ("x",), ("a",)),
            ["server auth"],
            "organization",
        ),
        ("example.com/x", signing.Asked("a", ()), ["client auth"], "unrecognized signer"),
    ],
)
def test_signers_sign_only_what_is_theirs(
    signer_name: str, asked: signing.Asked, usages: list[str], words: str
) -> None:
    found = signing.refusal(signer_name, asked, usages)
    assert (words in found) if words else not found


def test_a_certificate_proves_its_subject(tmp_path: Path) -> None:
    keys = pki.ensure(ClusterHome("c", str(tmp_path)), ClusterSettings("c"))
    _, pem = request("ann", ("dev", "ops"))
    made = keys.authority.sign(pem, ("client auth",), 600, SystemClock().now())
    der = x509.load_pem_x509_certificate(made).public_bytes(serialization.Encoding.DER)
    user = signer.authenticate(Credentials({}, der))
    assert user is not None
    assert (user.name, user.groups) == ("ann", ("dev", "ops", "system:authenticated"))
    assert signer.authenticate(Credentials({})) is None


async def test_kubectl_comes_in_with_a_certificate(registry: Registry, tmp_path: Path) -> None:
    async with served(registry, tmp_path) as server:
        keys = pki.ensure(ClusterHome("harness", str(tmp_path)), ClusterSettings("harness"))
        key, pem = request()
        made = keys.authority.sign(pem, ("client auth",), 600, SystemClock().now())
        (tmp_path / "ann.key").write_bytes(key)
        (tmp_path / "ann.crt").write_bytes(made)
        flags = ("--client-key", str(tmp_path / "ann.key"), "--client-certificate", str(tmp_path / "ann.crt"))
        config = (
            f"--kubeconfig={os.devnull}",
            f"--server={server.address}",
            f"--certificate-authority={server.ca}",
        )
        who = await server.kubectl(
            *config, *flags, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"
        )
        assert (who.out, who.err) == ("ann", "")
        refused = await server.kubectl(*config, *flags, "get", "pods")
        assert 'pods is forbidden: User "ann" cannot list resource "pods"' in refused.err
        other = tmp_path / "other"
        foreign = pki.ensure(ClusterHome("o", str(other)), ClusterSettings("o")).authority
        (tmp_path / "ann.crt").write_bytes(foreign.sign(pem, ("client auth",), 600, SystemClock().now()))
        stranger = await server.kubectl(*config, *flags, "get", "pods")
        assert stranger.code != 0
