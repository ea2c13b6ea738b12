"""Certificates of clients: ``auth-tls-secret`` of an Ingress and what belongs to it.

They hold for a host, whichever Ingress its paths are of, as with ingress-nginx.  The handshake always
succeeds, and each request is judged: so a browser is told what is wrong.  A session that is resumed counts
only if the same certificate was accepted for the same host's authorities before, as with TLS 1.3 it may have
begun under another name.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping

from minikctl.model.objects import Key
from minikctl.plan import haproxy, ingress_values, ingress_variables
from minikctl.plan.ingress_options import ClientCertificates
from minikctl.plan.ingress_routes import ANY_HOST, Credentials, Guard, Routing
from minikctl.plan.ingress_values import PREFIX, Reader

MODES = ("on", "off", "optional", "optional_no_ca")
MAP, WORDS_MAP = "client-certificates.map", "certificate-errors.map"
KNOWN = "known-certificates"
BIND = "ca-ignore-err all crt-ignore-err all"
OPTIONAL_ERRORS = "18 19 20 21"
"""Those that ``optional_no_ca`` lets pass: who signed the certificate is not known."""
WORDS = {
    0: "SUCCESS",
    9: "FAILED:certificate is not yet valid",
    10: "FAILED:certificate has expired",
    18: "FAILED:self-signed certificate",
    19: "FAILED:self-signed certificate in certificate chain",
    20: "FAILED:unable to get local issuer certificate",
    21: "FAILED:unable to verify the first certificate",
    22: "FAILED:certificate chain too long",
    23: "FAILED:certificate revoked",
    26: "FAILED:unsuitable certificate purpose",
}
"""What OpenSSL calls its errors."""
SCRIPT_FILE = "chain-length.lua"
SCRIPT = """\
-- Counts what stands between a certificate and its authority: those sent that are not signed by themselves.
local function part(text, at)
  local size, first = text:byte(at + 1) or 0, at + 2
  if size >= 128 then
    local count = size - 128
    size = 0
    for _ = 1, count do
      size = size * 256 + (text:byte(first) or 0)
      first = first + 1
    end
  end
  return first, first + size
end
local function own(text, at)
  local first = part(text, (part(text, at)))
  local found = {}
  if text:byte(first) == 0xa0 then _, first = part(text, first) end
  for number = 1, 5 do
    local _, after = part(text, first)
    found[number], first = text:sub(first, after - 1), after
  end
  return found[3] == found[5]
end
core.register_converters("chain-length", function(hex)
  local text = hex:gsub("..", function(digits) return string.char(tonumber(digits, 16)) end)
  local count, at = 0, 1
  while at < #text do
    if not own(text, at) then count = count + 1 end
    _, at = part(text, at)
  end
  return count
end)
"""
"""A converter for HAProxy, in Lua."""
_SUBJECT, _ISSUER = "ssl_c_s_dn(,0,rfc2253)", "ssl_c_i_dn(,0,rfc2253)"
_PEM = "\"ssl_c_der,base64,regsub('(.{1,64})','\\\\1_',g),url_enc,regsub(_,%0A,g)\""
_BEGIN, _END = "-----BEGIN%%20CERTIFICATE-----%%0A", "-----END%%20CERTIFICATE-----%%0A"
_HEADERS = r"^ssl[_-]client[_-](cert|verify|subject[_-]dn|issuer[_-]dn)$"


def read(found: Reader) -> tuple[ClientCertificates | None, str]:
    """Return what is asked of clients' certificates, and why nobody may pass."""
    mode = found.read("auth-tls-verify-client", ingress_values.one_of(*MODES), "on")
    depth = found.number("auth-tls-verify-depth") or 1
    page = found.read("auth-tls-error-page", ingress_values.web_page, "")
    passed = found.flag("auth-tls-pass-certificate-to-upstream")
    match = found.read("auth-tls-match-cn", ingress_values.common_name, "")
    unread = found.given("auth-tls-match-cn") if not match else ""
    if not found.has("auth-tls-secret"):
        if found.given("auth-tls-verify-client") or unread or match:
            found.wrong("auth-tls-secret", "without it no certificates are asked for")
        return None, ""
    secret = found.read("auth-tls-secret", ingress_values.reference, ("", ""))
    if mode == "off":
        return None, ""
    wanted = ClientCertificates(secret, mode, depth, page, passed, match)
    if not secret[1]:
        return wanted, f"{PREFIX}auth-tls-secret names no Secret"
    return wanted, f"{PREFIX}auth-tls-match-cn cannot be read" if unread else ""


