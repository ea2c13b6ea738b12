"""Which certificates each signer makes, by the rules of kube-controller-manager's signer."""

from __future__ import annotations

import pytest

from minikctl.model import signing
from minikctl.model.signing import Asked

NODE = Asked("system:node:one", ("system:nodes",))
SERVER = Asked("system:node:one", ("system:nodes",), dns_names=("one",))
CLIENT_USAGES = ("digital signature", "key encipherment", "client auth")
SERVER_USAGES = ("digital signature", "server auth")


@pytest.mark.parametrize(
    ("signer", "asked", "usages", "want"),
    [
        (signing.CLIENT, Asked("jane", ("dev",), dns_names=("x",)), CLIENT_USAGES, ""),
        (signing.CLIENT, Asked("jane", ()), ("client auth",), ""),
        (signing.CLIENT, Asked("jane", ()), ("server auth", "client auth"), "usages did not match"),
        (signing.CLIENT, Asked("jane", ()), ("digital signature",), "usages did not match"),
        (signing.KUBELET_CLIENT, NODE, CLIENT_USAGES, ""),
        (signing.KUBELET_CLIENT, SERVER, CLIENT_USAGES, "subject alternative names are not allowed"),
        (
            signing.KUBELET_CLIENT,
            Asked("jane", ("system:nodes",)),
            CLIENT_USAGES,
            "subject common name does not begin with system:node:",
        ),
        (
            signing.KUBELET_CLIENT,
            Asked("system:node:one", ("system:nodes", "x")),
            CLIENT_USAGES,
            "subject organization is not system:nodes",
        ),
        (signing.KUBELET_SERVING, SERVER, SERVER_USAGES, ""),
        (signing.KUBELET_SERVING, SERVER, CLIENT_USAGES, "usages did not match"),
        (signing.KUBELET_SERVING, NODE, SERVER_USAGES, "DNS or IP subjectAltName is required"),
        (
            signing.KUBELET_SERVING,
            Asked("system:node:one", ("system:nodes",), addresses=("10.0.0.1",), other_names=True),
            SERVER_USAGES,
            "only DNS and IP subjectAltNames are allowed",
        ),
        (signing.LEGACY, NODE, CLIENT_USAGES, "unrecognized signer: kubernetes.io/legacy-unknown"),
    ],
)
def test_signers(signer: str, asked: Asked, usages: tuple[str, ...], want: str) -> None:
    found = signing.refusal(signer, asked, usages)
    assert found.startswith(want)
    assert bool(found) is bool(want)
