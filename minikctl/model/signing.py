"""Certificates that can be asked for: the signers of Kubernetes, and what each of them signs.

By the rules of kube-controller-manager's signer and of Kubernetes' documentation of such requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"
SIGNERS = (CLIENT, KUBELET_CLIENT, KUBELET_SERVING)

_NODES, _NODE = "system:nodes", "system:node:"
_ANY_KEY = frozenset(("digital signature", "key encipherment"))


@dataclass(frozen=True)
class Asked:
    """What a certificate signing request asks for."""

    common_name: str
    organizations: tuple[str, ...]
    dns_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    other_names: bool = False

    @property
    def has_names(self) -> bool:
        """Whether it asks for any subject alternative name."""
        return bool(self.dns_names or self.addresses or self.other_names)


def refusal(signer: str, asked: Asked, usages: Sequence[str]) -> str:
    """Return why the signer does not sign it, "" if it does."""
    match signer:
        case "kubernetes.io/kube-apiserver-client":
            return _usages(usages, "client auth")
        case "kubernetes.io/kube-apiserver-client-kubelet":
            if asked.has_names:
                return "subject alternative names are not allowed"
            return _node(asked) or _usages(usages, "client auth")
        case "kubernetes.io/kubelet-serving":
            if not asked.dns_names and not asked.addresses:
                return "DNS or IP subjectAltName is required"
            if asked.other_names:
                return "only DNS and IP subjectAltNames are allowed"
            return _node(asked) or _usages(usages, "server auth")
    return f"unrecognized signer: {signer}"


def _node(asked: Asked) -> str:
    if asked.organizations != (_NODES,):
        return f"subject organization is not {_NODES}"
    if not asked.common_name.startswith(_NODE):
        return f"subject common name does not begin with {_NODE}"
    return ""


def _usages(usages: Sequence[str], needed: str) -> str:
    given = set(usages)
    if needed not in given or given - _ANY_KEY - {needed}:
        more = "and may be digital signature and key encipherment"
        return f"usages did not match: they have to be {needed}, {more}"
    return ""
