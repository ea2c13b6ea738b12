"""Keeping the rules of all network namespaces up to date: one writer, batches, only what differs."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from minikctl import errors
from minikctl.drivers.netns import Netns, NetnsChange, Writing
from minikctl.model.objects import Key
from minikctl.network.policies import PolicyBook
from minikctl.network.rulebook import Profile, RuleBook
from minikctl.plan import netpol_nft, proxy, proxy_nft
from minikctl.runtime import clock as clocks
from minikctl.runtime import tasks

log = logging.getLogger(__name__)

COALESCE_SECONDS = 0.012
REST_SECONDS = 0.1
"""What is left to others between two rounds is at most this: on a busy machine a round takes long without
taking much of it, and a change must not wait for that time once more."""
RESYNC_SECONDS = 60.0
"""What others change of rules and routes is heard of at once: this is for what nobody heard."""
RETRY_SECONDS = 0.1
RETRY_LIMIT_SECONDS = 1.0
ATTACH_SECONDS = 30.0
ENDED = ("/ns/net", "no longer belongs")
"""What is said of a namespace whose process has ended."""


@dataclass(frozen=True)
class Member:
    """A network namespace that gets rules: that of a running container.

    ``pod`` is whose policies apply, None for publishers, which have none.
    """

    container_id: str
    pid: int
    ip: str
    profile: Profile = None
    pod: Key | None = None


@dataclass(frozen=True)
class Books:
    """Where the rules of namespaces are read: of Services and of policies."""

    services: RuleBook
    policies: PolicyBook


Discover = Callable[[], Awaitable[Iterable[Member]]]
"""Finds all namespaces that exist."""


@dataclass(frozen=True)
class _Target:
    """The tables that a namespace is to have; ``policy`` None: no such table."""

    services: proxy.Compiled
    policy: proxy.Ruleset | None


@dataclass
class _State:
    """What a namespace is known to hold; ``compiled`` None when that is not known.

    ``doubted``: somebody changed it since; an update that is under way settles nothing.  ``unseen``: it has
    its turn to be looked at.  ``astray``: flows may have begun while its rules were missing.  ``written`` is
    when it last had its turn, or when its rules were written anew, on the monotonic clock.  ``routed`` are
    the ranges that have routes, None when that is not known.
    """

    member: Member
    written: float
    compiled: proxy.Compiled | None = None
    doubted: bool = False
    unseen: bool = False
    astray: bool = False
    routed: tuple[str, ...] | None = None
    policy: proxy.Ruleset | None = None
    stale_chains: set[str] = field(default_factory=set)
    stale_clients: set[str] = field(default_factory=set)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)

    def has(self, target: _Target) -> bool:
        """Tell whether these are the tables that it holds, as far as is known."""
        return self.compiled is target.services and self.policy is target.policy


class RuleSync:
    """Programs namespaces: at once when they are attached, within some milliseconds when Services change.

    One task writes, so that changes of a namespace never overtake one another.  While an update is under
    way, what comes meanwhile gathers for the next one.
    """

    def __init__(self, netns: Netns, books: Books, discover: Discover, clock: clocks.Clock) -> None:
        self._netns = netns
        self._books = books
        self._discover = discover
        self._clock = clock
        self._states: dict[str, _State] = {}
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()
        self._delay = RETRY_SECONDS
        self._failures: dict[str, str] = {}
        self._left: dict[str, Member] = {}
        """Those that failed, until it is known whether they are still there."""
        self._failing = asyncio.Event()
        self._over = asyncio.Event()
        """Set when the present round is over."""
        self._rested = 0.0
        self._unswept: set[str] = set()
        self._purges: list[NetnsChange] = []
        """Flows that are to be forgotten, until that is done."""
        self._all, self._entered = True, set[str]()
        self._turns: list[tuple[float, int, str]] = []
        """When each namespace was written, the oldest first; some have been written since."""
        self._queued: set[str] = set()
        self._numbers = itertools.count()

    async def attach(self, member: Member) -> None:
        """Return once the namespace has its routes and rules; ``DriverError`` tells why it has not."""
        state = self._enter(member)
        if state.compiled is not None:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        state.waiters.append(waiter)
        self._urgent.set()
        self._wake.set()
        try:
            await tasks.first(_done(waiter), self._clock.sleep(ATTACH_SECONDS))
        finally:
            with contextlib.suppress(ValueError):
                state.waiters.remove(waiter)
        if not waiter.done():
            waiter.cancel()
            raise errors.DriverError("the network agent did not answer in time")
        waiter.result()

    async def withdrawn(self, address: str) -> None:
        """Return once all rules are made in the knowledge that the pod with this address ends."""
        while self._misleads(address):
            await self._over.wait()

    def _misleads(self, address: str) -> bool:
        """Tell whether rules somewhere may lead to the address that are not the newest."""
        lasts, current = self._books.services.lasts(address), self._books.services.current
        if lasts is not False:
            return lasts is not None
        return any(
            state.compiled is None
            or (
                address in state.compiled.targets
                and state.compiled is not current(state.member.profile, state.member.pod)
            )
            for state in self._states.values()
        )

    def _enter(self, member: Member) -> _State:
        if member.pod is not None:
            self._books.policies.attached(member.pod, member.ip)
        else:
            self._books.policies.publishes(member.container_id, member.ip)
        self._left.pop(member.container_id, None)
        state = self._states.get(member.container_id)
        if state is None or state.member != member:
            waiters = state.waiters if state else []
            state = self._states[member.container_id] = _State(
                member, self._clock.monotonic(), waiters=waiters
            )
        if member.container_id not in self._queued:
            self._queued.add(member.container_id)
            heapq.heappush(self._turns, (state.written, next(self._numbers), member.container_id))
        if state.compiled is None:
            self._entered.add(member.container_id)
        return state

    def forget(self, container_id: str) -> None:
        """Let a namespace be; whoever waits for it learns that it is gone."""
        state = self._states.pop(container_id, None)
        if state is not None:
            _refuse(state, errors.NoSuchContainer(f"container {container_id[:12]} is gone"))
        member = state.member if state else self._left.pop(container_id, None)
        if member is not None and member.pod is not None:
            self._books.policies.detached(member.pod, member.ip)
        elif member is not None:
            self._books.policies.publishes(container_id, "")

    async def discover(self) -> None:
        """Find out which namespaces there are, forget the others, and have the new ones programmed."""
        before = {*self._states, *self._left}
        found = {member.container_id: member for member in await self._discover()}
        for container_id in before - set(found):
            self.forget(container_id)
        for member in found.values():
            self._enter(member)
        self._wake.set()

    def changed(self) -> None:
        """Have all namespaces updated soon."""
        self._all = True
        self._wake.set()

    def suspect(self, container_id: str, *, routes: bool = True) -> bool:
        """Have a namespace written anew: its rules are not to be relied on, or its routes neither.

        Tell whether that is news.
        """
        state = self._states.get(container_id)
        if state is None or (state.doubted and (state.routed is None or not routes)):
            return False
        state.doubted = True
        if routes:
            state.routed = None
        self._entered.add(container_id)
        self._wake.set()
        return True

    def suspect_all(self) -> None:
        """Have all namespaces written anew."""
        for state in self._states.values():
            state.doubted, state.routed = True, None
        self.changed()

    async def run(self) -> None:
        """Keep all namespaces up to date until cancelled."""
        for book in (self._books.services, self._books.policies):
            await book.ready()
            book.subscribe(self.changed)
        await self._rediscover()
        # What they were told while nobody was watching is not known, and neither are their UDP flows.
        self._unswept = set(self._states)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._work(), name="network rules")
            group.create_task(self._retry(), name="network rules that failed")
            group.create_task(self._resync(), name="network rules again")
            group.create_task(self._look(), name="network namespaces")

    async def _resync(self) -> None:
        """Look once a minute whether each namespace has its rules, one after the other; write them if not.

        All at once they would keep a change waiting for longer than it takes to reach every namespace.
        What is as it was left is not written again: while the kernel makes a new table, the ranges of the
        present one can be found empty for some microseconds.
        Routes take a process each time, which waits for the kernel where containers come and go: those that
        are lost are heard of.
        """
        while True:
            await self._clock.sleep(RESYNC_SECONDS / max(len(self._states), 1))
            oldest = self._oldest()
            if oldest:
                self._states[oldest].unseen = True
                self._entered.add(oldest)
                self._wake.set()

    def _oldest(self) -> str:
        """Return the namespace that was looked at the longest ago, "" if there is none."""
        while self._turns:
            written, number, container_id = self._turns[0]
            state = self._states.get(container_id)
            if state is not None and state.written == written:
                return container_id
            if state is None:
                heapq.heappop(self._turns)
                self._queued.discard(container_id)
            else:
                heapq.heapreplace(self._turns, (state.written, number, container_id))
        return ""

    async def _look(self) -> None:
        while True:
            await self._clock.sleep(RESYNC_SECONDS)
            await self._rediscover()

    async def _rediscover(self) -> None:
        try:
            await self.discover()
        except errors.DriverError as error:
            log.warning("looking for network namespaces: %s", error)

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            if not self._urgent.is_set():
                # Under a flood of changes half of the time is left to others.
                gathering = max(COALESCE_SECONDS, self._rested - self._clock.monotonic())
                await tasks.first(self._clock.sleep(gathering), self._urgent.wait())
            self._wake.clear()
            self._urgent.clear()
            started = self._clock.monotonic()
            try:
                await self._round()
                self._over.set()
                self._over = asyncio.Event()
            except errors.DriverError as error:
                log.info("rules wait: %s", error)
                self._all = True
                await self._pause()
            else:
                self._delay = RETRY_SECONDS
                ended = self._clock.monotonic()
                self._rested = ended + min(ended - started, REST_SECONDS)

    async def _pause(self) -> None:
        """Where nothing could be done wait longer each time, or until somebody needs rules for a new pod."""
        await tasks.first(self._clock.sleep(self._delay), self._urgent.wait())
        self._delay = min(self._delay * 2, RETRY_LIMIT_SECONDS)
        self._wake.set()

    async def _retry(self) -> None:
        """Look for the namespaces that failed, less often while that goes on; no other waits for them.

        Where pods come and go some namespaces end under the hands of every round.
        """
        delay = RETRY_SECONDS
        while True:
            await self._failing.wait()
            self._failing.clear()
            failures, self._failures = self._failures, {}
            await self._rediscover()
            self._report(failures)
            await self._clock.sleep(delay)
            delay = min(delay * 2, RETRY_LIMIT_SECONDS) if self._failing.is_set() else RETRY_SECONDS

    async def _round(self) -> None:
        """Bring all namespaces up to date, those that fail excepted."""
        wanted: dict[str, tuple[_State, _Target]] = {}
        for container_id, state in self._due():
            if state.doubted or state.unseen:
                state.written = self._clock.monotonic()
            if state.doubted:
                state.doubted, state.compiled, state.astray = False, None, True
            target = self._target(state.member)
            if state.unseen or not state.has(target):
                wanted[container_id] = (state, target)
            state.unseen = False
        if not wanted and not self._unswept and not self._purges:
            return
        texts = _Texts()
        changes = [self._change(state, target, texts) for state, target in wanted.values()]
        failures = dict(await self._netns.apply(changes)) if changes else {}
        for container_id, (state, target) in wanted.items():
            if self._states.get(container_id) is not state:
                failures.pop(container_id, None)  # its process is another one by now, whose turn is next
                continue
            if container_id in failures:
                self._failed(state, failures[container_id])
                continue
            self._purges += _purge(state, target)
            _succeeded(state, target)
        self._purges += self._sweeps()
        if failures:
            self._failures |= failures
            self._failing.set()
        if self._purges:
            await self._netns.apply(self._purges)
            self._purges = []

    def _due(self) -> list[tuple[str, _State]]:
        """Return the namespaces whose rules may differ: without policies a new one concerns no other."""
        everything, entered = self._all or self._books.policies.exist, self._entered
        self._all, self._entered = False, set()
        if everything:
            return list(self._states.items())
        return [(each, self._states[each]) for each in entered if each in self._states]

    def _report(self, failures: Mapping[str, str]) -> None:
        """Warn about what failed, except where the end of the container is why."""
        for container_id, words in failures.items():
            gone = container_id not in self._states or any(sign in words for sign in ENDED)
            log.log(logging.DEBUG if gone else logging.WARNING, "rules of %s: %s", container_id[:12], words)

    def _target(self, member: Member) -> _Target:
        policy = self._books.policies.table(member.pod) if member.pod is not None else None
        return _Target(self._books.services.current(member.profile, member.pod), policy)

    def _sweeps(self) -> list[NetnsChange]:
        """Return the changes that forget all UDP flows, once for each namespace that was there before us."""
        found = []
        for container_id in [*self._unswept]:
            state = self._states.get(container_id)
            if state is None or state.compiled is not None:
                self._unswept.discard(container_id)
            if state is not None and state.compiled is not None:
                commands = proxy_nft.sweep_commands(state.compiled)
                found += [NetnsChange(container_id, state.member.pid, commands)] if commands else []
        return found

    def _change(self, state: _State, target: _Target, texts: _Texts) -> NetnsChange:
        member, routes = state.member, _routes(state, target)
        is_turn = state.has(target)
        if state.compiled is not None and not is_turn:
            text = texts.delta(state.compiled, target.services) + texts.policy(state.policy, target.policy)
            return NetnsChange(member.container_id, member.pid, routes, text)
        current = target.services.ruleset
        unused = proxy_nft.prune(
            state.stale_chains - set(current.chains), state.stale_clients - set(current.clients)
        )
        if is_turn and unused:
            return NetnsChange(member.container_id, member.pid, routes, unused)
        text = texts.whole(target.services)
        if current.clients:
            text += unused
        if member.pod is not None:
            text += texts.whole_policy(target.policy)
        writing = Writing.IF_DISTURBED if is_turn else Writing.WHOLE
        return NetnsChange(member.container_id, member.pid, routes, text, writing)

    def _failed(self, state: _State, words: str) -> None:
        # Whether it is still there, and so tried again, is found out afresh.
        del self._states[state.member.container_id]
        self._left[state.member.container_id] = state.member
        _refuse(state, errors.DriverError(f"setting up the pod's network: {words}", words))


def _routes(state: _State, target: _Target) -> tuple[tuple[str, ...], ...]:
    """Return the commands that make a namespace's routes, nothing if it is known to have them."""
    after = target.services.ranges
    if state.routed == after:
        return ()
    left = [each for each in state.routed or () if each not in after]
    return proxy.setup_commands(after, state.member.ip, left)


