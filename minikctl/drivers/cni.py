"""CNI plugins, run in the agent: their programs are this machine's, their place is a node's network.

Each node is a container of its own on the cluster's engine network.  Plugins run in *its* network
namespace, so bridges, devices, rules and routes of theirs are never the host's, and end with that container.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from minikctl.drivers import agent
from minikctl.plan.cni import protocol

SECONDS = 10
"""A plugin that has not ended by then is ended."""
_KILLED = 137
_MISSING = 127
# Plugins write sysctls, read-only in a container, but not in a mount namespace of the plugin's own.
_CALL = """
mkdir -p "$1" {kept} && mount --bind "$1" {kept} || exit 1
shift
found=
for place in $(echo "$1" | tr : " "); do [ -x "$place/$2" ] && {{ found=$place/$2; break; }}; done
[ -n "$found" ] || exit {missing}
shift 2
errors=$(mktemp)
mount -o remount,bind,rw /proc/sys
timeout -s KILL {seconds} setsid sh -c 'echo $$ >"$0.pid"; exec env -i "$@"' "$errors" \
PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" "$found" 2>"$errors"
status=$?
[ $status != {killed} ] || kill -KILL -- "-$(cat "$errors.pid")" 2>/dev/null
printf '\\n%s\\n' '{mark}'
cat "$errors"
rm -f "$errors" "$errors.pid"
exit $status
"""
_MARK = "---- stderr"
_KEPT = "/var/lib/cni"
SCRIPT = _CALL.format(missing=_MISSING, killed=_KILLED, seconds=SECONDS, mark=_MARK, kept=_KEPT)


@dataclass(frozen=True)
class Place:
    """A node's container and the host's number of its process, whose network namespace plugins run in.

    ``state`` is where plugins keep what they have lent, below the directory of such state.
    """

    container_id: str
    pid: int
    node: str = ""
    state: str = "shared"


class Plugins(Protocol):
    """Runs plugins."""

    async def call(
        self, place: Place, plugin: str, parameters: Mapping[str, str], stdin: str
    ) -> protocol.Answer:
        """Return how it ended; ``PluginError``: there is none or it hangs, ``DriverError``: no agent."""
        ...

    async def prepare(self, place: Place, commands: list[tuple[str, ...]]) -> None:
        """Run commands in the node's namespace; ``DriverError`` when one fails."""
        ...


class AgentPlugins:
    """Fits ``Plugins`` by the agent that has the plugins' directories mounted."""

    def __init__(self, netns: agent.AgentNetns, path: str, directory: str) -> None:
        """``path`` are the directories of programs, as CNI_PATH has them.

        Plugins find what they keep in ``/var/lib/cni``, which is a directory below ``directory``.
        """
        self._netns = netns
        self._path = path
        self._directory = directory

    async def call(
        self, place: Place, plugin: str, parameters: Mapping[str, str], stdin: str
    ) -> protocol.Answer:
        """Return how the plugin ended."""
        words = [f"{key}={value}" for key, value in {**parameters, "CNI_PATH": self._path}.items()]
        state = f"{self._directory}/{place.state}"
        argv = ("unshare", "-m", "sh", "-c", SCRIPT, "cni", state, self._path, plugin, *words)
        outcome = await self._netns.run(
            agent.Job(place.container_id, place.pid, argv, stdin or "{}", SECONDS + agent.COMMAND_SECONDS)
        )
        out, _, said = outcome.output.partition(f"\n{_MARK}\n")
        head = f'plugin type="{plugin}" failed ({parameters["CNI_COMMAND"].lower()})'
        if outcome.status == _MISSING:
            raise protocol.PluginError(
                f'{head}: failed to find plugin "{plugin}" in path [{self._path.replace(":", " ")}]'
            )
        if outcome.status == _KILLED:
            raise protocol.PluginError(f"{head}: it did not end within {SECONDS} s")
        return protocol.Answer(outcome.status, out, said)

    async def prepare(self, place: Place, commands: list[tuple[str, ...]]) -> None:
        """Run commands in the node's namespace."""
        script = " && ".join(shlex.join(command) for command in commands)
        await self._netns.read(place.container_id, place.pid, ("sh", "-c", script))
