"""Manifests are read document by document, and complaints name the place."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.cli import manifests, timespan, yamlload

GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


def parse(text: str) -> list[manifests.Document | manifests.BadDocument]:
    return list(manifests.parse(text, "f.yaml"))


def test_a_broken_document_does_not_take_the_others_along() -> None:
    found = parse(GOOD % "a" + "---\na: [1\n---\n# only a comment\n---\n" + GOOD % "b")
    assert [type(entry).__name__ for entry in found] == ["Document", "BadDocument", "Document"]
    assert str(found[1]).startswith("error parsing f.yaml: error converting YAML to JSON: yaml: line ")
    last = found[2]
    assert isinstance(last, manifests.Document)
    assert last.object["metadata"]["name"] == "b"
    assert last.place == "f.yaml, document 3, line 9, ConfigMap b"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("kind: A\n", "Object 'apiVersion' is missing in '{\"kind\":\"A\"}'"),
        ("apiVersion: v1\n", "Object 'Kind' is missing in '{\"apiVersion\":\"v1\"}'"),
        ("- a\n", "json: cannot unmarshal array into Go value"),
    ],
)
def test_a_document_without_a_type_is_refused(text: str, complaint: str) -> None:
    (found,) = parse(text)
    assert complaint in str(found)


def test_lists_are_taken_apart() -> None:
    text = "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: A}, {apiVersion: v1, kind: B}]\n"
    assert [entry.object["kind"] for entry in parse(text) if isinstance(entry, manifests.Document)] == [
        "A",
        "B",
    ]


def test_directories_are_read_in_order_and_deeply_only_if_asked(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.json", "c.txt", "sub/d.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(GOOD % name.partition(".")[0].replace("/", "-"))
    names = [
        [d.object["metadata"]["name"] for d in manifests.read([str(tmp_path)], deep, io.StringIO())]  # type: ignore[union-attr]
        for deep in (False, True)
    ]
    assert names == [["a", "b"], ["a", "b", "sub-d"]]


def test_missing_paths_and_empty_directories_are_told(tmp_path: Path) -> None:
    with pytest.raises(errors.UsageError, match='the path "/nope" does not exist'):
        list(manifests.read(["/nope"], False, io.StringIO()))
    with pytest.raises(errors.UsageError, match="recognized file extensions are"):
        list(manifests.read([str(tmp_path)], False, io.StringIO()))


def test_yaml_is_read_as_kubernetes_reads_it() -> None:
    text = (
        "{a: y, b: no, c: 1:20, d: 2020-01-01, e: 0o7, f: 010, g: 1e3, h: 1_000, i: ~, j: 1.5, k: 08, y: '1'}"
    )
    assert yamlload.load(text) == {
        "a": True, "b": False, "c": "1:20", "d": "2020-01-01", "e": 7, "f": 8, "g": 1000, "h": 1000, "i": None,
        "j": 1.5, "k": 8, "true": "1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1m30s", 90), ("1.5h", 5400), ("500ms", 0.5), ("7", 7), ("-1s", -1), ("0", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert timespan.seconds(text) == seconds


def test_bad_durations_are_told() -> None:
    with pytest.raises(errors.UsageError, match="invalid duration"):
        timespan.seconds("5x")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_manifest_is_read_as_its_mark_says(tmp_path: Path, encoding: str) -> None:
    text = GOOD % "a" + "data: {a: grüß}\n"
    data = ("\ufeff" + text if encoding.endswith("e") else text).encode(encoding)
    (tmp_path / "f.yaml").write_bytes(data.replace("\n".encode(encoding), "\r\n".encode(encoding)))
    piped = io.TextIOWrapper(io.BytesIO(data), encoding="ascii")
    for found in (
        *manifests.read([str(tmp_path / "f.yaml")], recursive=False, stdin=io.StringIO()),
        *manifests.read(["-"], recursive=False, stdin=piped),
    ):
        assert isinstance(found, manifests.Document)
        assert found.object["data"] == {"a": "grüß"}


def test_a_manifest_in_another_encoding_is_refused_with_the_way_out(tmp_path: Path) -> None:
    data = (GOOD % "a" + "data: {a: grüß}\n").encode("latin-1")
    (tmp_path / "f.yaml").write_bytes(data)
    with pytest.raises(errors.UsageError, match=r"f\.yaml: .*; hint: save it as UTF-8"):
        list(manifests.read([str(tmp_path / "f.yaml")], recursive=False, stdin=io.StringIO()))
    piped = io.TextIOWrapper(io.BytesIO(data), encoding="ascii")
    with pytest.raises(errors.UsageError, match=r"STDIN: .*; hint: send it as UTF-8"):
        list(manifests.read(["-"], recursive=False, stdin=piped))
