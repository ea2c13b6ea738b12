"""ServiceAccount tokens: requested, verified, and invalid as soon as what they are bound to is gone."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from minikctl import errors
from minikctl.apiserver import auth, jws
from minikctl.apiserver.auth import Credentials, TokenAuthenticator
from minikctl.apiserver.bootstrap import bootstrap
from minikctl.apiserver.http import build_app
from minikctl.apiserver.issuer import Issuer
from minikctl.apiserver.options import DeleteOptions, PatchOptions
from minikctl.apiserver.registry import Registry, Settings
from minikctl.model import kinds, objects
from minikctl.store.store import Store
from tests.apiserver.asgi import TOKEN, Client
from tests.fakes.clock import FakeClock

URL = "https://kubernetes.default.svc.cluster.local"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"


class Bench:
    def __init__(self, registry: Registry, clock: FakeClock) -> None:
        self.registry, self.clock = registry, clock
        self.issuer = Issuer(registry, jws.SigningKey(ec.generate_private_key(ec.SECP256R1())), URL)
        ways = (TokenAuthenticator(TOKEN), self.issuer)
        self.app = build_app(registry, authenticate=auth.any_of(ways), issuer=self.issuer)

    def request(self, **spec: Any) -> Any:
        return self.issuer.request("default", "robot", {"spec": spec})

    def token(self, **spec: Any) -> str:
        return str(self.request(**spec)["status"]["token"])

    def proves(self, token: str) -> auth.User | None:
        return self.issuer(Credentials({"authorization": f"Bearer {token}"}))

    async def pod(self, account: str = "robot") -> Any:
        body = {
            "metadata": {"name": "p"},
            "spec": {"serviceAccountName": account, "containers": [{"name": "c", "image": "i"}]},
        }
        return await self.registry.create(kinds.POD, "default", body)


@pytest.fixture
async def bench(store: Store) -> Any:
    clock = FakeClock()
    registry = Registry(store, Settings(clock=clock))
    await registry.start()
    await bootstrap(registry)
    for name in ("robot", "other"):
        await registry.create(kinds.SERVICE_ACCOUNT, "default", {"metadata": {"name": name}})
    yield Bench(registry, clock)
    await registry.close()


async def test_a_token_proves_its_account(bench: Bench) -> None:
    account = bench.registry.get(kinds.SERVICE_ACCOUNT, "default", "robot")
    user = bench.proves(bench.token())
    assert user is not None
    assert user.name == "system:serviceaccount:default:robot"
    assert user.groups == (
        "system:serviceaccounts",
        "system:serviceaccounts:default",
        "system:authenticated",
    )
    assert user.uid == objects.uid(account)
    assert list(user.extra) == ["authentication.kubernetes.io/credential-id"]


async def test_a_token_expires(bench: Bench) -> None:
    token = bench.token(expirationSeconds=600)
    await bench.clock.advance(650)
    assert bench.proves(token) is not None
    await bench.clock.advance(20)
    assert bench.proves(token) is None


async def test_tokens_for_others_are_not_for_the_api(bench: Bench) -> None:
    token = bench.token(audiences=["vault"])
    assert bench.proves(token) is None
    assert bench.issuer.verify(token, ["vault", "x"])[1] == ["vault"]


async def test_a_token_goes_with_its_pod(bench: Bench) -> None:
    await bench.pod()
    token = bench.token(boundObjectRef={"apiVersion": "v1", "kind": "Pod", "name": "p"})
    user = bench.proves(token)
    assert user is not None
    assert user.extra["authentication.kubernetes.io/pod-name"] == ("p",)
    await bench.registry.delete(kinds.POD, "default", "p", DeleteOptions(grace_seconds=0))
    assert bench.proves(token) is None
    await bench.pod()
    assert bench.proves(token) is None, "another pod of the same name"


async def test_a_token_goes_with_its_account(bench: Bench) -> None:
    token = bench.token()
    await bench.registry.delete(kinds.SERVICE_ACCOUNT, "default", "robot")
    assert bench.proves(token) is None
    await bench.registry.create(kinds.SERVICE_ACCOUNT, "default", {"metadata": {"name": "robot"}})
    assert bench.proves(token) is None


async def test_tokens_of_pods_outlive_the_hour_for_clients_that_never_read_them_again(bench: Bench) -> None:
    await bench.pod()
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "p"}
    answer = bench.request(boundObjectRef=reference, expirationSeconds=3607)
    until = objects.parse_time(answer["status"]["expirationTimestamp"])
    assert until is not None
    assert abs(until - bench.clock.now() - timedelta(seconds=3607)) < timedelta(seconds=1)
    await bench.clock.advance(300 * 24 * 3600)
    assert bench.proves(answer["status"]["token"]) is not None


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ({"expirationSeconds": 60}, 422, "may not specify a duration less than 10 minutes"),
        ({"expirationSeconds": 1 << 33}, 422, "may not specify a duration larger than 2^32 seconds"),
        ({"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "x"}}, 404, 'pods "x" not found'),
        (
            {"boundObjectRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}},
            400,
            "cannot bind token to object of type apps/v1, Kind=Deployment",
        ),
        (
            {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p"}},
            400,
            'cannot bind token for serviceaccount "robot" to pod running with serviceaccount "other"',
        ),
        (
            {"boundObjectRef": {"apiVersion": "v1", "kind": "ServiceAccount", "name": "robot"}},
            400,
            "cannot bind token to object of type /v1, Kind=ServiceAccount",
        ),
    ],
)
async def test_refusals_say_why(bench: Bench, spec: Any, code: int, words: str) -> None:
    await bench.pod("other")
    with pytest.raises(errors.StatusError, match=re.escape(words)) as refused:
        bench.request(**spec)
    assert refused.value.code == code


async def test_tokens_are_requested_and_reviewed_over_http(bench: Bench) -> None:
    client = Client(bench.app)
    made = await client("POST", f"{ACCOUNTS}/robot/token", {"spec": {"expirationSeconds": 700}})
    assert made.status == 201
    assert made.json()["kind"] == "TokenRequest"
    assert made.json()["spec"]["audiences"] == [URL]
    token = made.json()["status"]["token"]
    reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
    review = (await client("POST", reviews, {"spec": {"token": token}})).json()["status"]
    assert review["authenticated"] is True
    assert review["user"]["username"] == "system:serviceaccount:default:robot"
    assert review["audiences"] == [URL]
    wrong = (await client("POST", reviews, {"spec": {"token": token + "x"}})).json()["status"]
    assert wrong == {"user": {}, "error": "invalid bearer token"}
    assert (await client("POST", f"{ACCOUNTS}/nobody/token", {})).status == 404
    assert (await client("GET", f"{ACCOUNTS}/robot/token")).status == 405


async def test_what_others_need_to_verify_tokens_is_served(bench: Bench) -> None:
    client = Client(bench.app)
    found = (await client("GET", "/.well-known/openid-configuration")).json()
    assert found["issuer"] == URL
    assert found["jwks_uri"] == f"{URL}/openid/v1/jwks"
    keys = (await client("GET", "/openid/v1/jwks")).json()["keys"]
    assert keys == [bench.issuer.keys()["keys"][0]]


async def test_an_account_that_may_do_nothing_is_told_so(bench: Bench) -> None:
    client = Client(bench.app, bench.token())
    refused = await client("GET", "/api/v1/namespaces/default/pods")
    assert refused.status == 403
    assert refused.json()["message"] == (
        'pods is forbidden: User "system:serviceaccount:default:robot" cannot list resource "pods" '
        'in API group "" in the namespace "default"'
    )
    who = await client("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert who.json()["status"]["userInfo"]["username"] == "system:serviceaccount:default:robot"


async def test_a_token_of_a_secret_lasts_as_long_as_that(bench: Bench) -> None:
    account = bench.registry.get(kinds.SERVICE_ACCOUNT, "default", "robot")
    body: Any = {
        "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "tok", "annotations": {"kubernetes.io/service-account.name": "robot"}},
    }
    secret = await bench.registry.create(kinds.SECRET, "default", body)
    token = bench.issuer.lasting(account, secret)
    assert bench.proves(token) is None, "it is worth nothing before the Secret holds it"
    patch = {"data": {"token": base64.b64encode(token.encode()).decode()}}
    await bench.registry.patch(kinds.SECRET, "default", "tok", patch, PatchOptions(type="merge"))
    await bench.clock.advance(10 * 365 * 24 * 3600)
    found = bench.proves(token)
    assert found is not None
    assert (found.name, found.uid) == ("system:serviceaccount:default:robot", objects.uid(account))
    with pytest.raises(jws.InvalidToken, match="target audiences"):
        bench.issuer.verify(token, ("another",))
    await bench.registry.delete(kinds.SECRET, "default", "tok")
    assert bench.proves(token) is None
