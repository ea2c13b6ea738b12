"""The downward API: what a fieldRef reads from the pod."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from minikctl.model import objects
from minikctl.plan.pod.problems import ConfigError
from minikctl.plan.pod.view import PodView

ADDRESSES = ("status.podIP", "status.podIPs")
"""The fields that nobody knows before the pod's sandbox runs."""
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


def read(view: PodView, path: str, ip: str) -> str:
    """Return the field of the view's pod; ``ip`` is the pod's address."""
    pod = view.pod or {}
    match = _SUBSCRIPT.fullmatch(path)
    if match:
        return str((objects.meta(pod).get(match[1]) or {}).get(match[2]) or "")
    spec = objects.spec(pod)
    known = {
        "metadata.name": view.name,
        "metadata.namespace": view.namespace,
        "metadata.uid": view.uid,
        "spec.nodeName": str(spec.get("nodeName") or view.node.name),
        "spec.serviceAccountName": str(spec.get("serviceAccountName") or ""),
        "status.hostIP": view.node.host_ip,
        "status.hostIPs": view.node.host_ip,
        **dict.fromkeys(ADDRESSES, ip),
    }
    if path in ("metadata.labels", "metadata.annotations"):
        return lines(objects.meta(pod).get(path.partition(".")[2]) or {})
    if path not in known:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return known[path]


def lines(values: Mapping[str, str]) -> str:
    """Return labels or annotations as a file shows them: sorted, one ``key="value"`` each."""
    return "\n".join(f"{key}={json.dumps(values[key], ensure_ascii=False)}" for key in sorted(values))
