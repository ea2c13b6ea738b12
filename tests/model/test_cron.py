from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from minikctl.model import cron

NEW_YORK = ZoneInfo("America/New_York")


def shown(text: str, start: str, count: int = 2, zone: ZoneInfo | None = None) -> list[str]:
    """Return the next moments as the zone's clock shows them."""
    schedule = cron.parse(text, zone or UTC)
    moment: datetime | None = datetime.fromisoformat(start).replace(tzinfo=UTC)
    found = []
    for _ in range(count):
        assert moment is not None
        moment = schedule.after(moment)
        assert moment is not None
        found.append(moment.astimezone(zone or UTC).isoformat(timespec="minutes"))
    return found


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("*/20 * * * *", ["2026-01-01T00:20+00:00", "2026-01-01T00:40+00:00"]),
        ("5/25 0 ? jan *", ["2026-01-01T00:05+00:00", "2026-01-01T00:30+00:00"]),
        ("0 0 13 * FRI", ["2026-01-02T00:00+00:00", "2026-01-09T00:00+00:00"]),
        ("0 0 * * mon-wed", ["2026-01-05T00:00+00:00", "2026-01-06T00:00+00:00"]),
        ("@weekly", ["2026-01-04T00:00+00:00", "2026-01-11T00:00+00:00"]),
        ("@every 90m", ["2026-01-01T01:30+00:00", "2026-01-01T03:00+00:00"]),
        ("@every 1h30m", ["2026-01-01T01:30+00:00", "2026-01-01T03:00+00:00"]),
    ],
)
def test_schedules_name_their_times(text: str, times: list[str]) -> None:
    assert shown(text, "2026-01-01T00:00:00") == times


@pytest.mark.parametrize(("delay", "seconds"), [("90s", 90), ("2m0.9s", 120), ("100ms", 1), ("-5m", 1)])
def test_delays_are_whole_seconds_and_at_least_one(delay: str, seconds: int) -> None:
    after = cron.parse(f"@every {delay}").after(datetime(2026, 1, 1, 0, 0, 0, 700_000, tzinfo=UTC))
    assert after == datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def test_a_step_is_no_star_so_day_and_weekday_are_alternatives() -> None:
    found = shown("0 0 */10 * fri", "2026-01-01T00:00:00", 4)
    assert [each[8:10] for each in found] == ["02", "09", "11", "16"]


def test_a_time_that_the_clock_skips_does_not_happen() -> None:
    found = shown("30 2 * * *", "2026-03-07T12:00:00", 2, NEW_YORK)
    assert found == ["2026-03-09T02:30-04:00", "2026-03-10T02:30-04:00"]


def test_a_time_that_the_clock_shows_twice_happens_twice() -> None:
    found = shown("30 1 * * *", "2026-10-31T12:00:00", 3, NEW_YORK)
    assert found == ["2026-11-01T01:30-04:00", "2026-11-01T01:30-05:00", "2026-11-02T01:30-05:00"]


def test_some_times_never_come() -> None:
    assert cron.parse("0 0 30 2 *").after(datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_the_latest_time_is_found_however_long_ago() -> None:
    now = datetime(2026, 6, 1, 0, 0, 30, tzinfo=UTC)
    since = datetime(2016, 1, 1, tzinfo=UTC)
    assert cron.latest(cron.parse("* * * * *"), since, now) == now.replace(second=0)
    assert cron.latest(cron.parse("0 0 29 2 *"), since, now) == datetime(2024, 2, 29, tzinfo=UTC)
    assert cron.latest(cron.parse("* * * * *"), now, now) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("*/-5 * * * *", "negative number (-5) not allowed: -5"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("L * * * *", 'failed to parse int from L: strconv.Atoi: parsing "L": invalid syntax'),
        ("@often", "unrecognized descriptor: @often"),
        ("@every 5", 'failed to parse duration @every 5: time: missing unit in duration "5"'),
        ("@every now", 'failed to parse duration @every now: time: invalid duration "now"'),
    ],
)
def test_what_is_wrong_is_told(text: str, fault: str) -> None:
    with pytest.raises(cron.CronError) as caught:
        cron.parse(text)
    assert str(caught.value) == fault
