"""ValidatingAdmissionPolicy: the users' own rules, in CEL, for what is written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from minikctl import errors
from minikctl.apiserver.admission import asking, presenting
from minikctl.apiserver.admission.chain import Plugin, Request
from minikctl.apiserver.admission.world import World
from minikctl.apiserver.rbac import Rbac
from minikctl.apiserver.versions import show
from minikctl.model import kinds, objects, selectors
from minikctl.model.admitting import rules
from minikctl.model.admitting.rules import Resource
from minikctl.model.kind import Kind
from minikctl.model.objects import Object

if TYPE_CHECKING:
    from minikctl.model.admitting.policy import Denial

_NO_AUDIT = "minikctl has no audit log: {} is evaluated but noted nowhere"


class Misconfigured(Exception):
    """The policy or binding cannot be applied to this request; the text says why."""


@dataclass(frozen=True)
class Match:
    """A MatchResources: which requests are meant."""

    given: Mapping[str, Any]
    namespaces: selectors.Selector
    labels: selectors.Selector

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> Match:
        """Return the match with its selectors read."""
        found = given or {}
        return cls(
            found,
            selectors.of(found.get("namespaceSelector") or {}),
            selectors.of(found.get("objectSelector") or {}),
        )

    @property
    def rules(self) -> Sequence[rules.Rule]:
        """Return the rules that say what is meant; none at all mean everything."""
        return self.given.get("resourceRules") or ()

    def found(self, world: World, request: Request, others: Mapping[Resource, Kind]) -> Resource | None:
        """Return the resource as which the request is meant, None if it is not."""
        if not asking.selects_object(self.labels, request):
            return None
        if not asking.selects_namespace(world, self.namespaces, request):
            return None
        asked, policy = presenting.asked(request), str(self.given.get("matchPolicy") or "Equivalent")
        if rules.found(self.given.get("excludeResourceRules") or (), asked, others, policy) is not None:
            return None
        return rules.found(self.rules, asked, others, policy) if self.rules else asked.resource


@dataclass(frozen=True)
class Binding:
    """Where a policy counts, with which parameters, and what happens then."""

    name: str
    spec: Object
    match: Match

    @property
    def actions(self) -> Sequence[str]:
        """Return Deny, Warn, Audit or several."""
        return self.spec.get("validationActions") or ()


@dataclass(frozen=True)
class Policy:
    """One policy with its bindings, all in the order of their names."""

    object: Object
    match: Match
    bindings: tuple[Binding, ...]

    @property
    def name(self) -> str:
        """Return the policy's name."""
        return objects.name(self.object)

    @property
    def ignores_failures(self) -> bool:
        """Tell whether a policy that cannot be applied lets requests pass."""
        return objects.spec(self.object).get("failurePolicy") == "Ignore"


