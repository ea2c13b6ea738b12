"""restartPolicyRules: what an exit code says about a restart, before the policy does (KEP-5307)."""

from __future__ import annotations

from minikctl.model.objects import Object


def restart(container: Object, exit_code: int) -> bool:
    """Tell whether the first rule that the exit code meets has the container restarted."""
    for rule in container.get("restartPolicyRules") or ():
        if _meets(rule.get("exitCodes") or {}, exit_code):
            return str(rule.get("action")) == "Restart"
    return False


def _meets(codes: Object, exit_code: int) -> bool:
    listed = exit_code in (codes.get("values") or ())
    return {"In": listed, "NotIn": not listed}.get(str(codes.get("operator")), False)