class _Texts:
    """Texts made once for all namespaces that need the same."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, int, int], str] = {}

    def _once(self, key: tuple[str, int, int], make: Callable[[], str]) -> str:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def whole(self, target: proxy.Compiled) -> str:
        """Return what sets the rules of Services, whatever is there."""
        # Replacing the table would forget which client belongs to which endpoint.
        make = proxy_nft.refresh if target.ruleset.clients else proxy_nft.replace
        return self._once(("whole", 0, id(target)), lambda: make(target.ruleset))

    def delta(self, old: proxy.Compiled, target: proxy.Compiled) -> str:
        """Return what differs in the rules of Services."""
        make = proxy_nft.delta
        return self._once(("delta", id(old), id(target)), lambda: make(old.ruleset, target.ruleset))

    def whole_policy(self, target: proxy.Ruleset | None) -> str:
        """Return what sets the policy table, whatever is there."""
        return self._once(("whole policy", 0, id(target)), lambda: netpol_nft.whole(target))

    def policy(self, old: proxy.Ruleset | None, target: proxy.Ruleset | None) -> str:
        """Return what differs in the policy table."""
        return self._once(("policy", id(old), id(target)), lambda: netpol_nft.change(old, target))


def _succeeded(state: _State, target: _Target) -> None:
    if state.compiled is None or state.has(target):
        state.stale_chains, state.stale_clients = set(), set()
    else:
        chains, clients = proxy_nft.leftover(state.compiled.ruleset, target.services.ruleset)
        state.stale_chains |= chains
        state.stale_clients |= clients
    state.compiled, state.policy, state.astray = target.services, target.policy, False
    if not (state.doubted and state.routed is None):
        state.routed = target.services.ranges
    for waiter in state.waiters:
        if not waiter.done():
            waiter.set_result(None)


def _refuse(state: _State, error: errors.DriverError) -> None:
    for waiter in state.waiters:
        if not waiter.done():
            waiter.set_exception(error)


def _purge(state: _State, target: _Target) -> list[NetnsChange]:
    """Return the change that forgets UDP flows which the new rules would not make."""
    if state.compiled is None:
        commands = proxy_nft.stray_commands(target.services) if state.astray else ()
        return [NetnsChange(state.member.container_id, state.member.pid, commands)] if commands else []
    commands = proxy_nft.purge_commands(state.compiled, target.services)
    commands += netpol_nft.purge_commands(state.policy, target.policy, state.member.ip)
    return [NetnsChange(state.member.container_id, state.member.pid, commands)] if commands else []


async def _done(waiter: asyncio.Future[None]) -> None:
    await asyncio.wait([waiter])
