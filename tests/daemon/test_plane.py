from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from minikctl.apiserver import pki
from minikctl.client.home import ClusterHome
from minikctl.client.settings import ClusterSettings
from minikctl.daemon import plane, process
from tests.fakes.clock import FakeClock, settle


async def test_where_the_api_is_is_written_again_when_the_files_are_deleted(tmp_path: Path) -> None:
    home, clock = ClusterHome("lab", str(tmp_path)), FakeClock()
    keys = pki.ensure(home, ClusterSettings("lab"))
    announcement = plane.Announcement(home, "https://127.0.0.1:1", keys, clock)
    with process.only_one(home):
        announcement.publish()
        keeping = asyncio.create_task(announcement.keep())
        await settle()
        for path in (home.kubeconfig, home.file("daemon.json")):
            os.unlink(path)
            await clock.advance(process.STATE_CHECK_SECONDS)
            assert os.path.exists(path)
        assert (home.daemon() or {})["address"] == "https://127.0.0.1:1"
        # What cannot be written yet is tried again: clients that are connected go on meanwhile.
        os.unlink(home.file("daemon.json"))
        os.rename(home.kubeconfig, f"{home.kubeconfig}.aside")
        os.mkdir(home.kubeconfig)
        await clock.advance(process.STATE_CHECK_SECONDS)
        assert not keeping.done()
        os.rmdir(home.kubeconfig)
        await clock.advance(process.STATE_CHECK_SECONDS)
        assert os.path.isfile(home.kubeconfig)
        assert os.path.exists(home.file("daemon.json"))
        # Of a cluster that is deleted nothing comes back.
        shutil.rmtree(home.path)
        await clock.advance(process.STATE_CHECK_SECONDS)
        assert not os.path.exists(home.path)
        keeping.cancel()