class Policies(Plugin):
    """What policies that judge and policies that change have in common; ``watched`` are they and bindings."""

    def __init__(self, world: World, roles: Rbac) -> None:
        self._world = world
        self._roles = roles
        self._policies: tuple[Policy, ...] = ()

    def load(self) -> None:
        """Take policies and bindings as they are now; what is not bound does nothing."""
        bound: dict[str, list[Binding]] = {}
        for each in sorted(self._world.items(self.watched[1]), key=objects.name):
            spec = objects.spec(each)
            binding = Binding(objects.name(each), spec, Match.of(spec.get("matchResources")))
            bound.setdefault(str(spec.get("policyName")), []).append(binding)
        self._policies = tuple(
            Policy(
                each,
                Match.of(objects.spec(each).get("matchConstraints")),
                tuple(bound[objects.name(each)]),
            )
            for each in sorted(self._world.items(self.watched[0]), key=objects.name)
            if objects.name(each) in bound
        )

    def concerns(self, request: Request) -> bool:
        """Tell whether some policy names the resource, in any version."""
        given = (rule for policy in self._policies for rule in policy.match.rules)
        return bool(self._policies) and asking.names_resource(self._world.table(), given, request)

    def _namespace(self, request: Request) -> Object | None:
        if request.requested is kinds.NAMESPACE:
            return None
        return asking.namespace_of(self._world, request)

    async def _params(
        self, request: Request, policy: Policy, binding: Binding
    ) -> AsyncIterator[Object | None]:
        """Yield the objects with which the policy is evaluated, None where there is none."""
        wanted, reference = objects.spec(policy.object).get("paramKind"), binding.spec.get("paramRef")
        if wanted is None or reference is None:
            yield None
            return
        kind = self._world.table().of(wanted)
        if kind is None:
            raise Misconfigured(
                f"paramKind kind `{wanted.get('apiVersion')}, Kind={wanted.get('kind')}` not known"
            )
        found = list(self._referred(request, kind, reference))
        if not found and reference.get("parameterNotFoundAction") == "Deny":
            raise Misconfigured("no params found for policy binding with `Deny` parameterNotFoundAction")
        for each in found:
            yield await show(kind, each)

    def _referred(self, request: Request, kind: Kind, reference: Object) -> Iterator[Object]:
        namespace = str(reference.get("namespace") or "")
        if namespace and not kind.namespaced:
            raise Misconfigured("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        if kind.namespaced and not namespace:
            namespace = presenting.namespace(request)
            if not namespace:
                raise Misconfigured(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                )
        if reference.get("name"):
            found = self._world.get(kind, namespace, str(reference["name"]))
            if found is not None:
                yield found
            return
        selector = selectors.of(reference.get("selector") or {})
        for each in self._world.items(kind, namespace):
            if selector.matches(objects.labels(each)):
                yield each


class ValidatingPolicies(Policies):
    """Judges by all policies that are bound; the first refusal in order is told."""

    name = "ValidatingAdmissionPolicy"
    watched = (kinds.VALIDATING_POLICY, kinds.VALIDATING_POLICY_BINDING)

    async def validate(self, request: Request) -> None:
        """Evaluate what concerns the request."""
        others = presenting.equivalents(self._world.table(), request)
        refusals: list[errors.StatusError] = []
        for policy in self._policies:
            found = policy.match.found(self._world, request, others)
            if found is not None:
                refusals += [each async for each in self._judged(request, policy, found, others)]
        if refusals:
            raise refusals[0]

    async def _judged(
        self, request: Request, policy: Policy, found: Resource, others: Mapping[Resource, Kind]
    ) -> AsyncIterator[errors.StatusError]:
        """Yield the refusals of one policy; warnings are told at once."""
        from minikctl.model.admitting import conditions  # brings CEL

        given: dict[str, Any] | None = None
        for binding in policy.bindings:
            if binding.match.found(self._world, request, others) is None:
                continue
            if given is None:
                question = await presenting.question(request, found, others[found])
                given = {
                    **conditions.values(question.request("")),
                    "namespaceObject": self._namespace(request),
                }
            try:
                params = [each async for each in self._params(request, policy, binding)]
            except Misconfigured as error:
                if not policy.ignores_failures:
                    said = f"failed to configure binding: {error}"
                    yield refusal(request, policy, binding, said)
                continue
            for param in params:
                for denial in self._evaluate(request, policy, binding, {**given, "params": param}):
                    yield refusal(request, policy, binding, denial.message, denial.reason)

    def _evaluate(
        self, request: Request, policy: Policy, binding: Binding, given: dict[str, Any]
    ) -> list[Denial]:
        from minikctl.model.admitting import policy as model

        with asking.answering(self._roles, request.user):
            found = list(model.denials(policy.object, given))
        for denial in found:
            if "Warn" in binding.actions:
                said = (
                    f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with binding "
                    f"'{binding.name}': {denial.message}"
                )
                if said not in request.warnings:
                    request.warnings.append(said)
        return found if "Deny" in binding.actions else []


def refusal(
    request: Request, policy: Policy, binding: Binding, message: str, reason: str = ""
) -> errors.StatusError:
    """Return a policy's refusal in Kubernetes' words: 422 unless the policy gives another reason."""
    from minikctl.model.admitting import policy as model

    said = (
        f"ValidatingAdmissionPolicy '{policy.name}' with binding '{binding.name}' denied request: {message}"
    )
    found = request.refusal(said)
    found.reason = reason or "Invalid"
    found.code = model.CODES.get(found.reason, 422)
    found.details["causes"] = [{"message": said}]
    return found


class PolicyNotices(Plugin):
    """Tells who writes a policy what of it is not done here."""

    name = "PolicyNotices"
    changes = False
    operations = frozenset(("CREATE", "UPDATE"))
    resources = frozenset(
        (f"validatingadmissionpolicies.{rules.GROUP}", f"validatingadmissionpolicybindings.{rules.GROUP}")
    )

    async def mutate(self, request: Request) -> None:
        """Add the warnings."""
        spec = objects.spec(request.new)
        if "Audit" in (spec.get("validationActions") or ()):
            request.warnings.append(_NO_AUDIT.format("the action Audit"))
        if spec.get("auditAnnotations"):
            request.warnings.append(_NO_AUDIT.format("spec.auditAnnotations"))
