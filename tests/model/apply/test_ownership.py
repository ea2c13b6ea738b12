"""Ownership by the cases of cases.yaml, and the laws of server-side apply."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from minikctl import errors
from minikctl.model import kinds, objects, schema, structure
from minikctl.model.apply import fieldsets, managers, migration, ownership, walks
from minikctl.model.apply.ownership import Write
from minikctl.model.custom import definition
from minikctl.model.kinds.base import Kind
from tests.extensions.definitions import crd

CASES = yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text())
Object = dict[str, Any]


def stamp(second: int) -> str:
    return f"2026-01-01T00:00:{second:02d}Z"


def shaped(kind: Kind, obj: Object) -> Object:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}, **obj}


def owners(obj: Object) -> dict[str, Any]:
    return {
        "/".join(filter(None, (entry["manager"], entry.get("subresource")))): entry["fieldsV1"]
        for entry in objects.meta(obj).get("managedFields") or ()
    }


class Story:
    """An object and what is done to it."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.live: Object | None = None

    def write(self, step: Object, second: int) -> None:
        kind = next(
            each
            for each in kinds.ALL
            if each.kind == self.kind.kind and each.api_version == step.get("version", self.kind.api_version)
        )
        obj, write = (
            shaped(kind, copy.deepcopy(step["object"])),
            Write(step["by"], stamp(second), step.get("subresource", "")),
        )
        live = self.live if self.live is None or kind is self.kind else kind.from_storage(self.live)
        match step["do"]:
            case "create":
                obj["metadata"]["managedFields"] = ownership.of_new(kind, obj, write)
            case "update":
                assert live is not None
                obj["metadata"]["managedFields"] = ownership.of_update(kind, live, obj, write)
            case "reset":
                assert live is not None
                obj["metadata"]["managedFields"] = [{}]
                obj["metadata"]["managedFields"] = ownership.of_update(kind, live, obj, write)
            case "apply":
                obj = migration.applied(kind, live, obj, write, force=step.get("force", False))
        self.live = obj if kind is self.kind else kind.to_storage(obj)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: Object) -> None:
    story = Story(next(kind for kind in kinds.ALL if kind.kind == case["kind"] and kind.storage is None))
    for second, step in enumerate(case["writes"]):
        before = copy.deepcopy((story.live, step))
        if "refused" in step:
            with pytest.raises(errors.StatusError) as error:
                story.write(step, second)
            assert error.value.message == step["refused"]
        else:
            was = story.live
            story.write(step, second)
            assert (was, step) == before, "nothing was changed in place"
            assert story.live is not None
            for part in ("metadata", "spec", "data"):
                if part in step:
                    found = story.live.get(part)
                    wanted = step[part]
                    assert (
                        (found == wanted) if part != "metadata" else wanted.items() <= (found or {}).items()
                    )
            if "owns" in step:
                assert owners(story.live) == step["owns"]


# --- laws -------------------------------------------------------------------------------------------------------

TEXT = st.sampled_from(["1", "2"])
PORT: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"containerPort": st.integers(1, 3)}, optional={"name": TEXT}
)
CONTAINER: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"name": st.sampled_from("abcd")},
    optional={
        "image": TEXT,
        "args": st.lists(TEXT, min_size=1, max_size=2),
        "ports": st.lists(PORT, max_size=2, unique_by=lambda port: port["containerPort"]),
        "resources": st.fixed_dictionaries({"limits": st.fixed_dictionaries({"cpu": TEXT})}),
    },
)
SPEC = st.fixed_dictionaries(
    {},
    optional={
        "containers": st.lists(CONTAINER, max_size=3, unique_by=lambda one: one["name"]),
        "nodeName": TEXT,
        "nodeSelector": st.dictionaries(TEXT, TEXT, min_size=1, max_size=2),
        "securityContext": st.fixed_dictionaries({"runAsUser": st.integers(1, 2)}),
    },
).filter(bool)
META = st.fixed_dictionaries(
    {},
    optional={
        "labels": st.dictionaries(st.sampled_from("xyz"), TEXT, min_size=1, max_size=2),
        "finalizers": st.lists(st.sampled_from(["a/a", "b/b"]), unique=True, max_size=2),
    },
)
CONFIG = st.fixed_dictionaries({"metadata": META}, optional={"spec": SPEC}).map(
    lambda obj: shaped(kinds.POD, obj)
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["create", "update", "apply"]), st.sampled_from("abc"), CONFIG), max_size=6
)
NODE = schema.root(kinds.POD)


