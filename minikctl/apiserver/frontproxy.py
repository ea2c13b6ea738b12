"""The front proxy: by whose certificate aggregated APIs know that a request comes from the API server.

The authority is another than the cluster's, so that no certificate that the cluster signs for its users could
say who somebody else is.  Other servers find it in a ConfigMap, where Kubernetes' libraries look for it.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from minikctl import errors
from minikctl.apiserver import patching, pki
from minikctl.apiserver.registry import Registry
from minikctl.client.home import ClusterHome
from minikctl.model import kinds, objects
from minikctl.model.objects import Object
from minikctl.runtime import certificates

logger = logging.getLogger(__name__)

NAME = "front-proxy-client"
NAMESPACE, CONFIG = "kube-system", "extension-apiserver-authentication"


def ensure(home: ClusterHome, now: datetime | None = None) -> tuple[str, str]:
    """Return the files of the certificate and its key, made or renewed as needed."""
    moment = now or datetime.now(UTC)
    files = home.file("pki", "front-proxy-client.crt"), home.file("pki", "front-proxy-client.key")
    key, cert = pki.authority(home, moment, "front-proxy-ca")
    if not _is_good(Path(files[0]), Path(files[1]), cert, moment):
        made = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
        signed = (
            certificates.builder(subject, cert.subject, made.public_key(), moment, pki.SERVER_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(key, hashes.SHA256())
        )
        home.write("pki/front-proxy-client.key", certificates.key_pem(made))
        home.write("pki/front-proxy-client.crt", certificates.pem(signed))
    return files


def _is_good(cert: Path, key: Path, authority: x509.Certificate, now: datetime) -> bool:
    try:
        found = x509.load_pem_x509_certificate(cert.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        found.verify_directly_issued_by(authority)
    except (FileNotFoundError, ValueError, InvalidSignature):
        return False
    is_fresh = found.not_valid_after_utc - now > pki.RENEW_BEFORE
    return is_fresh and private.public_key() == found.public_key()


def config(home: ClusterHome, clients: bytes) -> Object:
    """Return the ConfigMap that tells other servers whom to trust; ``clients`` is the cluster's authority."""
    authority = Path(home.file("pki", "front-proxy-ca.crt")).read_text()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG, "namespace": NAMESPACE},
        "data": {
            "client-ca-file": clients.decode(),
            "requestheader-allowed-names": f'["{NAME}"]',
            "requestheader-client-ca-file": authority,
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-uid-headers": '["X-Remote-Uid"]',
            "requestheader-username-headers": '["X-Remote-User"]',
        },
    }


async def publish(registry: Registry, wanted: Object) -> None:
    """Have the ConfigMap as it should be."""
    kind, (namespace, name) = kinds.CONFIG_MAP, objects.key(wanted)
    try:
        found = registry.feed.collection(kind).get((namespace, name))
        if found is None:
            await registry.create(kind, namespace, wanted)
        elif found.object.get("data") != wanted["data"]:
            await registry.update(
                kind, namespace, name, {**patching.copied(found.object), "data": wanted["data"]}
            )
    except errors.StatusError as error:
        # A webhook of the user may stand in the way, and can only be removed once the API answers.
        logger.warning("the ConfigMap %s cannot be written: %s", name, error)
