"""Getting images by pull policy: one pull per image at a time, whoever asks for it.

An image that cannot be pulled but is present is used, whatever the policy says: images that were only ever
built on this machine exist in no registry.  A Warning event says so.
"""

from __future__ import annotations

import asyncio
import logging
import tarfile
from collections.abc import Callable, Mapping

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.model.actions.node import EnsureImage
from minikctl.model.containers import PullProgress
from minikctl.node import accounts
from minikctl.node.failures import NodeFailure
from minikctl.plan.pod import images as pod_images
from minikctl.plan.pod.accounts import Accounts
from minikctl.plan.pod.view import ImageState
from minikctl.runtime import clock as clocks
from minikctl.runtime import tasks

log = logging.getLogger(__name__)

Tell = Callable[[str, str, str], None]
"""Records an event about the container: type, reason, message."""

PROGRESS_SECONDS = 10.0
"""A pull that takes longer says how far it is, then again after twice as long, up to a minute."""
MOST_PROGRESS_SECONDS = 60.0
UNREACHABLE_SECONDS = 300.0
"""So long a failed pull is not repeated while the image is present: without network each takes seconds."""


class Images:
    """The engine's images as containers need them."""

    def __init__(
        self, engine: engines.Engine, clock: clocks.Clock, background: tasks.Tasks, cluster: str
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._background = background
        self._cluster = cluster
        self._accounts: dict[str, Accounts | None] = {}
        self._reading: dict[str, asyncio.Lock] = {}
        self._pulls: dict[str, asyncio.Future[float]] = {}
        self._progress: dict[str, PullProgress] = {}
        self._unreachable: dict[str, tuple[float, str]] = {}

    async def ensure(self, action: EnsureImage, tell: Tell) -> ImageState:
        """Return the image once it is at hand; ``NodeFailure`` says why it is not."""
        present = await self._engine.image(action.image)
        if present is None and action.policy == "Never":
            message = f'Container image "{action.image}" is not present with pull policy of Never'
            message += await self._hint(action.image)
            tell("Warning", "ErrImageNeverPull", message)
            tell("Warning", "Failed", "Error: ErrImageNeverPull")
            raise NodeFailure("ErrImageNeverPull", message)
        if present is not None and action.policy != "Always":
            tell("Normal", "Pulled", f'Container image "{action.image}" already present on machine')
            return await self._state(action.image, present)
        return await self._pulled(action, present, tell)

    async def _state(self, reference: str, image: engines.Image) -> ImageState:
        """Return the image with its users and groups, which are read once as long as this node runs."""
        async with self._reading.setdefault(image.id, asyncio.Lock()):
            if image.id not in self._accounts:
                self._accounts[image.id] = await self._read_accounts(reference)
            found = self._accounts[image.id]
            if found is None:
                del self._accounts[image.id]
        return ImageState(reference, image.id, image.user, found)

    async def _read_accounts(self, reference: str) -> Accounts | None:
        try:
            return await accounts.read(self._engine, self._cluster, reference)
        except errors.EngineUnavailable:
            raise
        except (errors.DriverError, tarfile.TarError) as error:
            log.warning("reading users and groups of image %s: %s", reference, error)
            return None

    async def _pulled(self, action: EnsureImage, present: engines.Image | None, tell: Tell) -> ImageState:
        if present is not None and (known := self._known_failure(action.image)) is not None:
            tell("Warning", "PullSkipped", _fallback(action.image, known))
            return await self._state(action.image, present)
        tell("Normal", "Pulling", f'Pulling image "{action.image}"')
        started = self._clock.monotonic()
        telling = self._background.start(
            self._tell_progress(action.image, tell), f"progress of {action.image}"
        )
        try:
            took = await self._pull(action.image, action.auths)
        except errors.ImageMissing as error:
            if present is None:
                message = str(error) + await self._hint(action.image)
                self._tell_failure(action.image, message, tell)
                raise NodeFailure("ErrImagePull", message) from error
            self._unreachable[action.image] = (self._clock.monotonic(), str(error))
            tell("Warning", "PullFailed", _fallback(action.image, str(error)))
            return await self._state(action.image, present)
        finally:
            telling.cancel()
        found = await self._engine.image(action.image)
        if found is None:
            raise NodeFailure("ErrImagePull", f"the engine pulled {action.image} but does not have it")
        waited = self._clock.monotonic() - started
        tell(
            "Normal",
            "Pulled",
            f'Successfully pulled image "{action.image}" in {_seconds(took)} '
            f"({_seconds(waited)} including waiting). Image size: {found.size_bytes} bytes.",
        )
        return await self._state(action.image, found)

    async def _tell_progress(self, image: str, tell: Tell) -> None:
        """Say from time to time how far the pull is, until cancelled."""
        waited, pause = 0.0, PROGRESS_SECONDS
        while True:
            await self._clock.sleep(pause)
            waited, pause = waited + pause, min(2 * pause, MOST_PROGRESS_SECONDS)
            found = self._progress.get(image, PullProgress())
            tell("Normal", "Pulling", pod_images.progress(image, found, waited))

    async def _hint(self, image: str) -> str:
        return pod_images.hint(image, await self._engine.image_names())

    def _known_failure(self, image: str) -> str | None:
        since, message = self._unreachable.get(image, (float("-inf"), ""))
        return message if self._clock.monotonic() - since < UNREACHABLE_SECONDS else None

    def _tell_failure(self, image: str, message: str, tell: Tell) -> None:
        tell("Warning", "Failed", f'Failed to pull image "{image}": {message}')
        tell("Warning", "Failed", "Error: ErrImagePull")

    async def _pull(self, image: str, auths: tuple[Mapping[str, str], ...]) -> float:
        """Pull, or join the pull that is under way; return the seconds that the pull itself took."""
        running = self._pulls.get(image)
        if running is None:
            running = asyncio.get_running_loop().create_future()
            self._pulls[image] = running
            self._background.start(self._pull_into(running, image, auths), f"pull {image}")
        return await asyncio.shield(running)

    async def _pull_into(
        self, outcome: asyncio.Future[float], image: str, auths: tuple[Mapping[str, str], ...]
    ) -> None:
        started = self._clock.monotonic()
        try:
            await self._pull_with(image, auths)
        except Exception as error:  # noqa: BLE001 - raised again where the image is waited for
            outcome.set_exception(error)
            outcome.exception()  # seen here, should nobody be waiting any more
        else:
            outcome.set_result(self._clock.monotonic() - started)
        finally:
            self._progress.pop(image, None)
            del self._pulls[image]
            if not outcome.done():
                outcome.cancel()

    async def _pull_with(self, image: str, auths: tuple[Mapping[str, str], ...]) -> None:
        """Try the logins in order, then none; the last failure counts."""

        def watch(found: PullProgress) -> None:
            if image in self._pulls:
                self._progress[image] = found

        for auth in auths:
            try:
                await self._engine.pull(image, auth, watch)
                return
            except errors.ImageMissing:
                continue
        await self._engine.pull(image, watch=watch)


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms" if seconds < 1 else f"{seconds:.3f}s"


def _fallback(image: str, message: str) -> str:
    return f'Failed to pull image "{image}", using the one that is present on machine: {message}'
