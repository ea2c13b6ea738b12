"""Webhooks: servers of the users that change, or judge, what is written.

Configurations are asked in the order of their names, webhooks in the order of their configuration; those
that change one after the other, those that judge side by side.  Words and rules are those of kube-apiserver's
admission/plugin/webhook.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from minikctl import errors
from minikctl.apiserver import metrics
from minikctl.apiserver.admission import asking, presenting
from minikctl.apiserver.admission.chain import Plugin, Request
from minikctl.apiserver.admission.world import World
from minikctl.apiserver.outbound import CallFailed
from minikctl.apiserver.patching import copied
from minikctl.apiserver.rbac import Rbac
from minikctl.apiserver.webhook_client import WebhookClient
from minikctl.model import admission, kinds, objects, patches, selectors
from minikctl.model.admitting import review, rules
from minikctl.model.admitting.rules import Resource
from minikctl.model.kind import Kind
from minikctl.model.objects import Object

DEFAULT_SECONDS = 10
NO_ANSWER = 503
"""What is counted as the code of a webhook that could not be asked."""


class _Unanswered(Exception):
    """The webhook could not be asked, or what it said was no answer."""


@dataclass(frozen=True)
class Hook:
    """One webhook of a configuration."""

    configuration: str
    given: Object
    namespaces: selectors.Selector
    labels: selectors.Selector

    @property
    def name(self) -> str:
        """Return the name by which refusals call it."""
        return str(self.given.get("name"))

    @property
    def identity(self) -> tuple[str, str]:
        """Return what tells it from all others."""
        return self.configuration, self.name

    @property
    def is_ignored_when_failing(self) -> bool:
        """Tell whether requests go on when it does not answer."""
        return self.given.get("failurePolicy") == "Ignore"


def hooks(configurations: Iterable[Object]) -> tuple[Hook, ...]:
    """Return the webhooks of configurations in the order in which they are asked."""
    return tuple(
        Hook(
            objects.name(configuration),
            each,
            selectors.of(each.get("namespaceSelector") or {}),
            selectors.of(each.get("objectSelector") or {}),
        )
        for configuration in sorted(configurations, key=objects.name)
        for each in configuration.get("webhooks") or ()
    )


class Webhooks(Plugin):
    """What both kinds of webhooks have in common: whom a request concerns, and how they are called."""

    changes = False

    def __init__(self, world: World, roles: Rbac, client: WebhookClient) -> None:
        self._world = world
        self._roles = roles
        self._client = client
        self._hooks: tuple[Hook, ...] = ()

    def load(self) -> None:
        """Take the configurations as they are now."""
        self._hooks = hooks(self._world.items(self.watched[0]))

    def concerns(self, request: Request) -> bool:
        """Tell whether some rule names the resource, in any version."""
        given = (rule for hook in self._hooks for rule in hook.given.get("rules") or ())
        return bool(self._hooks) and asking.names_resource(self._world.table(), given, request)

    async def _meant(self, request: Request, hook: Hook, *, is_new: bool = False) -> _Call | None:
        """Return the call that a webhook is to get, None if it does not want the request."""
        if not self._selected(request, hook):
            return None
        others = presenting.equivalents(self._world.table(), request)
        policy = str(hook.given.get("matchPolicy") or "Equivalent")
        found = rules.found(hook.given.get("rules") or (), presenting.asked(request), others, policy)
        if found is None:
            return None
        kind = others[found]
        question = await presenting.question(request, found, kind, is_new=is_new)
        if hook.given.get("matchConditions") and not self._holds(request, hook, question):
            return None
        return _Call(hook, found, kind, question)

    def _selected(self, request: Request, hook: Hook) -> bool:
        return asking.selects_object(hook.labels, request) and asking.selects_namespace(
            self._world, hook.namespaces, request
        )

    def _holds(self, request: Request, hook: Hook, question: review.Question) -> bool:
        from minikctl.model.admitting import conditions  # brings CEL

        given = conditions.values(question.request(""))
        try:
            with asking.answering(self._roles, request.user):
                return conditions.hold(
                    hook.given["matchConditions"], given, ignore_failures=hook.is_ignored_when_failing
                )
        except conditions.Failed as failure:
            raise request.refusal(str(failure)) from None

    async def _ask(self, request: Request, call: _Call, *, mutating: bool) -> review.Verdict:
        """Return the verdict; ``_Unanswered`` when there is none."""
        hook = call.hook
        if request.dry_run and hook.given.get("sideEffects") not in ("None", "NoneOnDryRun"):
            raise errors.bad_request(f'admission webhook "{hook.name}" does not support dry run')
        identity = str(uuid.uuid4())
        version = review.version(hook.given.get("admissionReviewVersions") or ())
        sent = review.review(call.question, identity, version)
        seconds = float(hook.given.get("timeoutSeconds") or DEFAULT_SECONDS)
        try:
            answer = await self._client.call(hook.given.get("clientConfig") or {}, sent, seconds)
        except CallFailed as error:
            raise _Unanswered(f"failed to call webhook: {error}") from error
        try:
            return review.verdict(answer, identity, version, mutating=mutating)
        except review.InvalidAnswer as error:
            raise _Unanswered(f"received invalid webhook response: {error}") from error

    async def _asked(self, request: Request, call: _Call, *, mutating: bool) -> review.Verdict | None:
        """Return the verdict of a webhook that allows the request, None if it is not to be heard."""
        hook, begun = call.hook, time.perf_counter()
        about = hook.name, "admit" if mutating else "validating", request.operation
        try:
            found = await self._ask(request, call, mutating=mutating)
        except _Unanswered as failure:
            is_refused = not hook.is_ignored_when_failing
            self._world.measured.webhook(about, time.perf_counter() - begun, NO_ANSWER, rejected=is_refused)
            if not is_refused:
                self._world.measured.ignored(*about[:2])
                return None
            self._world.measured.refused(about, "calling_webhook_error", NO_ANSWER)
            raise _internal(f'failed calling webhook "{hook.name}": {failure}') from failure
        request.warnings.extend(each for each in found.warnings if each not in request.warnings)
        refusal = None if found.allowed else review.denial(hook.name, found.status)
        code = 200 if refusal is None else refusal.code
        self._world.measured.webhook(about, time.perf_counter() - begun, code, rejected=refusal is not None)
        if refusal is not None:
            self._world.measured.refused(about, "no_error", code)
            raise refusal
        return found


@dataclass(frozen=True)
class _Call:
    """A webhook and what it is asked."""

    hook: Hook
    resource: Resource
    kind: Kind
    question: review.Question


class MutatingWebhooks(Webhooks):
    """Has webhooks change what is written; those that wish are asked again when others changed it later."""

    name = "MutatingAdmissionWebhook"
    watched = (kinds.MUTATING_WEBHOOKS,)

    async def mutate(self, request: Request) -> None:
        """Ask one after the other; the first refusal is raised."""
        past: _Round | None = request.memory.get(self.name) if request.is_second else None
        now = _Round()
        if request.object is not None and not request.part:
            admission.complete(request.kind, request.new)
        if past is not None and request.object is not None and request.new != past.outcome:
            past.again |= past.called
        for hook in self._hooks:
            if past is not None and hook.identity not in past.again:
                continue
            call = await self._meant(request, hook, is_new=True)
            if call is None:
                continue
            with metrics.elsewhere():
                found = await self._asked(request, call, mutating=True)
            if found is not None and found.patch and await self._patched(request, call, found.patch):
                now.again |= now.called
                request.again = True
            if hook.given.get("reinvocationPolicy") == "IfNeeded":
                now.called.add(hook.identity)
        if request.again and not request.is_second:
            now.outcome = copied(request.new)
            request.memory[self.name] = now

    async def _patched(self, request: Request, call: _Call, patch: Sequence[Any]) -> bool:
        """Change the object; return whether it is different now."""
        name, shown = call.hook.name, call.question.object
        if shown is None:
            raise _internal(
                f'admission webhook "{name}" attempted to modify the object, which is not supported for this '
                "operation"
            )
        try:
            changed = patches.json_patch(shown, list(patch))
        except patches.PatchError as error:
            raise _internal(str(error)) from error
        if not isinstance(changed, dict):
            raise _internal(f'admission webhook "{name}" left no object')
        try:
            return await presenting.accept(request, call.kind, shown, changed)
        except presenting.Unacceptable as error:
            raise _internal(str(error)) from error


class _Round:
    """What happened when webhooks were asked for the first time."""

    def __init__(self) -> None:
        self.called: set[tuple[str, str]] = set()
        """Those that wish to be asked again, and were asked since the last change."""
        self.again: set[tuple[str, str]] = set()
        self.outcome: Object = {}


class ValidatingWebhooks(Webhooks):
    """Has webhooks judge what is about to be written."""

    name = "ValidatingAdmissionWebhook"
    watched = (kinds.VALIDATING_WEBHOOKS,)

    async def validate(self, request: Request) -> None:
        """Ask all at the same time; of several refusals the first in order is raised."""
        calls = [call for hook in self._hooks if (call := await self._meant(request, hook)) is not None]
        with metrics.elsewhere():
            outcomes = await asyncio.gather(
                *(self._asked(request, call, mutating=False) for call in calls), return_exceptions=True
            )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome


def _internal(text: str) -> errors.StatusError:
    said = f"Internal error occurred: {text}"
    return errors.StatusError(500, "InternalError", said, details={"causes": [{"message": text}]})
