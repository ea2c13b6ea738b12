"""``--raw``: what is asked of a path of the server as it is."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import printing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from minikctl.cli.get import GetOptions
    from minikctl.cli.session import Session


def path(text: str) -> str:
    """Return the path; ``UsageError`` in kubectl's words when it does not begin at the root."""
    if not text.startswith("/"):
        raise errors.UsageError(
            f'error: --raw must be a valid URL path: parse "{text}": invalid URI for request'
        )
    return text


def get(text: str, session: Session) -> int:
    """Print what the server answers, as it comes: it may be a watch; return the exit code."""
    stream = session.client.stream("GET", path(text))
    try:
        for piece in stream.chunks():
            printing.write(piece, session)
    finally:
        stream.close()
    if stream.failure:
        raise errors.UsageError(f"error: {stream.failure}")
    return 0


def check_get(options: GetOptions) -> None:
    """Refuse what ``get --raw`` would leave undone, in kubectl's words."""
    if options.watch or options.watch_only or options.labels:
        raise errors.UsageError(
            "error: --raw may not be specified with other flags that filter the server request or alter the output"
        )
    if options.output:
        raise errors.UsageError("error: --raw and --output are mutually exclusive")
    if options.arguments:
        raise errors.UsageError("error: arguments may not be passed when --raw is specified")
