"""What admission took, counted as Kubernetes' API server does (apiserver/pkg/admission/metrics)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from minikctl.apiserver import metrics

BUCKETS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)
MOST_CODE = 600
"""What a webhook answers beyond that is counted as that, so that nobody makes up series without end."""


@dataclass(frozen=True)
class _Histogram:
    name: str
    text: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = BUCKETS
    series: dict[tuple[str, ...], metrics.Durations] = field(default_factory=dict)

    def add(self, seconds: float, *values: str) -> None:
        found = self.series.get(values)
        if found is None:
            found = self.series[values] = metrics.Durations(self.buckets)
        found.add(seconds)

    def lines(self) -> Iterator[str]:
        yield from metrics.head(self.name, "histogram", self.text)
        for values, found in self.series.items():
            labels = dict(zip(self.labels, values, strict=True))
            yield from metrics.histogram(self.name, labels, found)


@dataclass(frozen=True)
class _Counter:
    name: str
    text: str
    labels: tuple[str, ...]
    series: dict[tuple[str, ...], int] = field(default_factory=dict)

    def add(self, *values: str) -> None:
        self.series[values] = self.series.get(values, 0) + 1

    def lines(self) -> Iterator[str]:
        yield from metrics.head(self.name, "counter", self.text)
        for values, count in self.series.items():
            yield metrics.line(self.name, dict(zip(self.labels, values, strict=True)), count)


class Measured:
    """Counters and histograms of all admission.

    ``type`` is ``admit`` where the object may be changed and ``validate`` where it is judged; of webhooks it
    is ``admit`` or ``validating``.
    """

    def __init__(self) -> None:
        base = "apiserver_admission"
        by = ("type", "operation", "rejected")
        self._steps = _Histogram(
            f"{base}_step_admission_duration_seconds",
            "Admission sub-step latency histogram in seconds, by step type and operation.",
            by,
        )
        self._plugins = _Histogram(
            f"{base}_controller_admission_duration_seconds",
            "Admission controller latency histogram in seconds, by name, type and operation.",
            ("name", *by),
        )
        self._webhooks = _Histogram(
            f"{base}_webhook_admission_duration_seconds",
            "Admission webhook latency histogram in seconds, by name, type and operation.",
            ("name", *by),
            (*BUCKETS, 10.0, 25.0),
        )
        self._requests = _Counter(
            f"{base}_webhook_request_total",
            "Requests to admission webhooks, by name, type, operation, code and whether they refused.",
            ("name", "type", "operation", "code", "rejected"),
        )
        self._refusals = _Counter(
            f"{base}_webhook_rejection_count",
            "Refusals because of admission webhooks, by name, type, operation, error type and code.",
            ("name", "type", "operation", "error_type", "rejection_code"),
        )
        self._ignored = _Counter(
            f"{base}_webhook_fail_open_count",
            "Failures of admission webhooks that were ignored, by name and type.",
            ("name", "type"),
        )

    def step(self, type: str, operation: str, seconds: float, *, rejected: bool) -> None:
        """Count all plugins' part in a request."""
        self._steps.add(seconds, type, operation, _truth(rejected))

    def plugin(self, name: str, type: str, operation: str, seconds: float, *, rejected: bool) -> None:
        """Count one plugin's part in a request."""
        self._plugins.add(seconds, name, type, operation, _truth(rejected))

    def webhook(self, hook: tuple[str, str, str], seconds: float, code: int, *, rejected: bool) -> None:
        """Count a request to a webhook (its name, its type, the operation); ``code`` is what it answered."""
        self._webhooks.add(seconds, *hook, _truth(rejected))
        self._requests.add(*hook, str(min(code, MOST_CODE)), _truth(rejected))

    def refused(self, hook: tuple[str, str, str], error_type: str, code: int) -> None:
        """Count a refusal: ``no_error`` is the webhook's own, ``calling_webhook_error`` that it failed."""
        self._refusals.add(*hook, error_type, str(min(code, MOST_CODE)))

    def ignored(self, name: str, type: str) -> None:
        """Count a webhook that failed and whose policy it is to let requests pass then."""
        self._ignored.add(name, type)

    def render(self) -> str:
        """Return all of it in Prometheus' text format."""
        found = (self._steps, self._plugins, self._webhooks, self._requests, self._refusals, self._ignored)
        return "".join(f"{line}\n" for metric in found for line in metric.lines())


def _truth(value: bool) -> str:
    return "true" if value else "false"
