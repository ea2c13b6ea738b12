"""Simulated programs: as much of a shell and its tools as commands of containers and probes commonly use.

A program that is not known here behaves as a server: it runs until it is told to stop.  A script with loops
or substitutions does so too.  SIM_EXIT_AFTER (seconds) and SIM_EXIT_CODE in the environment make any
program end.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

FOREVER = float("inf")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_LOOPS = re.compile(r"\b(while|until|for)\b|\$\(|`")
_OPERATORS = {";", "&&", "||", "&"}
_SHELLS = {"sh", "bash", "ash", "dash"}
_QUITE_DEAF = {"sleep", "cat", "tail", *_SHELLS}


class Input:
    """What a process reads: bytes until the end of file."""

    def __init__(self, *, closed: bool = False) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.closed = False
        if closed:
            self.close()

    def write(self, data: bytes) -> None:
        """Give the process bytes to read."""
        self._queue.put_nowait(data)

    def close(self) -> None:
        """Let the process see the end of file."""
        if not self.closed:
            self.closed = True
            self._queue.put_nowait(None)

    async def read(self) -> bytes:
        """Return the next bytes, none at the end of file."""
        data = await self._queue.get()
        if data is None:
            self._queue.put_nowait(None)
        return data or b""


@dataclass(frozen=True)
class World:
    """What a process sees: files by path, its host's name, ways to write output and to let time pass."""

    files: dict[str, bytes]
    hostname: str
    write: Callable[[int, bytes], None]
    sleep: Callable[[float], Awaitable[None]]
    stdin: Input = field(default_factory=lambda: Input(closed=True))


class Exit(Exception):
    """The script said ``exit``."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def heeds_stop(argv: Sequence[str], *, init: bool) -> int | None:
    """Return the exit code with which a first process ends when told to stop, None when it takes no notice.

    The kernel delivers to a first process only the signals that it asked for.
    """
    name = _base(argv)
    if name in _SHELLS and "trap" in " ".join(argv):
        return 0
    if name in _QUITE_DEAF:
        return 143 if init else None
    return 0


def unknown_program(argv: Sequence[str]) -> bool:
    """Return whether starting this fails, as for a file that is not there."""
    return not argv or "no-such" in argv[0]


def _base(argv: Sequence[str]) -> str:
    return argv[0].rpartition("/")[2] if argv else ""


async def run(argv: Sequence[str], env: Mapping[str, str], world: World, *, unknown: float = FOREVER) -> int:
    """Run a command and return its exit code; programs that are not known take ``unknown`` seconds."""
    if "SIM_EXIT_AFTER" in env:
        await world.sleep(float(env["SIM_EXIT_AFTER"]))
        return int(env.get("SIM_EXIT_CODE", "0"))
    try:
        return await _program(argv, env, world, unknown)
    except Exit as end:
        return end.code


async def _program(argv: Sequence[str], env: Mapping[str, str], world: World, unknown: float) -> int:
    name, arguments = _base(argv), list(argv[1:])
    if name in _SHELLS and len(argv) > 2 and argv[1].startswith("-") and "c" in argv[1]:
        return await _script(argv[2], env, world, unknown)
    if name in _SHELLS:
        return await _interactive(env, world)
    if name == "sleep":
        await _pause(world, sum(_seconds(text) for text in arguments))
        return 0
    if name == "cat" and not arguments:
        while data := await world.stdin.read():
            world.write(1, data)
        return 0
    tool = _TOOLS.get(name)
    if tool is not None:
        return tool(arguments, env, world)
    await _pause(world, unknown)
    return int(env.get("SIM_EXIT_CODE", "0"))


async def _pause(world: World, seconds: float) -> None:
    if seconds == FOREVER:
        await asyncio.get_running_loop().create_future()
    await world.sleep(seconds)


def _seconds(text: str) -> float:
    if text == "infinity":
        return FOREVER
    factor = {"s": 1, "m": 60, "h": 3600, "d": 86400}.get(text[-1:])
    return float(text[:-1]) * factor if factor else float(text)


async def _interactive(env: Mapping[str, str], world: World) -> int:
    code, rest = 0, b""
    while data := await world.stdin.read():
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            code = await _script(line.decode(errors="replace"), env, world, 0)
    return code


async def _script(script: str, env: Mapping[str, str], world: World, unknown: float) -> int:
    if _LOOPS.search(script):
        await _pause(world, unknown)
        return 0
    code = 0
    for operator, words in _commands(_expand(script, env)):
        skip = {"&&": code != 0, "||": code == 0}.get(operator, False)
        if words and not skip:
            code = await _simple(words, env, world, unknown)
    return code


def _expand(script: str, env: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: env.get(match.group(1) or match.group(2), ""), script)


def _commands(script: str) -> list[tuple[str, list[str]]]:
    """Return (operator before it, words) for each command of a script."""
    lexer = shlex.shlex(script.replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.commenters = ""
    found: list[tuple[str, list[str]]] = [(";", [])]
    for token in lexer:
        if token in _OPERATORS:
            found.append((token, []))
        else:
            found[-1][1].append(token)
    return found


async def _simple(words: list[str], env: Mapping[str, str], world: World, unknown: float) -> int:
    if words[0] == "exec":
        words = words[1:]
    if words[0] == "exit":
        raise Exit(int(words[1]) if len(words) > 1 else 0)
    if words[0] in ("trap", "set", "cd", ":", "wait"):
        return 0
    words, target = _redirected(words)
    if target is None:
        return await _program(words, env, world, unknown)
    written = bytearray()

    def keep(stream: int, data: bytes) -> None:
        if target == "&2":
            world.write(2, data)
        elif stream == 1:
            written.extend(data)
        else:
            world.write(stream, data)

    inner = World(world.files, world.hostname, keep, world.sleep, world.stdin)
    code = await _program(words, env, inner, unknown)
    if target not in ("&2", "/dev/null"):
        world.files[target] = bytes(written)
    return code


def _redirected(words: list[str]) -> tuple[list[str], str | None]:
    for sign in (">&", ">", ">>"):
        if sign in words:
            at = words.index(sign)
            target = words[at + 1] if at + 1 < len(words) else "/dev/null"
            before = words[: at - 1] if words[at - 1] in ("1", "2") else words[:at]
            return before, "&2" if sign == ">&" else target
    return words, None


def _echo(arguments: list[str], _env: Mapping[str, str], world: World) -> int:
    end = b"\n"
    if arguments[:1] == ["-n"]:
        arguments, end = arguments[1:], b""
    world.write(1, " ".join(arguments).encode() + end)
    return 0


def _cat(arguments: list[str], _env: Mapping[str, str], world: World) -> int:
    code = 0
    for path in arguments:
        if path in world.files:
            world.write(1, world.files[path])
        else:
            world.write(2, f"cat: can't open '{path}': No such file or directory\n".encode())
            code = 1
    return code


def _touch(arguments: list[str], _env: Mapping[str, str], world: World) -> int:
    for path in arguments:
        world.files.setdefault(path, b"")
    return 0


def _rm(arguments: list[str], _env: Mapping[str, str], world: World) -> int:
    for path in arguments:
        world.files.pop(path, None)
    return 0


def _test(arguments: list[str], _env: Mapping[str, str], world: World) -> int:
    words = [word for word in arguments if word != "]"]
    if len(words) == 2 and words[0] in ("-e", "-f", "-s"):
        return 0 if words[1] in world.files else 1
    if len(words) == 3 and words[1] in ("=", "!="):
        return int((words[0] == words[2]) != (words[1] == "="))
    return 0 if words and words[-1] else 1


def _env(arguments: list[str], env: Mapping[str, str], world: World) -> int:
    for name in arguments or env:
        text = env.get(name)
        if text is None:
            return 1
        world.write(1, f"{text}\n".encode() if arguments else f"{name}={text}\n".encode())
    return 0


def _hostname(_arguments: list[str], _env: Mapping[str, str], world: World) -> int:
    world.write(1, f"{world.hostname}\n".encode())
    return 0


_TOOLS: Mapping[str, Callable[[list[str], Mapping[str, str], World], int]] = {
    "echo": _echo,
    "cat": _cat,
    "touch": _touch,
    "rm": _rm,
    "test": _test,
    "[": _test,
    "env": _env,
    "printenv": _env,
    "hostname": _hostname,
    "true": lambda *_: 0,
    "false": lambda *_: 1,
}
