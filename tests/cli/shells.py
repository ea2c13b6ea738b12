"""Real shells in a real terminal, which complete command lines of minikctl as they do for a user."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

from tests.cli.conftest import BIN

SECONDS = 60
HOME_KEY, END_KEY, CLEAR = "\x01", "\x05", "\x15"
ESCAPES = re.compile(r"\x1b(\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>78NOM])")

BASH_SETUP = r"""
PS1='$ '
bind 'set completion-query-items 5000'
bind 'set page-completions off'
bind 'set show-all-if-ambiguous on'
bind 'set bell-style none'
bind 'set enable-bracketed-paste off'
source <(minikctl completion bash)
"""
ZSH_SETUP = r"""
PS1='$ '
bindkey -e
unset zle_bracketed_paste
setopt no_list_beep no_beep no_auto_menu no_always_last_prompt no_list_ambiguous
LISTMAX=5000
autoload -Uz compinit && compinit -u -D
source <(minikctl completion zsh)
"""
FISH_SETUP = r"""
function fish_prompt; echo -n '$ '; end
set -g fish_greeting
set -g fish_autosuggestion_enabled 0
minikctl completion fish | source
"""


class Shell:
    """A shell on a pseudo-terminal that is wide enough for every list."""

    def __init__(self, name: str, home: Path, environment: dict[str, str]) -> None:
        """Start bash or zsh; ``environment`` comes on top of a plain one."""
        words = {"bash": ["bash", "--rcfile", str(home / "bashrc"), "-i"], "zsh": ["zsh", "-i"]}[name]
        (home / "bashrc").write_text(BASH_SETUP)
        (home / ".zshrc").write_text(ZSH_SETUP)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 300, 300, 0, 0))
        self._process = subprocess.Popen(
            words,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**plain(home, environment), "ZDOTDIR": str(home)},
            cwd=home,
            start_new_session=True,
        )
        os.close(slave)
        self._asked = 0
        self._until("$ ")

    def complete(self, line: str) -> tuple[str, str]:
        """Press Tab after ``line``; return the line that the shell made of it, and all else that it showed."""
        self._asked += 1
        begin, end = f"<{self._asked}:", f":{self._asked}>"
        # Keys wait until the completion is done; the line is then shown by echo instead of run.
        self._type(f"{line}\t{HOME_KEY}printf '%s\\n' '{begin}'\"{END_KEY}\"'{end}'\r")
        shown = self._until(rf"\n{re.escape(begin)}.*{re.escape(end)}\r?\n", is_pattern=True)
        match = re.search(rf"\n{re.escape(begin)}(.*){re.escape(end)}", shown)
        assert match, shown
        return match[1], shown[: match.start()]

    def close(self) -> None:
        """End the shell."""
        self._process.send_signal(signal.SIGHUP)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._master)

    def _type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def _until(self, wanted: str, *, is_pattern: bool = False) -> str:
        """Return what the terminal shows up to ``wanted``, without what colours it or moves the cursor."""
        pattern = re.compile(wanted if is_pattern else re.escape(wanted))
        deadline, read = time.monotonic() + SECONDS, b""
        while True:
            shown = ESCAPES.sub("", read.decode(errors="replace")).replace("\r\r\n", "\r\n")
            if pattern.search(shown):
                return shown
            assert time.monotonic() < deadline, f"no {wanted!r} in {shown!r}"
            if select.select([self._master], [], [], 1)[0]:
                read += os.read(self._master, 65536)


def plain(home: Path, environment: dict[str, str]) -> dict[str, str]:
    """Return an environment without a user's own settings, in which minikctl is the one under test."""
    base = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    return {**base, **environment}


def fish(line: str, home: Path, environment: dict[str, str]) -> tuple[set[str], str]:
    """Return what fish offers after ``line``, and what it writes to the error stream."""
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"{FISH_SETUP}\ncomplete -C $argv[1]", line],
        capture_output=True,
        text=True,
        cwd=home,
        env={**plain(home, environment), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)},
        timeout=SECONDS,
        check=True,
    )
    return {each.split("\t")[0] for each in done.stdout.splitlines()}, done.stderr
