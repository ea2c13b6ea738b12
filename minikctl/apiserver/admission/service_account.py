"""ServiceAccount: each pod runs as an account, and finds its token where client libraries look for it."""

from __future__ import annotations

from typing import Any

from minikctl.apiserver.admission.chain import Plugin, Request
from minikctl.apiserver.admission.world import World
from minikctl.model import kinds, objects
from minikctl.model.objects import Object

DEFAULT = "default"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
TOKEN_SECONDS = 3607
MIRROR = "kubernetes.io/config.mirror"


class ServiceAccount(Plugin):
    """Sets the account, its pull secrets and the volume with its token."""

    name = "ServiceAccount"
    resources = frozenset(("pods",))

    def __init__(self, world: World) -> None:
        self._world = world

    async def mutate(self, request: Request) -> None:
        """Complete the pod; refuse it if its account is not there."""
        spec = request.new.get("spec")
        if not isinstance(spec, dict) or MIRROR in objects.annotations(request.new):
            return
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or DEFAULT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = self._account(request, str(name))
        if _automounts(account, spec):
            self._mount(spec)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(each) for each in account["imagePullSecrets"]]

    def _account(self, request: Request, name: str) -> Object:
        found = self._world.get(kinds.SERVICE_ACCOUNT, request.namespace, name)
        if found is not None:
            return found
        if name == DEFAULT:
            # It is made for each namespace by a controller: a pod that is quicker need not wait for it.
            return {}
        cause = (
            f'error looking up service account {request.namespace}/{name}: serviceaccount "{name}" not found'
        )
        raise request.refusal(cause)

    def _mount(self, spec: dict[str, Any]) -> None:
        volumes = [each for each in spec.get("volumes") or () if isinstance(each, dict)]
        name = next((n for each in volumes if (n := str(each.get("name"))).startswith(VOLUME_PREFIX)), "")
        name_is_new = not name
        name = name or self._world.generated(VOLUME_PREFIX)
        needed = False
        for field in ("initContainers", "containers"):
            for container in spec.get(field) or ():
                if isinstance(container, dict) and not _has_own(container):
                    mounts = container.get("volumeMounts") or []
                    mount = {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}
                    container["volumeMounts"] = [*mounts, mount]
                    needed = True
        if needed and name_is_new:
            spec["volumes"] = [*(spec.get("volumes") or ()), token_volume(name)]


def token_volume(name: str) -> Object:
    """Return the volume with token, CA certificate and namespace."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 0o644}}


def _automounts(account: Object, spec: dict[str, Any]) -> bool:
    """Tell whether the token is wanted: the pod's word counts more than its account's."""
    for wish in (spec.get("automountServiceAccountToken"), account.get("automountServiceAccountToken")):
        if wish is not None:
            return bool(wish)
    return True


def _has_own(container: dict[str, Any]) -> bool:
    mounts = container.get("volumeMounts") or ()
    return any(isinstance(each, dict) and each.get("mountPath") == MOUNT_PATH for each in mounts)
