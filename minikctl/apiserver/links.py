"""Links of proxied pages, made to lead through the proxy again."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_ATTRIBUTES = {
    "a": ("href",),
    "applet": ("codebase",),
    "area": ("href",),
    "audio": ("src",),
    "base": ("href",),
    "blockquote": ("cite",),
    "body": ("background",),
    "button": ("formaction",),
    "command": ("icon",),
    "del": ("cite",),
    "embed": ("src",),
    "form": ("action",),
    "frame": ("longdesc", "src"),
    "head": ("profile",),
    "html": ("manifest",),
    "iframe": ("longdesc", "src"),
    "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"),
    "ins": ("cite",),
    "link": ("href",),
    "object": ("classid", "codebase", "data", "usemap"),
    "q": ("cite",),
    "script": ("src",),
    "source": ("src",),
    "video": ("poster", "src"),
}
"""The attributes that hold addresses, by element: those that Kubernetes' API server knows."""
_TAG = re.compile(r"<([a-zA-Z]+)(\s[^<>]*)>")
_VALUE = re.compile(r"""(\s)([a-zA-Z]+)(\s*=\s*)(?:"([^"]*)"|'([^']*)')""")


class Rewriter:
    """Rewrites addresses of one server: ``prefix`` is the proxy's path of it, ``hosts`` are its names."""

    def __init__(self, prefix: str, hosts: tuple[str, ...]) -> None:
        self._prefix = prefix.rstrip("/")
        self._hosts = hosts

    def link(self, text: str) -> str:
        """Return the address as it leads through the proxy; relative ones and those of others stay."""
        try:
            parts = urlsplit(text)
        except ValueError:
            return text
        if (parts.netloc and parts.netloc not in self._hosts) or not parts.path.startswith("/"):
            return text
        if parts.path.startswith(self._prefix):
            return text
        return urlunsplit(("", "", self._prefix + parts.path, parts.query, parts.fragment))

    def page(self, text: str) -> str:
        """Return an HTML page with its links rewritten."""
        return _TAG.sub(self._tag, text)

    def _tag(self, tag: re.Match[str]) -> str:
        known = _ATTRIBUTES.get(tag[1].lower())
        if known is None:
            return tag[0]

        def value(found: re.Match[str]) -> str:
            if found[2].lower() not in known:
                return found[0]
            quote, old = ('"', found[4]) if found[4] is not None else ("'", found[5])
            return f"{found[1]}{found[2]}{found[3]}{quote}{self.link(old)}{quote}"

        return f"<{tag[1]}{_VALUE.sub(value, tag[2])}>"
