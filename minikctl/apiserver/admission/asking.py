"""What webhooks and policies have in common: selecting namespaces, and asking what users may do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from minikctl import errors
from minikctl.apiserver.admission import presenting
from minikctl.apiserver.admission.chain import Request
from minikctl.apiserver.admission.world import World
from minikctl.apiserver.attributes import Attributes
from minikctl.apiserver.auth import AUTHENTICATED, User
from minikctl.apiserver.rbac import Rbac
from minikctl.model import kinds, objects, selectors
from minikctl.model.admitting import rules
from minikctl.model.kindtable import KindTable
from minikctl.model.objects import Object


def namespace_of(world: World, request: Request) -> Object | None:
    """Return the namespace in which the request is, None at the cluster's scope; 404 if it is not there."""
    if request.requested is kinds.NAMESPACE:
        return request.object or request.old
    if not request.requested.namespaced:
        return None
    found = world.get(kinds.NAMESPACE, "", request.namespace)
    if found is None:
        raise errors.not_found("namespaces", "", request.namespace)
    return found


def selects_namespace(world: World, selector: selectors.Selector, request: Request) -> bool:
    """Tell whether a namespaceSelector means the request; all that is in no namespace is meant."""
    if not selector.requirements:
        return True
    found = namespace_of(world, request)
    return found is None or selector.matches(objects.labels(found))


def selects_object(selector: selectors.Selector, request: Request) -> bool:
    """Tell whether an objectSelector means the request: the object, or what it was before."""
    if not selector.requirements:
        return True
    shown = [each for each in (request.object, request.old) if each is not None]
    return request.shown is None and any(selector.matches(objects.labels(each)) for each in shown)


def names_resource(table: KindTable, given: Iterable[rules.Rule], request: Request) -> bool:
    """Tell whether a rule names the request's resource, in whatever version and scope."""
    operation = presenting.operation(request)
    others = [each for each in presenting.equivalents(table, request) if not each.is_exempt]
    return any(
        rules.names_resource(rule, operation, each.group, each.plural, each.part)
        for rule in given
        for each in others
    )


@contextlib.contextmanager
def answering(roles: Rbac, user: User) -> Iterator[None]:
    """Have CEL's ``authorizer`` answer for that user during the block."""
    from minikctl.model.cel import authorizer

    def answer(asked: authorizer.Asked) -> tuple[bool, str]:
        who = User(asked.account, _groups(asked.account)) if asked.account else user
        decision = roles.authorize(
            who,
            Attributes(
                asked.verb,
                path=asked.path,
                group=asked.group,
                resource=asked.resource,
                subresource=asked.part,
                namespace=asked.namespace,
                name=asked.name,
            ),
        )
        return decision.allowed, decision.reason

    with authorizer.answering(answer):
        yield


def _groups(account: str) -> tuple[str, ...]:
    namespace = account.split(":")[2]
    return "system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED
