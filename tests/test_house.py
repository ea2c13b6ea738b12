"""The rules of the house that no other tool checks.  Who is exempt stands here by name, with the reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "minikctl"
PURE = ("plan", "model")
EFFECTS = {
    "asyncio",
    "time",
    "random",
    "os",
    "socket",
    "subprocess",
    "sqlite3",
    "threading",
    "http",
    "urllib.request",
}
FUNCTION_LINES = 50
FILE_LINES = 500
PARAMETERS = 6

MANY_PARAMETERS = {"minikctl/cli/commands.py:__init__": "a command is declared in one call"}
LONG_FUNCTIONS: dict[str, str] = {}
LONG_FILES: dict[str, str] = {}
READS_FILES = {"minikctl/model/structure.py": "loads the schemas that ship with the package"}
STARTS_TASKS = {
    "minikctl/runtime/tasks.py": "the one place that starts tasks",
    "minikctl/drivers/fake_engine.py": "its containers' processes, ended by close()",
    "minikctl/apiserver/feed.py": "the feed's own task, ended and awaited by stop()",
    "minikctl/apiserver/http_exchange.py": "two directions of one request, both ended before it returns",
    "minikctl/apiserver/remote_command.py": "two directions of one request, both ended before it returns",
}
PRINTS = {"minikctl/cli": "speaks to the user", "minikctl/daemon": "speaks to the one who starts it by hand"}


@cache
def modules() -> tuple[Path, ...]:
    """Return the package's modules."""
    return tuple(sorted(path for path in PACKAGE.rglob("*.py") if path.stat().st_size))


@cache
def tree(path: Path) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return all nodes of a module's syntax tree."""
    return tuple(ast.walk(tree(path)))


def name(path: Path) -> str:
    """Return the path as messages show it."""
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Yield the names of the modules that a module imports at run time."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions and methods of a module."""
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def pure_modules() -> list[Path]:
    """Return the modules that must have no effects."""
    return [path for path in modules() if path.relative_to(PACKAGE).parts[0] in PURE]


def test_planners_and_model_have_no_effects() -> None:
    wrong = [
        f"{name(path)} imports {module}"
        for path in pure_modules()
        for module in imports(path)
        if module in EFFECTS or module.partition(".")[0] in EFFECTS
    ]
    assert not wrong


def test_planners_do_not_look_at_the_clock() -> None:
    wrong = [
        f"{name(path)}:{node.lineno}"
        for path in pure_modules()
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today")
        if (isinstance(node.value, ast.Name) and node.value.id in ("datetime", "date"))
        or (isinstance(node.value, ast.Attribute) and node.value.attr == "datetime")
    ]
    assert not wrong


def test_pure_modules_open_no_files() -> None:
    wrong = [
        f"{name(path)}:{node.lineno}"
        for path in pure_modules()
        if name(path) not in READS_FILES
        for node in nodes(path)
        if isinstance(node, ast.Call)
        if (isinstance(node.func, ast.Name) and node.func.id == "open")
        or (
            isinstance(node.func, ast.Attribute)
            and node.func.attr in ("read_text", "read_bytes", "write_text")
        )
    ]
    assert not wrong


def test_functions_are_short() -> None:
    long = {
        f"{name(path)}:{function.name}": length
        for path in modules()
        for function in functions(path)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    }
    assert set(long) == set(LONG_FUNCTIONS), long


def test_files_are_short() -> None:
    long = {
        name(path): lines for path in modules() if (lines := len(path.read_text().splitlines())) > FILE_LINES
    }
    assert set(long) == set(LONG_FILES), long


def test_functions_take_few_parameters() -> None:
    wrong = []
    for path in modules():
        for function in functions(path):
            taken = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            count = len([one for one in taken if one.arg not in ("self", "cls")])
            if count > PARAMETERS and f"{name(path)}:{function.name}" not in MANY_PARAMETERS:
                wrong.append(f"{name(path)}:{function.name} takes {count}")
    assert not wrong


def test_modules_say_what_they_are() -> None:
    assert not [name(path) for path in modules() if not ast.get_docstring(tree(path))]


def test_what_is_public_is_documented() -> None:
    wrong = []
    for path in modules():
        for node in tree(path).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                wrong += [f"{name(path)}:{one}" for one in undocumented(node)]
    assert not wrong


def undocumented(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[str]:
    """Yield the public names without a docstring: that of the node itself and of a class's methods."""
    if node.name.startswith("_"):
        return
    if not ast.get_docstring(node):
        yield node.name
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and not inner.name.startswith("_"):
                setter = any(
                    isinstance(one, ast.Attribute) and one.attr == "setter" for one in inner.decorator_list
                )
                if not setter and not ast.get_docstring(inner):
                    yield f"{node.name}.{inner.name}"


def test_only_the_command_line_prints() -> None:
    wrong = [
        f"{name(path)}:{node.lineno}"
        for path in modules()
        if not name(path).startswith(tuple(PRINTS))
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not wrong


def test_tasks_are_started_in_one_place() -> None:
    """A task that nobody holds is lost with its exception; groups and ``runtime.tasks`` hold theirs."""
    wrong = [
        f"{name(path)}:{node.lineno}"
        for path in modules()
        if name(path) not in STARTS_TASKS
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "create_task"
        if not ast.unparse(node.func.value).endswith("group")
    ]
    assert not wrong


@pytest.mark.parametrize("folder", ["minikctl", "tests"])
def test_nothing_is_mocked_or_left_to_do(folder: str) -> None:
    words = ("mock." + "patch", "Magic" + "Mock", "TO" + "DO", "FIX" + "ME", "Not" + "ImplementedError")
    wrong = [
        f"{name(path)}: {word}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for word in words
        if word in path.read_text(encoding="utf-8")
    ]
    assert not wrong


def test_tests_on_real_containers_are_where_they_are_run() -> None:
    """Loading all others would take longer than many of them."""
    words = (ROOT / "scripts" / "test-e2e.sh").read_text().split("places=(", 1)[1].split(")", 1)[0]
    places = {ROOT / word for word in words.split()}
    marked = {path for path in (ROOT / "tests").rglob("*.py") if "mark.e2e" in path.read_text()}
    marked.discard(Path(__file__))
    assert len(marked) > 20
    assert [name(path) for path in marked if not places & set(path.parents)] == []


def test_exemptions_are_still_needed() -> None:
    listed = {
        *(one.partition(":")[0] for one in (*LONG_FUNCTIONS, *MANY_PARAMETERS)),
        *LONG_FILES,
        *STARTS_TASKS,
        *PRINTS,
        *READS_FILES,
    }
    assert not [path for path in listed if not (ROOT / path).exists()]