def told(steps: list[tuple[str, str, Object]]) -> Object | None:
    """Return what comes of some writes, all of them forced."""
    live: Object | None = None
    for second, (do, by, obj) in enumerate(steps):
        write, new = Write(by, stamp(second)), copy.deepcopy(obj)
        if do == "apply":
            live = ownership.applied(kinds.POD, live, new, write, force=True)
        elif live is None:
            new["metadata"]["managedFields"] = ownership.of_new(kinds.POD, new, write)
            live = new
        else:
            new["metadata"]["managedFields"] = ownership.of_update(kinds.POD, live, new, write)
            live = new
    return live


def bare(obj: Object | None) -> Object:
    found = dict(obj or {})
    found["metadata"] = {
        key: value for key, value in found.get("metadata", {}).items() if key != "managedFields"
    }
    return found


@given(STEPS, CONFIG)
@settings(deadline=None, max_examples=60)
def test_apply_is_idempotent(steps: list[Any], config: Object) -> None:
    once = ownership.applied(kinds.POD, told(steps), config, Write("me", stamp(30)), force=True)
    again = ownership.applied(kinds.POD, once, config, Write("me", stamp(31)), force=False)
    assert again == once


@given(STEPS, CONFIG)
@settings(deadline=None, max_examples=60)
def test_what_was_applied_is_there_and_owned(steps: list[Any], config: Object) -> None:
    outcome = ownership.applied(kinds.POD, told(steps), config, Write("me", stamp(30)), force=True)
    merged = walks.merge(NODE, bare(outcome), config)
    assert merged == bare(outcome), "merging it once more changes nothing"
    fields = walks.fields(NODE, config, [])
    owned = owners(outcome).get("me", {})
    ignored = fieldsets.of(("apiVersion",), ("kind",), ("metadata",))
    assert owned == fieldsets.ordered(fieldsets.difference(fields, ignored))


@given(STEPS, CONFIG)
@settings(deadline=None, max_examples=60)
def test_who_gives_everything_up_leaves_no_trace(steps: list[Any], config: Object) -> None:
    live = told(steps)
    applied = ownership.applied(kinds.POD, live, config, Write("me", stamp(30)), force=True)
    left = ownership.applied(kinds.POD, applied, shaped(kinds.POD, {}), Write("me", stamp(31)), force=False)
    assert "me" not in owners(left)
    had = set(fieldsets.paths(walks.fields(NODE, bare(live), []))) if live else set()
    has = set(fieldsets.paths(walks.fields(NODE, bare(left), [])))
    assert {path for path in has if len(path) > 1} <= had


@given(STEPS, CONFIG)
@settings(deadline=None, max_examples=60)
def test_conflicts_are_the_fields_of_others_that_would_change(steps: list[Any], config: Object) -> None:
    live = told(steps)
    assume(live is None or owners(live))
    forced = ownership.applied(kinds.POD, live, config, Write("me", stamp(30)), force=True)
    changed = walks.compare(NODE, bare(live), bare(forced)).changed if live else {}
    others = [entry["fieldsV1"] for entry in objects.meta(live or {}).get("managedFields") or ()]
    taken = any(fieldsets.intersection(fields, changed) for fields in others)
    mine = Write("me", stamp(30))
    if taken:
        with pytest.raises(ownership.Conflicts):
            ownership.applied(kinds.POD, live, config, mine, force=False)
    else:
        assert ownership.applied(kinds.POD, live, config, mine, force=False) == forced


def without(config: Object, other: Object) -> Object:
    """Return what a configuration says and the other does not."""
    left = walks.remove(NODE, config, walks.fields(NODE, other, []))
    return shaped(kinds.POD, {key: value for key, value in (left or {}).items() if value})


