"""Roles, their bindings, and requests for certificates: who may do what."""

from __future__ import annotations

import base64
import itertools
from typing import Any

from minikctl.cli.output.describing import common
from minikctl.cli.output.describing.sheet import Sheet
from minikctl.model import durations, objects

Object = dict[str, Any]

_FIELDS = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")


def role(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a Role or ClusterRole: its rules taken apart, those for the same thing joined, as kubectl has them."""
    common.head(sheet, obj, namespaced=False)
    sheet.row(0, "PolicyRule:")
    sheet.row(1, "Resources", "Non-Resource URLs", "Resource Names", "Verbs")
    sheet.row(1, "---------", "-----------------", "--------------", "-----")
    found = compact([each for rule in obj.get("rules") or () for each in _broken_down(rule)])
    for rule in sorted(found, key=lambda rule: [_list(rule[field]) for field in _FIELDS]):
        names = (_list(rule[field]) for field in ("nonResourceURLs", "resourceNames", "verbs"))
        sheet.row(1, _resource(rule), *names)


def _list(found: list[str]) -> str:
    return f"[{' '.join(found)}]"


def _resource(rule: Object) -> str:
    if not rule["resources"]:
        return ""
    name, slash, part = str(rule["resources"][0]).partition("/")
    group = f".{rule['apiGroups'][0]}" if any(rule["apiGroups"][:1]) else ""
    return f"{name}{group}{slash}{part}"


def _broken_down(rule: Object) -> list[Object]:
    """Return rules for one verb, and one group, resource and name or one URL each."""
    groups, resources = rule.get("apiGroups") or (), rule.get("resources") or ()
    single = [
        _rule([verb], [group], [resource], [name] if name is not None else [])
        for group, resource, verb in itertools.product(groups, resources, rule.get("verbs") or ())
        for name in (rule.get("resourceNames") or (None,))
    ]
    urls = itertools.product(rule.get("nonResourceURLs") or (), rule.get("verbs") or ())
    return single + [_rule([verb], [], [], [], [url]) for url, verb in urls]


def _rule(
    verbs: list[str],
    groups: list[str],
    resources: list[str],
    names: list[str],
    urls: list[str] | None = None,
) -> Object:
    return dict(zip(_FIELDS, (verbs, groups, resources, names, urls or []), strict=True))


def compact(rules: list[Object]) -> list[Object]:
    """Return the rules with those for the same resource and name as one that has all their verbs."""
    found: list[Object] = []
    known: dict[tuple[str, ...], Object] = {}
    for rule in rules:
        if not rule["resources"]:
            found.append(rule)
            continue
        key = (rule["apiGroups"][0], rule["resources"][0], *rule["resourceNames"])
        if key in known:
            known[key]["verbs"] += rule["verbs"]
        else:
            known[key] = rule
            found.append(rule)
    return found


def binding(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a RoleBinding or ClusterRoleBinding."""
    common.head(sheet, obj, namespaced=False)
    reference = obj.get("roleRef") or {}
    sheet.row(0, "Role:")
    sheet.row(1, "Kind:", reference.get("kind", ""))
    sheet.row(1, "Name:", reference.get("name", ""))
    sheet.row(0, "Subjects:")
    sheet.row(1, "Kind", "Name", "Namespace")
    sheet.row(1, "----", "----", "---------")
    for subject in obj.get("subjects") or ():
        sheet.row(1, *(subject.get(field, "") for field in ("kind", "name", "namespace")))


def request(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a CertificateSigningRequest."""
    spec = objects.spec(obj)
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Labels:", common.plain_selector(objects.labels(obj)))
    sheet.row(0, "Annotations:", common.plain_selector(objects.annotations(obj)))
    sheet.row(0, "CreationTimestamp:", common.moment(objects.meta(obj).get("creationTimestamp")))
    sheet.row(0, "Requesting User:", spec.get("username", ""))
    if spec.get("signerName"):
        sheet.row(0, "Signer:", spec["signerName"])
    if spec.get("expirationSeconds") is not None:
        sheet.row(0, "Requested Duration:", durations.human(spec["expirationSeconds"]))
    sheet.row(0, "Status:", _status(objects.status(obj)))
    _requested(sheet, str(spec.get("request") or ""))
    common.events(sheet, obj, reader)


def _status(status: Object) -> str:
    types = [each.get("type") for each in status.get("conditions") or ()]
    found = "Denied" if "Denied" in types else "Approved" if "Approved" in types else "Pending"
    failed = ",Failed" if "Failed" in types else ""
    return found + failed + (",Issued" if status.get("certificate") else "")


def _requested(sheet: Sheet, encoded: str) -> None:
    """Write the names in the request that is itself in PEM, in base64."""
    from cryptography import x509  # loaded late: only this kind needs it
    from cryptography.x509.oid import NameOID

    asked = x509.load_pem_x509_csr(base64.b64decode(encoded))
    names = {
        oid: [str(each.value) for each in asked.subject.get_attributes_for_oid(oid)]
        for oid in {each.oid for each in asked.subject}
    }
    shown = (
        ("Organization", NameOID.ORGANIZATION_NAME),
        ("Organizational Unit", NameOID.ORGANIZATIONAL_UNIT_NAME),
        ("Country", NameOID.COUNTRY_NAME),
        ("Locality", NameOID.LOCALITY_NAME),
        ("Province", NameOID.STATE_OR_PROVINCE_NAME),
        ("StreetAddress", NameOID.STREET_ADDRESS),
        ("PostalCode", NameOID.POSTAL_CODE),
    )
    sheet.row(0, "Subject:")
    sheet.row(0, "", "Common Name:", *(names.get(NameOID.COMMON_NAME) or [""])[-1:])
    sheet.row(0, "", "Serial Number:", *(names.get(NameOID.SERIAL_NUMBER) or [""])[-1:])
    for title, oid in shown:
        _several(sheet, title, names.get(oid) or [])
    try:
        other = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    sheet.row(0, "Subject Alternative Names:")
    _several(sheet, "DNS Names", other.get_values_for_type(x509.DNSName))
    _several(sheet, "Email Addresses", other.get_values_for_type(x509.RFC822Name))
    _several(sheet, "URIs", other.get_values_for_type(x509.UniformResourceIdentifier))
    _several(sheet, "IP Addresses", [str(each) for each in other.get_values_for_type(x509.IPAddress)])


def _several(sheet: Sheet, title: str, values: list[str]) -> None:
    for number, value in enumerate(values):
        sheet.row(0, "", "" if number else f"{title}:", value)
