"""What the parts of the network work with."""

from __future__ import annotations

from dataclasses import dataclass

from minikctl.client.informer import Informers
from minikctl.drivers.engine import Engine
from minikctl.runtime.clock import Clock
from minikctl.runtime.executor import ApiExecutor, Recorder


@dataclass(frozen=True)
class Tools:
    """The API's caches, a way to write to it, the engine, and time."""

    informers: Informers
    actions: ApiExecutor
    recorder: Recorder
    engine: Engine
    clock: Clock
