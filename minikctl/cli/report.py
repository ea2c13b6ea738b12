"""Every failure as text and exit code, in kubectl's words, with a way out where one is known."""

from __future__ import annotations

import os
import sys

from minikctl import errors
from minikctl.cli import parsing
from minikctl.client import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from minikctl.cli.session import Io, Session

TRACE_VERBOSITY = 9
STOPPED = "`minikctl cluster start` starts the local control plane; `minikctl cluster status` shows it"
LATE = "`minikctl cluster status` tells whether the control plane answers at all; `minikctl cluster stop` ends one that does not"


def failure(error: Exception, io: Io, verbosity: int = 0, code: int = 1) -> int:
    """Report a failure that ends the command; return the exit code, which is ``code`` while somebody reads."""
    if isinstance(error, BrokenPipeError):
        # The reader is gone: nothing more can be said, and Python must not try to at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    known = isinstance(error, errors.MinikctlError) or _is_of_the_disk(error)
    if verbosity >= TRACE_VERBOSITY or not known:
        import traceback

        io.err.write("".join(traceback.format_exception(error)))
    io.warn(lined(sentence(error)))
    if isinstance(error, parsing.BadCommandLine) and error.see:
        io.warn(f"See '{error.see}' for usage.")
    for hint in hints(error):
        io.warn(f"hint: {hint}")
    return code


def _is_of_the_disk(error: Exception) -> bool:
    """Tell whether a file cannot be read or written as things are: no failure of the program's."""
    import errno

    reasons = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, OSError) and error.errno in reasons


def tell(error: errors.MinikctlError, session: Session) -> None:
    """Report a failure that the command survives, and where there is what was not found."""
    session.io.warn(sentence(error))
    if isinstance(error, errors.StatusError):
        from minikctl.cli import elsewhere

        place = elsewhere.of_failure(error, session)
        if place:
            session.io.warn(f"hint: {place}")


def lined(text: str) -> str:
    """Return the text with the hint that a node put at its end on a line of its own."""
    return text.replace("; hint: ", "\nhint: ")


def sentence(error: Exception) -> str:
    """Return the text that kubectl would print for this failure."""
    if isinstance(error, errors.StatusError):
        return status_sentence(error)
    if isinstance(error, http.ConnectionRefused | parsing.Verbatim):
        return str(error)
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.filename and error.strerror:
        text = f"{os.fsdecode(error.filename)}: {error.strerror}"
    return text if text.startswith(("error:", "Error")) else f"error: {text}"


def status_sentence(error: errors.StatusError, context: str = "") -> str:
    """Return the text for a ``metav1.Status``; ``context`` is such as ``error when creating "x.yaml"``."""
    if error.reason == "Unauthorized":
        return "error: You must be logged in to the server (Unauthorized)"
    if error.reason == "Invalid" and not context:
        return _invalid(error)
    reason = f" ({error.reason})" if error.reason else ""
    where = f": {context}" if context else ""
    return f"Error from server{reason}{where}: {error.message}"


def _invalid(error: errors.StatusError) -> str:
    if not error.details:
        return f"The request is invalid: {error.message}"
    kind, name = error.details.get("kind", ""), error.details.get("name", "")
    head = f'The {kind} "{name}" is invalid' if kind or name else "The request is invalid"
    causes = [f"{c.get('field', '')}: {c.get('message', '')}" for c in error.details.get("causes") or ()]
    if len(causes) > 1:
        return "\n".join([f"{head}: ", *(f"* {cause}" for cause in causes)])
    return f"{head}: {causes[0]}" if causes else head


def hints(error: Exception) -> Iterable[str]:
    """Yield what the user can do about it, where that is known."""
    if isinstance(error, http.ConnectionRefused) and "127.0.0.1" in str(error):
        late = str(error).endswith(": timed out")
        yield LATE if late else STOPPED
    if isinstance(error, errors.EngineUnavailable):
        yield "start Docker (`dockerd`, or `systemctl start docker`), or use `cluster start --runtime sim`"

    near = getattr(error, "near", ())
    if near:
        yield f"did you mean {' or '.join(near)}?"
    if isinstance(error, errors.StatusError) and error.elsewhere:
        yield error.elsewhere


ELSEWHERE = {
    "start": "`minikctl cluster start`; the first command that needs the cluster starts it, too",
    "stop": "`minikctl cluster stop`; the apps go on running",
    "status": "`minikctl cluster status`",
    "up": "`minikctl cluster start`",
    "load": "images come straight from your Docker: build or pull them there",
    "image": "images come straight from your Docker: build or pull them there",
    "images": "images come straight from your Docker: build or pull them there",
    "tunnel": "a LoadBalancer has an address at once: see EXTERNAL-IP of `minikctl get service`",
    "service": "`minikctl get service` shows the addresses that answer on this machine",
    "addons": "DNS, Ingress, metrics and storage are built in",
    "dashboard": "`minikctl map` and `minikctl get everything` show what there is",
    "mount": "a hostPath volume is a directory of this machine",
    "kubectl": "leave the word out: minikctl takes kubectl's commands itself",
    "install": "helm works on it: `minikctl cluster kubeconfig --merge`",
}
"""What users of kind, minikube and k3d look for, and where it is."""


def unknown_command(name: str, known: Iterable[str]) -> parsing.BadCommandLine:
    """Return the error for a verb that does not exist, with its nearest neighbours."""
    import difflib

    text = f'unknown command "{name}" for "minikctl"'
    if name in ELSEWHERE:
        return parsing.BadCommandLine(f"{text}; hint: {ELSEWHERE[name]}")
    near = difflib.get_close_matches(name, list(known), 3, 0.6)
    if near:
        text += "\n\nDid you mean this?\n" + "\n".join(f"\t{candidate}" for candidate in near)
    return parsing.BadCommandLine(text)
