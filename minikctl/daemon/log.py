"""The control plane's log: rotated, and not filled by what is said over and over while something is away."""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
import time
from collections.abc import Callable

from minikctl.client.home import ClusterHome

LOG_BYTES = 5 << 20
LOG_FILES = 2
FORMAT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"
REPEAT_SECONDS = 60.0
KEPT_WORDS = 512


class Sparing(logging.Filter):
    """Lets the same words of one part pass once a minute, with how often they were held back meanwhile."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._told: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is to be written."""
        words = record.getMessage()
        now = self._monotonic()
        key = record.name, words
        since, held = self._told.get(key, (now - REPEAT_SECONDS, 0))
        if now - since < REPEAT_SECONDS:
            self._told[key] = since, held + 1
            return False
        if held:
            record.msg, record.args = f"{words} ({held} more times since {now - since:.0f} s)", ()
        self._told.pop(key, None)
        self._told[key] = now, 0
        if len(self._told) > KEPT_WORDS:
            del self._told[next(iter(self._told))]
        return True


class _Rotating(logging.handlers.RotatingFileHandler):
    """Takes standard output and error along to each new file, so that a crash is told in the newest."""

    def doRollover(self) -> None:
        super().doRollover()
        if self.stream is not None:
            os.dup2(self.stream.fileno(), 1)
            os.dup2(self.stream.fileno(), 2)


def log_to(home: ClusterHome, level: str = "INFO") -> None:
    """Send the process's log to ``daemon.log``, or to a terminal if it was started at one."""
    handler: logging.Handler
    if sys.stderr.isatty():
        handler = logging.StreamHandler()
    else:
        handler = _Rotating(home.daemon_log, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    handler.setFormatter(logging.Formatter(FORMAT))
    handler.addFilter(Sparing())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
