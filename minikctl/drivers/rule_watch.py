"""Hearing of nft rules that are deleted in network namespaces, by ``nft monitor`` in the agent."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Collection

from minikctl.drivers import engine as engines

# The namespace is opened first and its owner looked at then: a pid that still is the container's now was its
# own when the namespace was opened, too, so a reused number never leads into a stranger's namespace.
OWNED = """
owned() {
    { while read -r line; do case $line in *"$1"*) return 0 ;; esac; done < "/proc/$2/cgroup"; } 2>/dev/null
    return 1
}
"""
"""The shell function that tells whether process $2 belongs to container $1."""

# A table that is deleted or flushed tells of each of its rules.  A monitor holds its namespace, so it ends
# with it; when the session ends the shell's process group does.
PRELUDE = f"""{OWNED}
trap 'kill 0' EXIT
listen() {{
    owned "$1" "$2" || return
    nsenter --net=/proc/self/fd/9 nft monitor destroy rules </dev/null 2>/dev/null &
    eval "m$1=$!"
}}
leave() {{
    eval "kill \\$m$1; unset m$1"
}} 2>/dev/null
"""

# Services that change delete rules, too: what nobody asked for is dropped before it leaves the agent.
FILTERED = """sh | awk -v wanted="$1" '$0 ~ wanted { print; fflush() }'"""

Place = tuple[str, int]
"""A container's id and its process."""


class RuleWatch:
    """Listens in the namespaces that it is told of; ends with its session, and with the agent."""

    def __init__(self, session: engines.ExecSession) -> None:
        self._session = session
        self._places: set[Place] = set()

    @classmethod
    async def open(cls, engine: engines.Engine, agent: str, chains: Collection[str]) -> RuleWatch:
        """Return a watch for these chains that listens nowhere yet."""
        argv = ["sh", "-c", FILTERED, "sh", f" ({'|'.join(sorted(chains))}) handle "]
        watch = cls(await engine.exec(agent, argv, engines.ExecOptions(stdin=True)))
        await watch._session.write(PRELUDE.encode())
        return watch

    async def follow(self, places: Collection[Place]) -> None:
        """Listen in these namespaces and no others; ``DriverError`` when the session is over."""
        wanted = set(places)
        lines = [f"leave {shlex.quote(sandbox)}\n" for sandbox, _ in sorted(self._places - wanted)]
        lines += [
            f"listen {shlex.quote(sandbox)} {pid} 9< /proc/{pid}/ns/net\n"
            for sandbox, pid in sorted(wanted - self._places)
        ]
        self._places = wanted
        if lines:
            await self._session.write("".join(lines).encode())

    async def deleted(self) -> AsyncIterator[str]:
        """Yield the table of each such rule that is deleted, by whom ever, until the session is over."""
        rest = b""
        async for _, piece in self._session.output():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                match line.decode(errors="replace").split():
                    case ["delete", "rule", "inet", table, *_]:
                        yield table

    async def close(self) -> None:
        """Stop listening."""
        await self._session.close()