def guard(
    wanted: ClientCertificates, key: Key, found: Credentials | None, owner: Key, shut: str = ""
) -> Guard:
    """Return what guards a host; without usable authorities, or ``shut`` for one, it lets nobody pass."""
    problem = shut if f"{PREFIX}auth-tls-" in shut else ""
    if problem:
        pass
    elif found is None:
        problem = f'Secret "{key[1]}" does not exist'
    elif found.problem or not found.authorities:
        problem = found.problem or f'Secret "{key[1]}" has no ca.crt'
    name = "c" + hashlib.sha256(repr((key, problem, dataclasses.astuple(wanted))).encode()).hexdigest()[:12]
    files = {} if found is None or problem else {file("ca", key): found.authorities}
    if files and found is not None and found.revoked:
        files[file("crl", key)] = found.revoked
    return Guard(name, wanted, key, owner, files, problem)


def file(kind: str, secret: Key) -> str:
    """Return the file with what a Secret has of a kind: ``ca``, ``crl``, or ``key`` with its certificate."""
    return f"{kind}-{secret[0]}_{secret[1]}.pem"


def of_name(routing: Routing, host: str) -> Guard | None:
    """Return what guards a name that clients show as they connect."""
    wildcard = "*." + host.partition(".")[2]
    pattern = next((one for one in (host, wildcard) if one in routing.hosts), ANY_HOST)
    return routing.guards.get(pattern)


def bind_options(guard: Guard | None) -> str:
    """Return what a line of the list of certificates gets, with a space behind it."""
    if guard is None or guard.problem:
        return ""
    words = [f"ca-file {file('ca', guard.secret)}", "verify optional"]
    words += [f"crl-file {one}" for one in guard.files if one.startswith("crl-")]
    return f"[{' '.join(words)}] "


def texts(routing: Routing) -> dict[str, str]:
    """Return the files that the guards need."""
    if not routing.guards:
        return {}
    found = {name: text for one in routing.guards.values() for name, text in one.files.items()}
    found[MAP] = "".join(f"{host} {one.name}\n" for host, one in sorted(routing.guards.items()))
    found[WORDS_MAP] = "".join(f"{code} {words}\n" for code, words in WORDS.items())
    return found


def memory(routing: Routing) -> list[str]:
    """Return the section in which certificates are kept that were accepted, if any are asked for."""
    lines = "stick-table type string len 64 size 20k expire 1h"
    return [haproxy.section(f"backend {KNOWN}", lines)] if routing.guards else []


def lookups(routing: Routing, rule: str) -> Iterator[str]:
    """Yield the rules behind those that find the backend; ``rule`` is the sample of the host."""
    guards = routing.guards
    if not guards:
        return
    yield f"http-request set-var(txn.guard) {rule},map_str({MAP})"
    if routing.default_guard:
        none = "if !{ var(txn.backend) -m found } !{ var(txn.guard) -m found }"
        yield f"http-request set-var(txn.guard) str({routing.default_guard}) {none}"
    asked = "if { var(txn.guard) -m found }"
    yield f"http-request del-header {_HEADERS} -m reg {asked}"
    yield f"http-request set-var(txn.shown) ssl_fc_sni,lower,map_str({MAP}) {asked}"
    other = f"{asked} !{{ var(txn.shown) -m found }}"
    if any(host.startswith("*.") for host in guards):
        wildcard = f"ssl_fc_sni,lower,field(2,.,0),map_str(wildcards.map),map_str({MAP})"
        yield f"http-request set-var(txn.shown) {wildcard} {other}"
    if ANY_HOST in guards:
        yield f"http-request set-var(txn.shown) str({guards[ANY_HOST].name}) {other}"
    for one in {one.name: one for _, one in sorted(guards.items())}.values():
        yield from _judged(one) if not one.problem else (f"{_REFUSAL} if {_here(one)}",)