def sorted_lists(value: Any) -> Any:
    """Return the value with its lists in one order: who comes first decides about that."""
    if isinstance(value, dict):
        return {key: sorted_lists(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted(map(sorted_lists, value), key=repr)
    return value


@given(STEPS, CONFIG, CONFIG)
@settings(deadline=None, max_examples=60)
def test_who_applies_other_fields_may_come_first_or_last(steps: list[Any], one: Object, more: Object) -> None:
    other, live = without(more, one), told(steps)

    def both(*order: tuple[str, Object]) -> Object:
        found = live
        for second, (by, config) in enumerate(order):
            found = ownership.applied(kinds.POD, found, config, Write(by, stamp(30 + second)), force=True)
        return found or {}

    ahead = both(("me", one), ("you", other))
    behind = both(("you", other), ("me", one))
    assert sorted_lists(bare(ahead)) == sorted_lists(bare(behind))
    assert owners(ahead) == owners(behind)


@given(STEPS, CONFIG)
@settings(deadline=None, max_examples=60)
def test_force_takes_over_the_conflicts_and_nothing_else(steps: list[Any], config: Object) -> None:
    live, mine = told(steps), Write("me", stamp(30))
    assume(live is not None and owners(live))
    conflicts: dict[str, set[Any]] = {}
    try:
        ownership.applied(kinds.POD, live, config, mine, force=False)
    except ownership.Conflicts as error:
        for who, path in error.found:
            conflicts.setdefault(who.name, set()).add(path)
    forced = ownership.applied(kinds.POD, live, config, mine, force=True)
    before, after = (
        managers.read(live["metadata"]["managedFields"]),
        managers.read(forced["metadata"]["managedFields"]),
    )
    assert before is not None
    assert after is not None
    lost: dict[str, set[Any]] = {}
    for who, owned in before.items():
        kept = after[who].fields if who in after else {}
        for path in fieldsets.paths(fieldsets.difference(owned.fields, kept)):
            lost.setdefault(who.name, set()).add(path)
    assert lost == conflicts
    for path in (path for paths in lost.values() for path in paths):
        assert fieldsets.has(owners(forced)["me"], path)


@given(STEPS, CONFIG, CONFIG)
@settings(deadline=None, max_examples=60)
def test_what_is_left_out_goes_unless_somebody_else_has_it(
    steps: list[Any], config: Object, cut: Object
) -> None:
    first = ownership.applied(kinds.POD, told(steps), config, Write("me", stamp(30)), force=True)
    less = without(config, cut)
    second = ownership.applied(kinds.POD, first, less, Write("me", stamp(31)), force=True)
    given_up = fieldsets.difference(owners(first).get("me", {}), owners(second).get("me", {}))
    others = [each for each in first["metadata"]["managedFields"] if each["manager"] != "me"]
    held = {path for entry in others for path in fieldsets.paths(entry["fieldsV1"])}
    had = leaves(first)
    gone = had.difference(fieldsets.paths(walks.whole(NODE, bare(second))))
    assert gone == {path for path in fieldsets.paths(given_up) if path in had and path not in held}


def leaves(obj: Object) -> set[tuple[str, ...]]:
    """Return the paths of an object's values, without those of maps and items that hold them."""
    found = set(fieldsets.paths(walks.whole(NODE, bare(obj))))
    return {path for path in found if not any(path == each[: len(path)] for each in found - {path})}


@given(STEPS)
@settings(deadline=None, max_examples=60)
def test_nobody_owns_what_is_not_there(steps: list[Any]) -> None:
    live = told(steps)
    if live is None:
        return
    there = walks.with_structs(NODE, walks.whole(NODE, bare(live)))
    for entry in live["metadata"]["managedFields"]:
        assert not fieldsets.difference(entry["fieldsV1"], there), entry["manager"]
        assert managers.read(live["metadata"]["managedFields"]) is not None


def test_only_ten_updaters_are_remembered_apart() -> None:
    steps = [("create", "m0", shaped(kinds.CONFIG_MAP, {"data": {"0": "x"}}))]
    live: Object = {}
    for number in range(14):
        data = {str(each): "x" for each in range(number + 1)}
        new = shaped(kinds.CONFIG_MAP, {"data": data})
        write = Write(f"m{number:02d}", stamp(number))
        entries = (
            ownership.of_update(kinds.CONFIG_MAP, live, new, write)
            if live
            else ownership.of_new(kinds.CONFIG_MAP, new, write)
        )
        live = {**new, "metadata": {"managedFields": entries}}
    assert steps
    names = list(owners(live))
    assert len(names) == managers.MOST_UPDATERS
    assert names[0] == managers.OLD_UPDATES
    assert owners(live)[managers.OLD_UPDATES] == {
        "f:data": {".": {}, **{f"f:{each}": {} for each in range(5)}}
    }


def test_client_side_apply_goes_over_without_conflicts_with_itself() -> None:
    remembered = shaped(kinds.CONFIG_MAP, {"metadata": {"name": "c"}, "data": {"x": "1", "y": "1"}})
    text = migration.last_applied(remembered)
    made = {**remembered, "metadata": {"name": "c", "annotations": {migration.LAST_APPLIED: text}}}
    made["metadata"]["managedFields"] = ownership.of_new(
        kinds.CONFIG_MAP, made, Write("kubectl-client-side-apply", stamp(1))
    )
    wanted = shaped(kinds.CONFIG_MAP, {"metadata": {"name": "c"}, "data": {"x": "2"}})
    with pytest.raises(ownership.Conflicts):
        migration.applied(kinds.CONFIG_MAP, made, wanted, Write("other", stamp(2)), force=False)
    after = migration.applied(kinds.CONFIG_MAP, made, wanted, Write("kubectl", stamp(2)), force=False)
    assert after["data"] == {"x": "2", "y": "1"}, "y is still the client-side manager's"
    assert '"x":"2"' in after["metadata"]["annotations"][migration.LAST_APPLIED]


def made(data: dict[str, str], annotation: str, by: str = "kubectl-client-side-apply") -> Object:
    """Return a ConfigMap that client-side apply made, with that annotation."""
    meta = {"name": "c", "annotations": {migration.LAST_APPLIED: annotation}}
    found = shaped(kinds.CONFIG_MAP, {"metadata": meta, "data": data})
    found["metadata"]["managedFields"] = ownership.of_new(kinds.CONFIG_MAP, found, Write(by, stamp(1)))
    return found


@pytest.mark.parametrize(
    "annotation",
    [
        "{",
        "[]",
        '{"apiVersion": "v2", "kind": "ConfigMap", "data": {"x": "1"}}',
        '{"apiVersion": "v1", "kind": "ConfigMap", "date": {"x": "1"}, "data": {"x": "1"}}',
        '{"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "0"}}',
    ],
)
def test_an_annotation_that_tells_nothing_of_the_fields_leaves_the_conflict(annotation: str) -> None:
    wanted = shaped(kinds.CONFIG_MAP, {"metadata": {"name": "c"}, "data": {"x": "2"}})
    live = made({"x": "1"}, annotation)
    with pytest.raises(ownership.Conflicts) as error:
        migration.applied(kinds.CONFIG_MAP, live, wanted, Write("kubectl", stamp(2)), force=False)
    assert [fieldsets.text(path) for _, path in error.value.found] == [".data.x"]


def test_conflicts_with_others_stay_when_those_with_oneself_go() -> None:
    annotation = migration.last_applied(shaped(kinds.CONFIG_MAP, {"data": {"x": "1"}}))
    live = made({"x": "1", "y": "1"}, annotation)
    wanted = shaped(kinds.CONFIG_MAP, {"metadata": {"name": "c"}, "data": {"x": "2", "y": "2"}})
    with pytest.raises(ownership.Conflicts) as error:
        migration.applied(kinds.CONFIG_MAP, live, wanted, Write("kubectl", stamp(2)), force=False)
    assert [fieldsets.text(path) for _, path in error.value.found] == [".data.y"]


def test_what_was_owned_in_a_version_that_is_gone_is_owned_no_more_and_not_removed() -> None:
    gone = [
        {
            "manager": name,
            "operation": operation,
            "apiVersion": "v9",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {f"f:{field}": {}}},
        }
        for name, operation, field in (("me", "Apply", "x"), ("other", "Update", "y"))
    ]
    live = shaped(kinds.CONFIG_MAP, {"metadata": {"managedFields": gone}, "data": {"x": "1", "y": "1"}})
    wanted = shaped(kinds.CONFIG_MAP, {"data": {"y": "2"}})
    found = ownership.applied(kinds.CONFIG_MAP, live, wanted, Write("me", stamp(2)), force=False)
    assert found["data"] == {"x": "1", "y": "2"}
    assert owners(found) == {"me": {"f:data": {"f:y": {}}}}


def test_others_of_a_version_that_is_gone_do_not_keep_what_an_applier_gives_up() -> None:
    live = ownership.applied(
        kinds.CONFIG_MAP,
        None,
        shaped(kinds.CONFIG_MAP, {"data": {"x": "1"}}),
        Write("me", stamp(1)),
        force=False,
    )
    entry = {**live["metadata"]["managedFields"][0], "manager": "other", "apiVersion": "v9"}
    live["metadata"]["managedFields"].append(entry)
    found = ownership.applied(
        kinds.CONFIG_MAP, live, shaped(kinds.CONFIG_MAP, {}), Write("me", stamp(2)), force=False
    )
    assert not found.get("data")
    assert owners(found) == {}


# --- schemas that change (structured-merge-diff's merge/schema_change_test.go) -----------------------------------


def custom(**more: Any) -> Kind:
    """Return a custom kind with a struct, a map and a list in its spec, which are granular or ``more``."""
    struct = {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}}}
    item = {
        "type": "object",
        "required": ["k"],
        "properties": {"k": {"type": "string"}, "v": {"type": "string"}},
    }
    keyed: dict[str, Any] = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    if more:
        keyed, struct = {}, {**struct, **more}
    spec = {"struct": struct, "list": {"type": "array", "items": item, **keyed}}
    return definition.storage_kind(crd({"type": "object", "properties": spec}))


