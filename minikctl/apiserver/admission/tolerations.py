"""DefaultTolerationSeconds: pods stay for a while on a node that has stopped answering."""

from __future__ import annotations

from typing import Any

from minikctl.apiserver.admission.chain import Plugin, Request

TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
SECONDS = 300


class DefaultTolerationSeconds(Plugin):
    """Adds the tolerations that a pod has not set itself."""

    name = "DefaultTolerationSeconds"
    resources = frozenset(("pods",))

    async def mutate(self, request: Request) -> None:
        """Add what is missing."""
        spec = request.new.get("spec")
        if not isinstance(spec, dict):
            return
        given = spec.get("tolerations") or []
        if not isinstance(given, list):
            return
        for taint in TAINTS:
            if not any(_tolerates(each, taint) for each in given if isinstance(each, dict)):
                extra = {"key": taint, "operator": "Exists", "effect": "NoExecute"}
                given.append({**extra, "tolerationSeconds": SECONDS})
        spec["tolerations"] = given


def _tolerates(toleration: dict[str, Any], taint: str) -> bool:
    return toleration.get("key") in (taint, None, "") and toleration.get("effect") in ("NoExecute", None, "")