_REFUSAL = 'http-request return status 503 content-type text/plain string "see the events of the Ingress\\n"'


def _here(one: Guard) -> str:
    return f"{{ var(txn.guard) -m str {one.name} }}"


def _judged(one: Guard) -> Iterator[str]:
    here, wanted = _here(one), one.clients
    shown, certified = f"{{ var(txn.shown) -m str {one.name} }}", "{ var(txn.client) -m str SUCCESS }"
    mark = f"ssl_c_sha1,hex,concat(-{one.name})"
    if wanted.mode == "on":
        yield f"http-request redirect scheme https code 308 if {here} !{{ ssl_fc }}"
    # A connection that was begun for another host was asked for another's certificates, or none.
    yield f"http-request deny deny_status 421 if {here} {{ ssl_fc_has_sni }} !{shown}"
    yield f"http-request set-var(txn.client) str(NONE) if {here} {{ ssl_fc }}"
    yield (
        f"http-request set-var(txn.client) ssl_c_verify,map_int({WORDS_MAP},FAILED:certificate)"
        f" if {here} {shown} {{ ssl_c_used }}"
    )
    too_long = f"{{ ssl_c_chain_der,hex,lua.chain-length -m int gt {wanted.depth} }}"
    yield f"http-request set-var(txn.client) str('{WORDS[22]}') if {here} {certified} {too_long}"
    resumed = f"{{ ssl_fc_is_resumed }} !{{ {mark},in_table({KNOWN}) }}"
    yield f"http-request deny deny_status 421 if {here} {certified} {resumed}"
    yield f"http-request track-sc2 {mark} table {KNOWN} if {here} {certified}"
    yield from _refusals(one)
    given = f"if {here} {{ var(txn.client) -m found }}"
    yield f"http-request set-header ssl-client-verify %[var(txn.client)] {given}"
    given += " !{ var(txn.client) -m str NONE }"
    yield f"http-request set-header ssl-client-subject-dn %[{_SUBJECT}] {given}"
    yield f"http-request set-header ssl-client-issuer-dn %[{_ISSUER}] {given}"
    if wanted.passed:
        yield f"http-request set-var(txn.certificate) {_PEM} {given}"
        yield f"http-request set-header ssl-client-cert {_BEGIN}%[var(txn.certificate)]{_END} {given}"


def _refusals(one: Guard) -> Iterator[str]:
    here, wanted = _here(one), one.clients
    failed = f"{here} {{ var(txn.client) -m beg FAILED }}"
    if wanted.mode == "optional_no_ca":
        failed += f" !{{ ssl_c_verify {OPTIONAL_ERRORS} }}"
    yield f"{_answer(wanted, 'The SSL certificate error')} if {failed}"
    if wanted.mode == "on":
        none = f"{here} {{ var(txn.client) -m str NONE }}"
        yield f"{_answer(wanted, 'No required SSL certificate was sent')} if {none}"
    if wanted.match:
        is_known = "{ var(txn.client) -m found } !{ var(txn.client) -m str NONE }"
        yield f"http-request set-var(txn.subject) {_SUBJECT} if {here} {is_known}"
        other = f"!{{ var(txn.subject) -m reg -- '{wanted.match}' }}"
        words = 'content-type text/plain string "client certificate unauthorized"'
        yield f"http-request return status 403 {words} if {here} {other}"


def _answer(wanted: ClientCertificates, words: str) -> str:
    if wanted.error_page:
        return f"http-request redirect location '{ingress_variables.formatted(wanted.error_page)}' code 302"
    return f'http-request return status 400 content-type text/plain string "{words}\\n"'


def scripts(routing: Mapping[str, Guard]) -> dict[str, str]:
    """Return the Lua files that these guards need."""
    return {SCRIPT_FILE: SCRIPT} if routing else {}
