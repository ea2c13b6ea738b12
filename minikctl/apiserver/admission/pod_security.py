"""PodSecurity: namespaces say by labels how much their pods may ask for.

Every version of the standards means the latest: what it checks is more than any older one.
"""

from __future__ import annotations

from minikctl import errors
from minikctl.apiserver.admission.chain import Plugin, Request
from minikctl.apiserver.admission.world import World
from minikctl.model import kinds, objects
from minikctl.model.objects import Object
from minikctl.plan.podsecurity import levels
from minikctl.plan.podsecurity.levels import Level
from minikctl.plan.podsecurity.view import Finding

_TEMPLATES = {
    "podtemplates": ("template",),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
}
"""Where the pod template is, of kinds that have it somewhere else than at spec.template."""
_WORKLOADS = frozenset(
    (
        "deployments.apps",
        "replicasets.apps",
        "statefulsets.apps",
        "daemonsets.apps",
        "jobs.batch",
        "replicationcontrollers",
        *_TEMPLATES,
    )
)
SHOWN_PODS = 3000
"""So many pods of a namespace are looked at when its labels change, as in Kubernetes."""


class PodSecurity(Plugin):
    """Refuses pods of a level above that of their namespace; of workloads it only warns."""

    name = "PodSecurity"
    operations = frozenset(("CREATE", "UPDATE"))
    resources = frozenset(("pods", "namespaces")) | _WORKLOADS
    subresources = frozenset(("", "ephemeralcontainers"))

    def __init__(self, world: World) -> None:
        self._world = world

    async def validate(self, request: Request) -> None:
        """Judge pods and namespaces; warn of templates."""
        if request.kind is kinds.NAMESPACE:
            self._namespace(request)
        elif request.kind is kinds.POD:
            # Of a stored pod nothing that is checked can change, but for its ephemeral containers.
            if request.operation == "CREATE" or request.subresource:
                self._pod(request)
        else:
            template = _template(request)
            if template is not None:
                self._warn(request, template)

    def _level(self, request: Request, mode: levels.Mode) -> Level:
        return levels.wanted(self._world.get(kinds.NAMESPACE, "", request.namespace), mode)

    def _pod(self, request: Request) -> None:
        level = self._level(request, "enforce")
        found = _findings(level, request.new)
        if found:
            raise request.refusal(f'violates PodSecurity "{level}": {_told(found)}')
        self._warn(request, request.new)

    def _warn(self, request: Request, pod: Object) -> None:
        level = self._level(request, "warn")
        found = _findings(level, pod)
        if found:
            request.warnings.append(f'would violate PodSecurity "{level}": {_told(found)}')

    def _namespace(self, request: Request) -> None:
        found = list(levels.invalid_labels(request.new))
        if found:
            raise errors.invalid("Namespace", "", request.name, found)
        level = levels.wanted(request.new, "enforce")
        if request.operation != "UPDATE" or level == levels.wanted(request.old, "enforce"):
            return
        bad: dict[str, list[str]] = {}
        for number, pod in enumerate(self._world.items(kinds.POD, request.name)):
            problems = _findings(level, pod)
            if problems and number < SHOWN_PODS:
                reasons = ", ".join(finding.reason for finding in problems)
                bad.setdefault(reasons, []).append(objects.name(pod))
        if bad:
            where = f'existing pods in namespace "{request.name}"'
            text = f'{where} violate the new PodSecurity enforce level "{level}"'
            request.warnings += [text, *(f"{_who(pods)}: {reasons}" for reasons, pods in sorted(bad.items()))]


def _who(pods: list[str]) -> str:
    if len(pods) == 1:
        return pods[0]
    others = f"{len(pods) - 1} other pods" if len(pods) > 2 else "1 other pod"
    return f"{min(pods)} (and {others})"


def _findings(level: Level, pod: Object) -> list[Finding]:
    return levels.findings(level, objects.meta(pod), objects.spec(pod))


def _told(found: list[Finding]) -> str:
    return ", ".join(str(finding) for finding in found)


def _template(request: Request) -> Object | None:
    found: object = request.new
    for field in _TEMPLATES.get(request.resource, ("spec", "template")):
        found = found.get(field) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None
