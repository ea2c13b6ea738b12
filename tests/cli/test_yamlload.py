"""Reading YAML: what is refused, in the words of Kubernetes' tools."""

from __future__ import annotations

import pytest
import yaml

from minikctl.cli import yamlload


def doubled(levels: int, width: int = 9) -> str:
    """Return a text whose last value is ``width`` to the power of ``levels`` when its aliases are written out."""
    lines = ["a0: &a0 [x]"]
    for number in range(1, levels + 1):
        lines.append(f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * width)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (doubled(12), "document contains excessive aliasing"),
        (doubled(3, 100), "document contains excessive aliasing"),
        ("a: &m {b: *m}", "anchor 'm' value contains itself"),
        ("a: &l [1, {x: &m {}, y: *l}]", "anchor 'l' value contains itself"),
    ],
)
def test_what_grows_without_bound_is_refused(text: str, words: str) -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        yamlload.load(text)
    assert yamlload.problem(caught.value) == f"yaml: {words}"


def test_aliases_of_everyday_size_are_written_out() -> None:
    labels = "x: &x {app: web}\n" + "\n".join(f"k{number}: *x" for number in range(400))
    assert yamlload.load(labels)["k399"] == {"app": "web"}
    assert yamlload.load("a: &a {x: 1}\nb: {<<: *a, z: [*a, *a]}")["b"] == {"x": 1, "z": [{"x": 1}, {"x": 1}]}
