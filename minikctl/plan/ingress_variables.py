"""What variables of nginx in the values of annotations stand for, in HAProxy's words.

Meanings are those of nginx' own index of variables, as far as annotations of ingress-nginx have them in use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

VARIABLE = re.compile(r"\$(?:\{(\w*)\}|(\w*))")
_SCHEME = "ssl_fc,iif(https,http)"
_NAMED = {
    "host": "var(txn.host)",
    "server_name": "var(txn.host)",
    "scheme": _SCHEME,
    "pass_access_scheme": _SCHEME,
    "escaped_request_uri": "pathq,url_enc",
    "request_uri": "pathq",
    "request_method": "method",
    "uri": "path",
    "args": "query",
    "query_string": "query",
    "is_args": "query,length,bool,iif(?,)",
    "remote_addr": "src",
    "binary_remote_addr": "src",
    "remote_port": "src_port",
    "server_port": "dst_port",
}
_PREFIXED = {"http_": "req.hdr({})", "cookie_": "req.cook({})", "arg_": "url_param({})"}
OF_ANSWERS = ("host", "server_name", "scheme", "pass_access_scheme")
"""Those that are still known when an answer is passed on."""
OF_BACKENDS = ("namespace", "service_name", "ingress_name")
"""Those that ingress-nginx sets for each path."""


def expression(name: str) -> str:
    """Return what it is for HAProxy, "" if it means nothing here; a header is named with _ for -."""
    for prefix, form in _PREFIXED.items():
        rest = name.removeprefix(prefix)
        if name.startswith(prefix) and rest:
            return form.format(rest.replace("_", "-") if prefix == "http_" else rest)
    return _NAMED.get(name, "")


def names(text: str) -> list[str]:
    """Return the names of the variables in a text; "" stands for a $ without one."""
    return [braced or bare for braced, bare in VARIABLE.findall(text)]


def foreign(text: str, *more: str) -> list[str]:
    """Return the variables in a text that mean nothing here, beside ``more``."""
    return sorted({f"${name}" for name in names(text) if name not in more and not expression(name)})


def formatted(text: str, own: Mapping[str, str] | None = None) -> str:
    """Return a format of HAProxy's logs for a text whose variables are known; ``own`` are further values."""
    values = own or {}

    def shown(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return values[name] if name in values else f"%[{expression(name)}]"

    return VARIABLE.sub(shown, text.replace("%", "%%"))
