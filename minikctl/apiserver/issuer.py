"""Tokens of ServiceAccounts: issued on request, bound to an object, and worth nothing once that is gone.

Claims, lifetimes and refusals are those of Kubernetes' pkg/serviceaccount and its TokenRequest.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from minikctl import errors
from minikctl.apiserver import jws
from minikctl.apiserver.auth import AUTHENTICATED, Credentials, User
from minikctl.apiserver.registry import Registry
from minikctl.model import causes, kinds, objects
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object

DEFAULT_SECONDS = 3600
SHORTEST_SECONDS, LONGEST_SECONDS = 600, 1 << 32
WARNING_SECONDS = 3607
"""The lifetime that admission asks for.  Such tokens for the API itself stay valid for much longer, for
clients that read theirs only once, and say in ``warnafter`` when a new one should have been used."""
EXTENDED_SECONDS = 365 * 24 * 3600
LEEWAY = timedelta(seconds=60)
"""So long after its deletion began, an object still vouches for its tokens."""

_BOUND: dict[str, Kind] = {"Pod": kinds.POD, "Secret": kinds.SECRET, "Node": kinds.NODE}
_LASTING, _LASTING_CLAIM = "kubernetes/serviceaccount", "kubernetes.io/serviceaccount/"
"""Issuer and claims of the tokens that Secrets hold."""
_EXTRA = "authentication.kubernetes.io/"


@dataclass(frozen=True)
class _Wanted:
    """What a TokenRequest asks for."""

    audiences: tuple[str, ...]
    seconds: int
    bound: Object | None
    bound_kind: str = ""


class Issuer:
    """Issues and verifies the cluster's ServiceAccount tokens."""

    def __init__(self, registry: Registry, key: jws.SigningKey, url: str) -> None:
        self._registry = registry
        self._key = key
        self.url = url
        self.audiences = (url,)
        """Who the API server is to tokens."""

    # --- issuing ----------------------------------------------------------------------------------------

    def request(self, namespace: str, name: str, body: Object) -> Object:
        """Return the TokenRequest with the token in its status; refusals are ``StatusError``s."""
        account = self._registry.get(kinds.SERVICE_ACCOUNT, namespace, name)
        given = objects.name(body)
        if given and given != name:
            raise errors.bad_request(
                f"the name of the object ({given}) does not match the name on the URL ({name})"
            )
        wanted = self._wanted(account, body)
        now = self._registry.clock.now()
        claims = self._claims(account, wanted, now)
        until = now + timedelta(seconds=wanted.seconds)
        spec = {
            **objects.spec(body),
            "audiences": list(wanted.audiences),
            "expirationSeconds": wanted.seconds,
        }
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "creationTimestamp": objects.timestamp(now),
            },
            "spec": {"boundObjectRef": None, **spec},
            "status": {"token": self._key.sign(claims), "expirationTimestamp": objects.timestamp(until)},
        }

    def _wanted(self, account: Object, body: Object) -> _Wanted:
        spec = objects.spec(body)
        seconds = spec.get("expirationSeconds")
        seconds = DEFAULT_SECONDS if seconds is None else seconds
        field = "spec.expirationSeconds"
        found = []
        if not isinstance(seconds, int) or seconds < SHORTEST_SECONDS:
            found.append(causes.invalid(field, seconds, "may not specify a duration less than 10 minutes"))
        elif seconds > LONGEST_SECONDS:
            text = "may not specify a duration larger than 2^32 seconds"
            found.append(causes.invalid(field, seconds, text))
        if found:
            raise errors.invalid("TokenRequest", "authentication.k8s.io", objects.name(body), found)
        audiences = tuple(str(each) for each in spec.get("audiences") or ()) or self.audiences
        reference = spec.get("boundObjectRef")
        if not reference:
            return _Wanted(audiences, seconds, None)
        bound = self._bound(account, reference)
        return _Wanted(audiences, seconds, bound, str(reference.get("kind")))

    def _bound(self, account: Object, reference: Object) -> Object:
        group, _, version = str(reference.get("apiVersion") or "").rpartition("/")
        word, name = str(reference.get("kind") or ""), str(reference.get("name") or "")
        kind = _BOUND.get(word)
        if group or kind is None:
            text = f"{group}/{version}, Kind={word}"
            raise errors.bad_request(f"cannot bind token to object of type {text}")
        found = self._registry.get(kind, objects.namespace(account) if kind.namespaced else "", name)
        if kind is kinds.POD:
            other = str(objects.spec(found).get("serviceAccountName") or "")
            if other != objects.name(account):
                raise errors.bad_request(
                    f'cannot bind token for serviceaccount "{objects.name(account)}" '
                    f'to pod running with serviceaccount "{other}"'
                )
        wanted = str(reference.get("uid") or "")
        if wanted and wanted != objects.uid(found):
            text = (
                f"the UID in the bound object reference ({wanted}) does not match the UID in record "
                f"({objects.uid(found)}). The object might have been deleted and then recreated"
            )
            raise errors.conflict(word, "", name, text)
        return found

    def _claims(self, account: Object, wanted: _Wanted, now: datetime) -> dict[str, Any]:
        begin, seconds = int(now.timestamp()), wanted.seconds
        private: dict[str, Any] = {
            "namespace": objects.namespace(account),
            "serviceaccount": _reference(account),
        }
        if wanted.bound is not None:
            private[wanted.bound_kind.lower()] = _reference(wanted.bound)
            if wanted.bound_kind == "Pod":
                private |= self._node_of(wanted.bound)
        is_ours = wanted.audiences == self.audiences
        if is_ours and wanted.bound_kind == "Pod" and seconds == WARNING_SECONDS:
            private["warnafter"] = begin + seconds
            seconds = EXTENDED_SECONDS
        return {
            "aud": list(wanted.audiences),
            "exp": begin + seconds,
            "iat": begin,
            "iss": self.url,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": private,
            "nbf": begin,
            "sub": f"system:serviceaccount:{objects.namespace(account)}:{objects.name(account)}",
        }

    def _node_of(self, pod: Object) -> dict[str, Any]:
        name = objects.spec(pod).get("nodeName")
        if not name:
            return {}
        node = self._find(kinds.NODE, "", name)
        return {"node": {"name": name} if node is None else _reference(node)}

    def lasting(self, account: Object, secret: Object) -> str:
        """Return a token without an end, for a Secret that holds it: the Secret's deletion is its end."""
        namespace = objects.namespace(account)
        claims = {
            "iss": _LASTING,
            "sub": f"system:serviceaccount:{namespace}:{objects.name(account)}",
            f"{_LASTING_CLAIM}namespace": namespace,
            f"{_LASTING_CLAIM}secret.name": objects.name(secret),
            f"{_LASTING_CLAIM}service-account.name": objects.name(account),
            f"{_LASTING_CLAIM}service-account.uid": objects.uid(account),
        }
        return self._key.sign(claims)

    # --- verifying --------------------------------------------------------------------------------------

    def __call__(self, credentials: Credentials) -> User | None:
        """Return the ServiceAccount that a bearer token for the API server proves."""
        token = credentials.bearer()
        if token.count(".") != 2:
            return None
        try:
            return self.verify(token)[0]
        except jws.InvalidToken:
            return None

    def verify(self, token: str, audiences: Sequence[str] = ()) -> tuple[User, list[str]]:
        """Return whom a valid token proves and which of the audiences it is for; else ``InvalidToken``."""
        claims = self._key.verify(token)
        wanted = audiences or self.audiences
        if claims.get("iss") == _LASTING:
            claims["aud"] = self.audiences
        common = [each for each in wanted if each in (claims.get("aud") or ())]
        if claims.get("iss") not in (self.url, _LASTING) or not common:
            given = " ".join(map(str, claims.get("aud") or ()))
            raise jws.InvalidToken(
                f'token audiences ["{given}"] is invalid for the target audiences ["{" ".join(wanted)}"]'
            )
        if claims["iss"] == _LASTING:
            return self._lasting_user(token, claims), common
        now = self._registry.clock.now().timestamp()
        if now > claims["exp"] + LEEWAY.total_seconds():
            raise jws.InvalidToken("service account token has expired")
        if now < claims["nbf"] - LEEWAY.total_seconds():
            raise jws.InvalidToken("service account token is not valid yet")
        return self._user(claims), common

    def _user(self, claims: dict[str, Any]) -> User:
        private = claims["kubernetes.io"]
        namespace, name = private["namespace"], private["serviceaccount"]["name"]
        uid = private["serviceaccount"]["uid"]
        self._vouch(kinds.SERVICE_ACCOUNT, namespace, private["serviceaccount"])
        extra = {"credential-id": (f"JTI={claims['jti']}",)}
        for word, kind in (("pod", kinds.POD), ("secret", kinds.SECRET), ("node", kinds.NODE)):
            reference = private.get(word)
            if not reference:
                continue
            if word != "node" or "pod" not in private:
                self._vouch(kind, namespace if kind.namespaced else "", reference)
            if word != "secret":
                extra[f"{word}-name"] = (reference["name"],)
                if reference.get("uid"):
                    extra[f"{word}-uid"] = (reference["uid"],)
        return User(
            f"system:serviceaccount:{namespace}:{name}",
            ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED),
            uid,
            {_EXTRA + key: values for key, values in sorted(extra.items())},
        )

    def _lasting_user(self, token: str, claims: dict[str, Any]) -> User:
        namespace, secret, name, uid = (
            str(claims.get(f"{_LASTING_CLAIM}{each}") or "")
            for each in ("namespace", "secret.name", "service-account.name", "service-account.uid")
        )
        held = (self._find(kinds.SECRET, namespace, secret) or {}).get("data") or {}
        if held.get("token") != base64.b64encode(token.encode()).decode():
            raise jws.InvalidToken("service account token has been invalidated")
        self._vouch(kinds.SERVICE_ACCOUNT, namespace, {"name": name, "uid": uid})
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
        return User(f"system:serviceaccount:{namespace}:{name}", groups, uid)

    def _vouch(self, kind: Kind, namespace: str, reference: dict[str, str]) -> None:
        """Raise unless the very object is there and its deletion has not begun a while ago."""
        found = self._find(kind, namespace, reference["name"])
        if found is None or objects.uid(found) != reference["uid"]:
            raise jws.InvalidToken("service account token has been invalidated")
        ended = objects.parse_time(objects.meta(found).get("deletionTimestamp"))
        if ended is not None and ended < self._registry.clock.now() - LEEWAY:
            raise jws.InvalidToken("service account token has been invalidated")

    def _find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        try:
            return self._registry.get(kind, namespace, name)
        except errors.StatusError:
            return None

    # --- what others need to verify ---------------------------------------------------------------------

    def configuration(self) -> dict[str, Any]:
        """Return the OpenID Connect discovery document."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [jws.ALGORITHM],
        }

    def keys(self) -> dict[str, Any]:
        """Return the JSON Web Key Set with the public key."""
        return {"keys": [self._key.public_jwk()]}


def _reference(obj: Object) -> dict[str, str]:
    return {"name": objects.name(obj), "uid": objects.uid(obj)}