ATOMIC = {"x-kubernetes-map-type": "atomic"}


def put(kind: Kind, live: Object | None, by: str, spec: Object, *, force: bool = False) -> Object:
    return migration.applied(kind, live, shaped(kind, {"spec": spec}), Write(by, stamp(1)), force=force)


def test_who_owned_fields_of_what_became_atomic_owns_it_as_a_whole() -> None:
    live = put(custom(), None, "one", {"struct": {"n": 1}, "list": [{"k": "a", "v": "x"}]})
    live = put(custom(), live, "none", {"struct": {"n": 1}})
    live = put(custom(), live, "two", {"struct": {"n": 2}}, force=True)
    kind = custom(**ATOMIC)
    with pytest.raises(ownership.Conflicts) as error:
        put(kind, live, "three", {"struct": {"s": "x"}, "list": [{"k": "b"}]})
    assert [(who.name, path) for who, path in error.value.found] == [
        ("one", ("f:spec", "f:list")),
        ("two", ("f:spec", "f:struct")),
    ]
    live = put(kind, live, "three", {"struct": {"s": "x"}}, force=True)
    assert live["spec"] == {"struct": {"s": "x"}, "list": [{"k": "a", "v": "x"}]}
    assert owners(live) == {
        "one": {"f:spec": {"f:list": {}}},
        "three": {"f:spec": {"f:struct": {}}},
    }


