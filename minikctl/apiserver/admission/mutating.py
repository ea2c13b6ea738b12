"""MutatingAdmissionPolicy: the users' own changes, in CEL, to what is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from minikctl import errors
from minikctl.apiserver.admission import asking, presenting
from minikctl.apiserver.admission.chain import Request
from minikctl.apiserver.admission.policies import Binding, Misconfigured, Policies, Policy
from minikctl.apiserver.patching import copied
from minikctl.model import admission, kinds, objects
from minikctl.model.admitting.rules import Resource
from minikctl.model.kind import Kind
from minikctl.model.objects import Object

_Key = tuple[str, str, str, str]
"""A policy, a binding, and namespace and name of a parameter."""


@dataclass
class _Round:
    """What happened when policies were applied for the first time."""

    called: set[_Key] = field(default_factory=set)
    """Those that wish to be applied again, and were since the last change."""
    again: set[_Key] = field(default_factory=set)
    outcome: Object = field(default_factory=dict)


class MutatingPolicies(Policies):
    """Applies all policies that are bound, one after the other; the first failure in order is told."""

    name = "MutatingAdmissionPolicy"
    changes = False
    watched = (kinds.MUTATING_POLICY, kinds.MUTATING_POLICY_BINDING)

    async def mutate(self, request: Request) -> None:
        """Change the object in place."""
        if request.object is None:
            return
        if not request.part:
            admission.complete(request.kind, request.new)
        past: _Round | None = request.memory.get(self.name) if request.is_second else None
        now = _Round()
        if past is not None and request.new != past.outcome:
            past.again |= past.called
        others = presenting.equivalents(self._world.table(), request)
        refusals: list[errors.StatusError] = []
        for policy in self._policies:
            found = policy.match.found(self._world, request, others)
            if found is None:
                continue
            for binding in policy.bindings:
                if binding.match.found(self._world, request, others) is not None:
                    refusals += await self._applied(
                        request, (policy, binding), (found, others[found]), (past, now)
                    )
        if refusals:
            raise refusals[0]
        if not request.is_second:
            now.outcome = copied(request.new)
            request.memory[self.name] = now

    async def _applied(
        self,
        request: Request,
        bound: tuple[Policy, Binding],
        shown: tuple[Resource, Kind],
        rounds: tuple[_Round | None, _Round],
    ) -> list[errors.StatusError]:
        """Apply a bound policy with each of its parameters; return why it cannot be."""
        from minikctl.model.admitting import mutation  # brings CEL

        policy, binding = bound
        past, now = rounds
        found: list[errors.StatusError] = []
        try:
            params = [each async for each in self._params(request, policy, binding)]
            for param in params:
                key = (policy.name, binding.name, *(objects.key(param) if param else ("", "")))
                if past is not None and key not in past.again:
                    continue
                changed = await self._changed(request, policy, shown, param)
                if changed is None:
                    continue
                if changed:
                    now.again |= now.called
                    request.again = True
                if objects.spec(policy.object).get("reinvocationPolicy") == "IfNeeded":
                    now.called.add(key)
        except Misconfigured as error:
            if not policy.ignores_failures:
                found.append(refusal(request, policy, binding, f"failed to configure binding: {error}"))
        except mutation.Failed as error:
            if not policy.ignores_failures:
                found.append(refusal(request, policy, binding, str(error)))
        return found

    async def _changed(
        self, request: Request, policy: Policy, shown: tuple[Resource, Kind], param: Object | None
    ) -> bool | None:
        """Apply a policy with one parameter; return whether the object is different now.

        None: its conditions do not hold.
        """
        from minikctl.model.admitting import conditions, mutation

        resource, kind = shown
        question = await presenting.question(request, resource, kind, is_new=True)
        values: Mapping[str, Any] = {
            **conditions.values(question.request("")),
            "namespaceObject": self._namespace(request),
            "params": param,
        }
        with asking.answering(self._roles, request.user):
            if not mutation.holds(policy.object, values):
                return None
            made = mutation.mutated(policy.object, values, presenting.shown_kind(request, kind))
        try:
            return await presenting.accept(request, kind, question.object or {}, made)
        except presenting.Unacceptable as error:
            raise mutation.Failed(str(error)) from None


def refusal(request: Request, policy: Policy, binding: Binding, message: str) -> errors.StatusError:
    """Return a policy's refusal in Kubernetes' words."""
    said = f"policy '{policy.name}' with binding '{binding.name}' denied request: {message}"
    found = request.refusal(said)
    found.reason, found.code = "Invalid", 422
    found.details["causes"] = [{"message": said}]
    return found
