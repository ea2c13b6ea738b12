"""Cron schedules as Kubernetes reads them (robfig/cron's standard parser), and the moments that they name.

Five fields of numbers, names, ranges, steps and lists, or a descriptor such as ``@daily`` or ``@every 90m``.
cronsim finds matching times on the clock on the wall; which moments those are, and that in spring some do not
exist and in autumn some are there twice, is decided here, as Go decides it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from cronsim import CronSim, CronSimError

from minikctl.model import godurations

_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


_CHANGE = timedelta(hours=3)
"""No clock is put forward or back by more."""


class CronError(ValueError):
    """A schedule that cannot be read; the text is the parser's of Kubernetes."""


class Schedule(Protocol):
    """Moments without end."""

    def after(self, moment: datetime) -> datetime | None:
        """Return the first moment later than this one, None if there is none."""
        ...


@dataclass(frozen=True)
class _Bounds:
    least: int
    most: int
    names: dict[str, int]


_FIELDS = (
    _Bounds(0, 59, {}),
    _Bounds(0, 23, {}),
    _Bounds(1, 31, {}),
    _Bounds(1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Bounds(0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


def parse(text: str, zone: tzinfo = UTC) -> Schedule:
    """Return the schedule, read in that time zone; CronError tells what is wrong with it."""
    if not text:
        raise CronError("empty spec string")
    if text.startswith("@"):
        if text.startswith("@every "):
            return _Every(_duration(text, text.removeprefix("@every ")))
        if text not in _DESCRIPTORS:
            raise CronError(f"unrecognized descriptor: {text}")
        text = _DESCRIPTORS[text]
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise CronError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    plain = [_field(each, bounds) for each, bounds in zip(fields, _FIELDS, strict=True)]
    return _OnTheWall(" ".join(plain), zone)


def _duration(whole: str, text: str) -> timedelta:
    try:
        delay = godurations.seconds(text)
    except ValueError as error:
        raise CronError(f"failed to parse duration {whole}: {error}") from error
    return timedelta(seconds=max(1, int(delay)))


def _field(text: str, bounds: _Bounds) -> str:
    """Return the field with nothing but numbers; a star stays one only where it stands alone."""
    return ",".join(_range(each, bounds) for each in text.split(",") if each) or "*"


def _range(text: str, bounds: _Bounds) -> str:
    limits, *steps = text.split("/")
    if len(steps) > 1:
        raise CronError(f"too many slashes: {text}")
    first, *lasts = limits.split("-")
    if first in ("*", "?"):
        start, end = bounds.least, bounds.most
        if not steps:
            return "*"
    else:
        if len(lasts) > 1:
            raise CronError(f"too many hyphens: {text}")
        start = _number(first, bounds)
        end = _number(lasts[0], bounds) if lasts else bounds.most if steps else start
    step = _number(steps[0], _FIELDS[0]) if steps else 1
    if start < bounds.least:
        raise CronError(f"beginning of range ({start}) below minimum ({bounds.least}): {text}")
    if end > bounds.most:
        raise CronError(f"end of range ({end}) above maximum ({bounds.most}): {text}")
    if start > end:
        raise CronError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise CronError(f"step of range should be a positive number: {text}")
    return ",".join(str(each) for each in range(start, end + 1, step))


def _number(text: str, bounds: _Bounds) -> int:
    named = bounds.names.get(text.lower())
    if named is not None:
        return named
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        raise CronError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise CronError(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)


@dataclass(frozen=True)
class _Every:
    """Moments at a constant distance."""

    delay: timedelta

    def after(self, moment: datetime) -> datetime | None:
        """Return the moment one delay later, in whole seconds."""
        return moment.replace(microsecond=0) + self.delay


@dataclass(frozen=True)
class _OnTheWall:
    """Moments at which the clock on the wall of a time zone shows certain times."""

    expression: str
    zone: tzinfo

    def after(self, moment: datetime) -> datetime | None:
        """Return the first such moment later than this one; times that the clock skips do not happen."""
        wall = moment.astimezone(self.zone).replace(tzinfo=None, fold=0)
        near = {(moment + away).astimezone(self.zone).utcoffset() for away in (-_CHANGE, _CHANGE)}
        if len(near) > 1:
            wall -= _CHANGE  # a clock that is put back shows times again
        found: datetime | None = None
        for shown in self._shown(wall):
            for each in self._moments(shown):
                if each > moment and (found is None or each < found):
                    found = each
            if found is not None and shown > found.astimezone(self.zone).replace(tzinfo=None):
                break
        return found

    def _shown(self, wall: datetime) -> Iterator[datetime]:
        try:
            yield from CronSim(self.expression, wall)
        except CronSimError:
            return

    def _moments(self, shown: datetime) -> Iterator[datetime]:
        """Yield when the clock shows that: once, twice or never."""
        seen = set()
        for fold in (0, 1):
            moment = shown.replace(tzinfo=self.zone, fold=fold).astimezone(UTC)
            if moment not in seen and moment.astimezone(self.zone).replace(tzinfo=None, fold=0) == shown:
                seen.add(moment)
                yield moment


def latest(schedule: Schedule, since: datetime, now: datetime) -> datetime | None:
    """Return the last of the schedule's moments later than ``since`` and not later than ``now``."""
    for back in (timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=400)):
        if now - back <= since:
            break
        found = _last(schedule, now - back, now)
        if found is not None:
            return found
    return _last(schedule, since, now)


def _last(schedule: Schedule, since: datetime, now: datetime) -> datetime | None:
    found, moment = None, schedule.after(since)
    while moment is not None and moment <= now:
        found, moment = moment, schedule.after(moment)
    return found