def test_who_owned_as_a_whole_what_became_granular_owns_its_fields() -> None:
    spec = {"struct": {"n": 1, "s": "a"}, "list": [{"k": "a", "v": "x"}]}
    live = put(custom(**ATOMIC), None, "one", spec)
    with pytest.raises(ownership.Conflicts) as error:
        put(custom(), live, "two", {"struct": {"s": "b"}})
    assert [path for _, path in error.value.found] == [("f:spec", "f:struct", "f:s")]
    live = put(custom(), live, "two", {"struct": {"s": "b"}}, force=True)
    assert live["spec"] == {**spec, "struct": {"n": 1, "s": "b"}}
    item = {".": {}, "f:k": {}, "f:v": {}}
    assert owners(live) == {
        "one": {"f:spec": {"f:struct": {".": {}, "f:n": {}}, "f:list": {".": {}, 'k:{"k":"a"}': item}}},
        "two": {"f:spec": {"f:struct": {"f:s": {}}}},
    }


def test_updates_see_changed_schemas_too() -> None:
    kind = custom()
    live = put(custom(**ATOMIC), None, "one", {"struct": {"n": 1, "s": "a"}})
    new = copy.deepcopy(live)
    new["spec"]["struct"]["s"] = "b"
    new["metadata"]["managedFields"] = ownership.of_update(kind, live, new, Write("two", stamp(2)))
    assert owners(new) == {
        "one": {"f:spec": {"f:struct": {".": {}, "f:n": {}}}},
        "two": {"f:spec": {"f:struct": {"f:s": {}}}},
    }


def test_a_version_that_a_custom_kind_has_no_more_owns_nothing() -> None:
    kind = custom()
    live = put(kind, None, "one", {"struct": {"n": 1}})
    live["metadata"]["managedFields"][0]["apiVersion"] = "example.com/v9"
    assert owners(put(kind, live, "two", {"struct": {"n": 2}})) == {
        "two": {"f:spec": {"f:struct": {"f:n": {}}}}
    }


def test_what_may_have_anything_in_it_is_not_judged() -> None:
    anything = {
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "x-kubernetes-preserve-unknown-fields": True,
    }
    node = structure.Node({"type": "object", "properties": {"raw": anything}}, "", "")
    faults: list[str] = []
    assert walks.fields(node, {"raw": {"any": {"thing": [1]}}}, faults) == {"f:raw": {}}
    assert faults == []
