"""A registry on a store of its own, with the cluster's first objects in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from minikctl.apiserver.bootstrap import bootstrap
from minikctl.apiserver.registry import Registry
from minikctl.store.store import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "store.db")
    yield opened
    await opened.close()


@pytest.fixture
async def registry(store: Store) -> AsyncIterator[Registry]:
    started = Registry(store)
    await started.start()
    await bootstrap(started)
    yield started
    await started.close()
