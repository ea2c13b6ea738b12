"""Our own images, where they can be assembled and where they have to be built."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.drivers import fake_engine, images, rootfs
from minikctl.runtime import clock


class Recorder(fake_engine.FakeEngine):
    """An engine that has no images, and notes what it is asked to make."""

    def __init__(self) -> None:
        super().__init__(clock.SystemClock())
        self.loaded: list[tuple[str, tuple[str, ...]]] = []
        self.contexts: dict[str, bytes] = {}
        for name in (images.INFRA, images.DEMO):
            self.images.remove(name)

    async def load_filesystem(self, archive: str, reference: str, changes: Sequence[str] = ()) -> str:
        self.loaded.append((reference, tuple(changes)))
        return await super().load_filesystem(archive, reference, changes)

    async def build_image(self, context: bytes, reference: str, labels: Mapping[str, str]) -> str:
        self.contexts[reference] = context
        return await super().build_image(context, reference, labels)


class Parts:
    """A machine that has all programs, or none."""

    def __init__(self, recipe: rootfs.Recipe, *, complete: bool = True) -> None:
        self.missing = [] if complete else ["busybox", *recipe.programs]

    def fingerprint(self) -> str:
        return "f" * 12

    def write(self, archive: Path) -> None:
        archive.write_bytes(b"")


def bare(recipe: rootfs.Recipe) -> Parts:
    """Return a machine without any program."""
    return Parts(recipe, complete=False)


@pytest.fixture
def recorder() -> Recorder:
    """An engine without images."""
    made = Recorder()
    made.images.remove(f"{images.INFRA}:ffffffffffff")
    made.images.remove(f"{images.DEMO}:ffffffffffff")
    return made


async def test_an_image_is_made_once_and_tagged(recorder: Recorder) -> None:
    reference = await images.ensure_infra(recorder, Parts)
    assert reference == "minikctl-infra:ffffffffffff"
    assert await images.ensure_infra(recorder, Parts) == reference
    ((loaded, changes),) = recorder.loaded
    assert loaded == reference
    assert 'ENTRYPOINT ["/pause"]' in changes
    assert "LABEL minikctl.dev/image=minikctl-infra" in changes
    image, latest = await recorder.image(reference), await recorder.image("minikctl-infra:latest")
    assert image is not None
    assert latest is not None
    assert image.id == latest.id


async def test_the_demo_app_is_an_image_of_its_own(recorder: Recorder) -> None:
    assert await images.ensure_demo(recorder, Parts) == "minikctl-demo:ffffffffffff"
    ((_, changes),) = recorder.loaded
    assert 'CMD ["/serve"]' in changes


async def test_without_the_programs_the_image_is_built(recorder: Recorder) -> None:
    assert await images.ensure_infra(recorder, bare) == "minikctl-infra:latest"
    with tarfile.open(fileobj=io.BytesIO(recorder.contexts["minikctl-infra:latest"])) as tar:
        assert set(tar.getnames()) == {"Dockerfile", "pause"}
        dockerfile = tar.extractfile("Dockerfile")
        assert dockerfile is not None
        assert dockerfile.read().decode().splitlines()[-1] == 'ENTRYPOINT ["/pause"]'
    assert await images.ensure_infra(recorder, bare) == "minikctl-infra:latest"
    assert len(recorder.contexts) == 1


async def test_without_programs_and_registry_the_error_says_what_to_install(recorder: Recorder) -> None:
    recorder.fail("build_image", errors.DriverError("no registry", "dial tcp: no route"))
    with pytest.raises(errors.DriverError, match=r"apt-get install bind9 .*nftables") as caught:
        await images.ensure_infra(recorder, bare)
    assert caught.value.output == "dial tcp: no route"
    recorder.fail("build_image", errors.EngineUnavailable("gone"))
    with pytest.raises(errors.EngineUnavailable):
        await images.ensure_infra(recorder, bare)
