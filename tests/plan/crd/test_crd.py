"""The life of a definition: its names, when it is established, and its end (apiextensions-apiserver's controllers)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from minikctl.model import kinds
from minikctl.model.actions.api import Delete, RecordEvent, Update
from minikctl.model.custom import definition
from minikctl.model.custom.lifecycle import CLEANUP
from minikctl.model.objects import Object
from minikctl.plan import crd
from tests.extensions.definitions import crd as made

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NAMES = {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "listKind": "CronTabList"}


def given(status: dict[str, Any] | None = None, **names: Any) -> Object:
    found = made()
    found["spec"]["names"] = {**NAMES, **names}
    return {**found, "status": status or {}}


def deleting(*finalizers: str, **status: Any) -> Object:
    found = given(status)
    found["metadata"] |= {"deletionTimestamp": "2026-01-01T11:00:00Z", "finalizers": list(finalizers)}
    return found


def said(status: dict[str, Any] | None) -> dict[str, tuple[str, str, str]]:
    assert status is not None
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in status["conditions"]}


def test_names_are_accepted_and_the_definition_is_established() -> None:
    view = crd.View(given(shortNames=["ct"], categories=["all"]))
    plan = crd.desired(view, NOW)
    assert plan.status is not None
    assert plan.status["acceptedNames"] == {**NAMES, "shortNames": ["ct"], "categories": ["all"]}
    assert said(plan.status) == {
        "NamesAccepted": ("True", "NoConflicts", "no conflicts found"),
        "Established": ("True", "InitialNamesAccepted", "the initial names have been accepted"),
    }
    again = crd.desired(crd.View({**view.object, "status": plan.status}), NOW)
    assert again.status == plan.status, "what is settled stays"


@pytest.mark.parametrize(
    ("taken", "names", "reason", "message"),
    [
        ({"plural": "crontabs"}, {}, "PluralConflict", '"crontabs" is already in use'),
        ({"shortNames": ["crontab"]}, {}, "SingularConflict", '"crontab" is already in use'),
        ({"kind": "CronTab"}, {}, "KindConflict", '"CronTab" is already in use'),
        ({"listKind": "CronTabList"}, {}, "ListKindConflict", '"CronTabList" is already in use'),
        ({"singular": "ct"}, {"shortNames": ["ct", "x"]}, "ShortNamesConflict", '"ct" is already in use'),
        (
            {"shortNames": ["ct", "cron"]},
            {"shortNames": ["ct", "cron"]},
            "ShortNamesConflict",
            '["ct" is already in use, "cron" is already in use]',
        ),
    ],
)
def test_a_name_that_others_have_is_not_accepted(
    taken: dict[str, Any], names: dict[str, Any], reason: str, message: str
) -> None:
    plan = crd.desired(crd.View(given(**names), (taken,)), NOW)
    assert said(plan.status) == {
        "NamesAccepted": ("False", reason, message),
        "Established": ("False", "NotAccepted", "not all names are accepted"),
    }


def test_what_was_established_stays_so_and_keeps_its_names() -> None:
    first = crd.desired(crd.View(given()), NOW).status
    changed = given(first, kind="Other")
    plan = crd.desired(crd.View(changed, ({"kind": "Other"},)), NOW)
    assert plan.status is not None
    assert plan.status["acceptedNames"]["kind"] == "CronTab"
    assert said(plan.status)["NamesAccepted"] == ("False", "KindConflict", '"Other" is already in use')
    assert said(plan.status)["Established"][0] == "True"


def test_the_end_waits_for_the_objects() -> None:
    going = deleting(CLEANUP)
    kind = definition.storage_kind(going)
    one: Object = {"metadata": {"name": "a", "namespace": "n", "uid": "u"}}
    two: Object = {
        "metadata": {"name": "b", "namespace": "n", "uid": "v", "deletionTimestamp": "2026-01-01T11:00:00Z"}
    }
    plan = crd.desired(crd.View(going, kind=kind, contents=(one, two)), NOW)
    assert plan.actions == (Delete(kind, "n", "a", "u"),)
    assert said(plan.status) == {
        "Terminating": ("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
    }
    assert plan.wake_in == crd.LOOK_AGAIN_SECONDS


@pytest.mark.parametrize(
    ("is_kind", "reason", "message"),
    [
        (True, "InstanceDeletionCompleted", "removed all instances"),
        (False, "NeverEstablished", "resource was never established"),
    ],
)
def test_then_it_is_told_and_the_definition_released(is_kind: bool, reason: str, message: str) -> None:
    going = deleting(CLEANUP, "other/one")
    kind = definition.storage_kind(going) if is_kind else None
    first = crd.desired(crd.View(going, kind=kind), NOW)
    assert first.actions == ()
    assert said(first.status) == {"Terminating": ("False", reason, message)}
    told = {**going, "status": first.status}
    second = crd.desired(crd.View(told, kind=kind), NOW)
    [action] = second.actions
    assert isinstance(action, Update)
    assert action.kind is kinds.CUSTOM_RESOURCE_DEFINITION
    assert action.object["metadata"]["finalizers"] == ["other/one"]
    assert crd.desired(crd.View(action.object, kind=kind), NOW).actions == (), "others may still hold it"


def test_a_refused_deletion_is_told() -> None:
    going = deleting(CLEANUP)
    view = crd.View(going, kind=definition.storage_kind(going))
    action = Delete(definition.storage_kind(going), "n", "a", "u")
    plan = crd.failed(view, action, "no", NOW)
    assert said(plan.status) == {
        "Terminating": ("True", "InstanceDeletionFailed", "could not issue all deletes: no")
    }
    event = RecordEvent(going, "Normal", "x", "y", "z")
    assert crd.failed(view, event, "no", NOW).status is None
