from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from minikctl.client.home import ClusterHome
from minikctl.daemon import log


def test_the_log_is_rotated_and_takes_the_crash_along(tmp_path: Path) -> None:
    home = ClusterHome("lab", str(tmp_path))
    text = (
        "import logging, sys; from minikctl.client.home import ClusterHome\n"
        "from minikctl.daemon import log\n"
        "log.LOG_BYTES = 1500\n"
        f"log.log_to(ClusterHome('lab', {home.root!r}))\n"
        "for number in range(60): logging.info('line %d of the log', number)\n"
        "raise SystemExit('crashed')\n"
    )
    os.makedirs(home.path)
    with open(home.daemon_log, "ab") as told:
        subprocess.run([sys.executable, "-c", text], stdout=told, stderr=told, check=False)
    newest = Path(home.daemon_log).read_text()
    assert newest.splitlines()[-2].endswith("line 59 of the log")
    assert newest.splitlines()[-1] == "crashed"
    assert sorted(path.name for path in Path(home.path).iterdir()) == [
        "daemon.log",
        "daemon.log.1",
        "daemon.log.2",
    ]


def test_what_is_said_again_and_again_is_written_once_a_minute() -> None:
    now = 100.0
    sparing = log.Sparing(lambda: now)

    def said(words: str, name: str = "part") -> str:
        record = logging.LogRecord(name, logging.INFO, "", 0, "%s", (words,), None)
        return record.getMessage() if sparing.filter(record) else ""

    assert said("waiting") == "waiting"
    assert said("waiting") == said("waiting") == ""
    assert said("waiting", "other") == "waiting"
    assert said("something else") == "something else"
    now += log.REPEAT_SECONDS
    assert said("waiting") == "waiting (2 more times since 60 s)"
    assert said("waiting") == ""
    for number in range(log.KEPT_WORDS):
        said(str(number))
    assert said("waiting") == "waiting", "it does not keep all words for ever"
