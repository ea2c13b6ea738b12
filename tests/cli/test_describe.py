"""``describe`` of every kind as stock kubectl lays it out: both programs describe the same object."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cli.conftest import World
from tests.cli.test_parity import normal

NAMESPACE = "described"
MANIFEST = Path(__file__).parent / "described.yaml"
TOY = """
apiVersion: example.com/v1
kind: Toy
metadata: {name: t}
spec: {aB: 1, list: [1, {x: "y", zApiURL: 2}], empty: {}, none: [], text: "a\\nb", x-y: true, ipV4: z}
status: {conditions: [{type: Ready, status: "True"}]}
"""
LINES = """
role r
clusterrole dcr
clusterrole edit
clusterrole cluster-admin
clusterrole system:aggregate-to-view
rolebinding rb
clusterrolebinding dcrb
cronjob cj
cronjob cj2
job j
job j2
pdb pdb
pdb pdb2
pdb pdb3
hpa hpa
hpa.v1.autoscaling hpa
pv dpv
pv dpv2
pv dpv3
pvc dpvc
sc dsc
sc dsc2
quota rq
quota rq2
limits lr
netpol np
netpol np2
netpol np3
netpol n
ing ing
ingressclass ic
sa s
secret sec
secret satok
pc pc
priorityclasses
crd toys.example.com
rc rc
pod p
po rc
deploy confined
pod confined --show-events=false
pods rc --show-events
pod/rc
pod p -l a=b
svc lb
svc ext
csr dcsr
csr dcsr2
lease l
endpointslice es
cm bin
toy t
toys
servicecidr scidr
ipaddress 10.111.0.3
csinode cn
vac vac
ns described
events
apiservices v1.apps
"""


def _request() -> str:
    """Return a request for a certificate with every part that is shown, a PEM in base64."""
    names = [
        (NameOID.COMMON_NAME, "jo"),
        (NameOID.SERIAL_NUMBER, "7"),
        (NameOID.ORGANIZATION_NAME, "dev"),
        (NameOID.ORGANIZATION_NAME, "ops"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "unit"),
        (NameOID.COUNTRY_NAME, "CH"),
        (NameOID.LOCALITY_NAME, "town"),
        (NameOID.STATE_OR_PROVINCE_NAME, "region"),
        (NameOID.STREET_ADDRESS, "road"),
        (NameOID.POSTAL_CODE, "8000"),
    ]
    builder = x509.CertificateSigningRequestBuilder(
        x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    ).add_extension(
        x509.SubjectAlternativeName([x509.DNSName("a.b"), x509.DNSName("c.d"), x509.RFC822Name("a@b.c")]),
        critical=False,
    )
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


@pytest.fixture(scope="module")
def described(world: World) -> Iterator[World]:
    """Yield the world with the objects of described.yaml."""
    text = MANIFEST.read_text().replace("REQUEST", _request())
    assert world.run("create", "namespace", NAMESPACE).code == 0
    applied = world.run("apply", "-n", NAMESPACE, "-f", "-", stdin=text)
    assert applied.code == 0, applied.err
    ready = world.run("wait", "--for=condition=Established", "crd/toys.example.com")
    assert ready.code == 0, ready.err
    toy = world.run("apply", "-n", NAMESPACE, "-f", "-", stdin=TOY)
    assert toy.code == 0, toy.err
    started = "--for=jsonpath={.status.initContainerStatuses[0].state.running}"
    for words in ((started, "pod/p"), ("--for=jsonpath={.status.readyReplicas}=1", "rc/rc")):
        found = world.run("wait", "-n", NAMESPACE, *words, "--timeout=20s")
        assert found.code == 0, found.err
    yield world
    assert (
        world.run("delete", "-n", NAMESPACE, "--wait=false", "--ignore-not-found", "-f", "-", stdin=text).code
        == 0
    )
    world.run("delete", "-n", NAMESPACE, "pods", "--all", "--force", "--grace-period=0")
    assert world.run("delete", "namespace", NAMESPACE, "--timeout=20s").code == 0


def test_every_kind_with_a_layout_is_compared(described: World) -> None:
    """A kind's line is missing here, or in test_parity.py, when this fails."""
    from minikctl.cli.output import describing

    kinds = {kind for _, kind in describing.KINDS}
    elsewhere = {"ReplicaSet", "StatefulSet", "DaemonSet", "Endpoints", "Node"}
    assert kinds - elsewhere == set(re.findall(r"^kind: (\w+)", MANIFEST.read_text(), re.M)) - {
        "CustomResourceDefinition",
        "Lease",
    } | {"Namespace"}


@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_descriptions_are_those_of_kubectl(described: World, line: str) -> None:
    words = ["describe", "-n", NAMESPACE, *line.split()]
    theirs, ours = described.kubectl(*words), described.run(*words)
    assert (_plain(ours.out), ours.err, ours.code) == (_plain(theirs.out), theirs.err, theirs.code)


def _plain(text: str) -> str:
    """Return the text without what passes with time: the width of a column of ages, and how often an event came."""
    return re.sub(r" {2,}(?=\S)", "  ", re.sub(r"^(Count: +)\d+", r"\1", normal(text), flags=re.M))
