"""The flags that name files, declared once for all commands that take any."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli.flags import Options, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KUSTOMIZE = "kustomize:"
"""Before a directory that is to be built first: how ``files`` has what -k names."""


class Filing(Options):
    """Which files are meant."""

    files: tuple[str, ...] = flag(
        "--filename", "-f", default=(), split=True, help="A file, a directory, a URL or -.", complete="files"
    )
    recursive: bool = flag("--recursive", "-R", default=False, help="Descend into directories.")
    kustomize: str = flag(
        "--kustomize", "-k", default="", help="A kustomization directory, instead of -f.", complete="files"
    )

    def __init__(self, **given: Any) -> None:
        if given.get("kustomize"):
            if given.get("files") not in (None, (), (KUSTOMIZE + given["kustomize"],)):
                raise errors.UsageError("error: only one of -f or -k can be specified")
            if given.get("recursive"):
                raise errors.UsageError("error: the -k flag can't be used with -f or -R")
            given["files"] = (KUSTOMIZE + given["kustomize"],)
        super().__init__(**given)
