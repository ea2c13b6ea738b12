"""The kinds of flowcontrol.apiserver.k8s.io: which requests wait for which."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any

from minikctl.model import cells, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import flowcontrol

_QUEUING = "spec.limited.limitResponse.queuing"


def _dangling(obj: Object, _now: datetime) -> str:
    found = objects.condition(obj, "Dangling")
    return str(found.get("status", "")) if found else "?"


def _number(path: str) -> cells.Cell:
    def cell(obj: Object, _now: datetime) -> Any:
        holder, _, field = path.rpartition(".")
        found = cells.at(obj, holder)
        return (found.get(field) or 0) if isinstance(found, dict) else cells.NONE

    return cell


_kind = functools.partial(
    Kind,
    "flowcontrol.apiserver.k8s.io",
    "v1",
    namespaced=False,
    subresources=frozenset({"status"}),
    has_generation=True,
    stored_only=True,
)
FLOW_SCHEMA = _kind(
    "FlowSchema",
    "flowschemas",
    validate=flowcontrol.schema,
    columns=(
        cells.NAME,
        Column("PriorityLevel", cells.text("spec.priorityLevelConfiguration.name")),
        Column("MatchingPrecedence", cells.number("spec.matchingPrecedence")),
        Column("DistinguisherMethod", cells.text("spec.distinguisherMethod.type", cells.NONE)),
        cells.AGE,
        Column("MissingPL", _dangling),
    ),
)
PRIORITY_LEVEL = _kind(
    "PriorityLevelConfiguration",
    "prioritylevelconfigurations",
    default=flowcontrol.default_level,
    validate=flowcontrol.level,
    columns=(
        cells.NAME,
        Column("Type", cells.text("spec.type")),
        Column("NominalConcurrencyShares", _number("spec.limited.nominalConcurrencyShares")),
        Column("Queues", _number(f"{_QUEUING}.queues")),
        Column("HandSize", _number(f"{_QUEUING}.handSize")),
        Column("QueueLengthLimit", _number(f"{_QUEUING}.queueLengthLimit")),
        cells.AGE,
    ),
)
ALL = (FLOW_SCHEMA, PRIORITY_LEVEL)
