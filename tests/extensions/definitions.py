"""Definitions to try things with."""

from __future__ import annotations

from typing import Any

GROUP = "stable.example.com"


def crd(
    spec: Any = None, *, kind: str = "CronTab", scope: str = "Namespaced", **version: Any
) -> dict[str, Any]:
    """Return a definition with one version, whose spec has that schema."""
    schema = {"type": "object", "properties": {"spec": spec or {"type": "object"}, "status": STATUS}}
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {"plural": plural, "kind": kind},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    **version,
                }
            ],
        },
    }


STATUS = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def crontab(name: str = "mine", version: str = "v1", kind: str = "CronTab", **spec: Any) -> dict[str, Any]:
    """Return an object of such a kind."""
    return {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": {"name": name}, "spec": spec}
