"""Bringing a running proxy to a configuration with as little as possible: commands, else a hitless reload."""

from __future__ import annotations

import logging

from minikctl import errors
from minikctl.drivers.haproxy import Proxy
from minikctl.plan import haproxy
from minikctl.plan.haproxy import CONFIG, Rendered, Slots

log = logging.getLogger(__name__)


def readopt(proxy: Proxy, sockets: str) -> bool:
    """Have the kept files fit this version of the pod that reads them; tell whether there are any."""
    held = dict(proxy.held())
    text = held.get(CONFIG, "")
    fitting = haproxy.adopted(text, sockets)
    if fitting != text:
        proxy.keep({**held, CONFIG: fitting})
    return bool(text)


class LoadedProxy:
    """Knows what a proxy has loaded; after any failure ``forget``, and the next step loads everything.

    Configurations are ``looked_at`` before where words of users are in them.
    """

    def __init__(self, proxy: Proxy, *, looked_at: bool = True) -> None:
        self._proxy = proxy
        self._looked_at = looked_at
        self._loaded: Rendered | None = None
        self._container = ""
        self._is_first = True

    @property
    def slots(self) -> Slots:
        """Which servers are in which slots at present."""
        return self._loaded.slots if self._loaded else {}

    def meet(self, container: str) -> None:
        """Take note of which container runs: another one starts with the files that are kept."""
        if container != self._container:
            self._container, self._loaded = container, None

    def forget(self) -> None:
        """Take nothing for granted any more."""
        self._loaded = None

    async def bring(self, rendered: Rendered) -> None:
        """Have the met container serve this; ``Refused`` leaves it with what it had.

        Who is killed on the way leaves a doubt on disk, and whoever comes next loads everything.
        """
        loaded, proxy = self._loaded, self._proxy
        is_known = self._is_first and not proxy.doubted and proxy.held() == rendered.files
        self._is_first = False
        if is_known:
            # The proxy has started with this, or was given it by an earlier control plane.
            self._loaded = rendered
            return
        if loaded is None or loaded.structure != rendered.structure:
            proxy.doubt()
            await proxy.load(self._container, rendered.files, looked_at=self._looked_at)
            proxy.settle()
        elif loaded.files != rendered.files:
            proxy.doubt()
            for file, pem in rendered.certificates.items():
                if loaded.certificates[file] != pem:
                    await proxy.certificate(file, pem)
            await proxy.command(haproxy.commands(loaded.slots, rendered.slots))
            self._keep(rendered)
        self._loaded = rendered

    def _keep(self, rendered: Rendered) -> None:
        """Have the next start begin with what runs, last: what is held is never ahead of that.

        On a disk that is full endpoints go on following; a proxy that starts then is given everything anew.
        """
        try:
            self._proxy.keep(rendered.files)
        except errors.DriverError as error:
            log.warning("%s; what runs is up to date", error)
        else:
            self._proxy.settle()
