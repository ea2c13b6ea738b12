"""Image names: whether they are valid, when they are pulled, and with whose credentials."""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from minikctl.model import objects
from minikctl.model.actions.node import PullPolicy
from minikctl.model.containers import PullProgress
from minikctl.model.objects import Object
from minikctl.plan.pod.view import PodView

MEGA = 1_000_000
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)
CLOSE = 0.75
"""So alike two names must be for one to be taken for the other with a slip."""
DOCKER_HUB = "docker.io"
_HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io")


def valid(image: str) -> bool:
    """Tell whether the text can name an image."""
    return _REFERENCE.fullmatch(image) is not None


def progress(image: str, found: PullProgress, seconds: float) -> str:
    """Return how far the pull of an image is: in layers, and in what was loaded of that which is known."""
    layers = f"{found.done} of {found.layers} layers" if found.layers else "waiting for the registry"
    loaded = f", {found.loaded / MEGA:.1f} of {found.total / MEGA:.1f} MB" if found.total else ""
    return f'Pulling image "{image}": {layers}{loaded} after {seconds:.0f}s'


def hint(image: str, present: Iterable[str]) -> str:
    """Return what to add to the message that an image cannot be had, "" unless a local name is similar.

    Best is the same name with another tag, then the same in another registry or folder, then one with a slip.
    """
    known = list(present)
    ways = (_repository, lambda name: _repository(name).rpartition("/")[2])
    for way in ways:
        # Of several tags the one that every build without a tag gets is most likely meant.
        alike = sorted(
            (name for name in known if way(name) == way(image)), key=lambda name: not name.endswith(":latest")
        )
        if alike:
            break
    else:
        alike = difflib.get_close_matches(image, known, 1, CLOSE)
    return f"; hint: did you mean {alike[0]}, which is on this machine?" if alike else ""


def _repository(image: str) -> str:
    head, slash, last = image.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def policy(container: Object) -> PullPolicy:
    """Return the pull policy: as given, else Always for the tag latest and IfNotPresent for others."""
    match container.get("imagePullPolicy"):
        case "Always":
            return "Always"
        case "IfNotPresent":
            return "IfNotPresent"
        case "Never":
            return "Never"
    tail = str(container.get("image") or "").rpartition("/")[2]
    return "Always" if "@" not in tail and tail.partition(":")[2] in ("", "latest") else "IfNotPresent"


def registry(image: str) -> str:
    """Return the host of the registry that an image name means."""
    head, slash, _ = image.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        return head
    return DOCKER_HUB


def credentials(view: PodView, image: str) -> tuple[Mapping[str, str], ...]:
    """Return the logins for the image's registry from the pod's imagePullSecrets, in order."""
    found: list[Mapping[str, str]] = []
    for reference in objects.spec(view.pod or {}).get("imagePullSecrets") or ():
        secret = view.secrets.get(str(reference.get("name") or ""))
        for host, entry in _logins(secret or {}).items():
            if _same_registry(host, registry(image)):
                found.append(_login(entry))
    return tuple(found)


def _logins(secret: Object) -> dict[str, Any]:
    data = secret.get("data") or {}
    for key in (".dockerconfigjson", ".dockercfg"):
        if key not in data:
            continue
        try:
            config = json.loads(base64.b64decode(data[key]))
        except (binascii.Error, ValueError):
            return {}
        logins = config.get("auths") if key == ".dockerconfigjson" else config
        return logins if isinstance(logins, dict) else {}
    return {}


def _same_registry(configured: str, wanted: str) -> bool:
    host = configured.removeprefix("https://").removeprefix("http://").partition("/")[0]
    if wanted == DOCKER_HUB:
        return host in _HUB_NAMES
    return host == wanted


def _login(entry: Mapping[str, Any]) -> Mapping[str, str]:
    login = {key: str(entry[key]) for key in ("username", "password") if entry.get(key)}
    if not login and entry.get("auth"):
        try:
            pair = base64.b64decode(entry["auth"]).decode()
        except (binascii.Error, ValueError):
            return {}
        login["username"], _, login["password"] = pair.partition(":")
    return login
