"""What a container wrote before it was joined: its log up to then."""

from __future__ import annotations

from minikctl.cli import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session


class Earlier:
    """Shows the log of a container, each part of it once."""

    def __init__(self, pod: dict[str, Any], container: str, session: Session) -> None:
        self._pod = pod
        self._query = {"container": container}
        self._session = session
        self._shown = 0

    @property
    def is_shown(self) -> bool:
        """Tell whether any of it was shown."""
        return self._shown > 0

    def show(self) -> bytes:
        """Write what has not been shown yet; return all that there is by now."""
        io = self._session.io
        io.out.flush()
        out = getattr(io.out, "buffer", None)
        path = pods.log_path(self._pod, "log", self._session)
        stream = self._session.client.stream("GET", path, query=self._query)
        logged = bytearray()
        try:
            for piece in stream.chunks():
                new = piece[max(0, self._shown - len(logged)) :]
                logged += piece
                if out is None:
                    io.out.write(new.decode(errors="replace"))
                else:
                    out.write(new)
        finally:
            stream.close()
        io.out.flush()
        self._shown = max(self._shown, len(logged))
        return bytes(logged)
