"""``cp``: files and directories into and out of containers, by the container's own ``tar``."""

from __future__ import annotations

import contextlib
import os
import posixpath
import shutil
import tarfile
import threading

from minikctl import errors
from minikctl.cli import exec_, parsing, pods
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from minikctl.cli.session import Session

CHUNK = 256 * 1024
FORM = "error: filespec must match the canonical format: [[namespace/]pod:]file/path"


class CopyOptions(Options):
    """What ``cp`` was asked."""

    arguments: tuple[str, ...] = rest("<file-spec-src> <file-spec-dest>", default=(), complete="copies")
    container: str = flag("--container", "-c", default="", help="The container.", complete="containers")
    no_preserve: bool = flag(
        "--no-preserve", default=False, help="Do not keep owners and permissions in the container."
    )
    retries: int = flag(
        "--retries",
        default=0,
        help="How often to go on with a copy from a container that broke off; -1: always.",
    )


class Place:
    """``[[namespace/]pod:]path``."""

    def __init__(self, text: str) -> None:
        pod, colon, path = text.partition(":")
        if not colon:
            self.namespace, self.pod, self.path = "", "", text
            return
        parts = pod.split("/")
        if not pod or len(parts) > 2:
            raise errors.UsageError(FORM)
        self.namespace, self.pod, self.path = parts[0] if len(parts) == 2 else "", parts[-1], path


def run(options: CopyOptions, session: Session) -> int:
    """Copy; return the exit code."""
    if len(options.arguments) != 2:
        raise errors.UsageError("error: source and destination are required")
    source, target = (Place(text) for text in options.arguments)
    if source.pod and target.pod:
        raise errors.UsageError("error: one of src or dest must be a local file specification")
    if not source.path or not target.path:
        raise errors.UsageError("error: filepath can not be empty")
    if not source.pod and not target.pod:
        raise errors.UsageError("error: one of src or dest must be a remote file specification")
    if target.pod and not os.path.lexists(source.path):
        raise errors.UsageError(f"error: {source.path} doesn't exist in local filesystem")
    remote = Remote(options, source if source.pod else target, session)
    if source.pod:
        return Download(options, remote, source.path, session).run(target.path)
    return _upload(options, remote, source.path, target.path)


class Remote:
    """Commands in the container."""

    def __init__(self, options: CopyOptions, place: Place, session: Session) -> None:
        namespace = place.namespace or session.namespace
        pod = pods.in_namespace(place.pod, namespace, session)
        self.pod, self.namespace = place.pod, namespace
        self._session = session
        self._container = pods.container(pod, options.container, session)
        self._path = pods.log_path(pod, "exec", session)

    def run(self, argv: list[str], ends: exec_.Ends) -> int:
        """Run a command; return its exit code."""
        query = {
            "command": argv,
            "container": self._container,
            "stdin": ends.stdin,
            "stdout": True,
            "stderr": True,
        }
        return exec_.exchange(self._path, query, self._session, ends)

    def is_directory(self, path: str) -> bool:
        """Tell whether the container has a directory of that path."""
        return self.run(["test", "-d", path], exec_.Ends(stdin=False, sink=lambda _: None)) == 0


# --- into a container -------------------------------------------------------------------------------------


def _upload(options: CopyOptions, remote: Remote, source: str, target: str) -> int:
    target = posixpath.normpath(target)
    if remote.is_directory(target):
        target = posixpath.join(target, os.path.basename(os.path.abspath(source)))
    argv = (
        ["tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-"]
        if options.no_preserve
        else ["tar", "-xmf", "-"]
    )
    folder, name = posixpath.split(target)
    if folder:
        argv += ["-C", folder]
    packer = _Packer(source, name)
    packer.start()
    try:
        code = remote.run(argv, exec_.Ends(stdin=True, source=packer.read))
    finally:
        packer.close()
    return _ended(code)


def _ended(code: int) -> int:
    if code:
        raise parsing.Verbatim(f"command terminated with exit code {code}")
    return 0


class _Packer(threading.Thread):
    """Writes a tar of a file or directory into a pipe, never more than a pipe holds at once."""

    def __init__(self, source: str, name: str) -> None:
        super().__init__(daemon=True)
        self._source = source
        self._name = name
        self._out, self._in = os.pipe()
        self._failure: Exception | None = None

    def run(self) -> None:
        # A container's tar that has ended says why.
        with contextlib.suppress(BrokenPipeError), os.fdopen(self._in, "wb") as sink:
            try:
                with tarfile.open(fileobj=sink, mode="w|") as archive:
                    archive.add(self._source, self._name)
            except BrokenPipeError:
                pass
            except (OSError, tarfile.TarError) as error:
                self._failure = error  # before the end is seen: else what there is would pass for all

    def read(self) -> bytes:
        """Return the next bytes, b"" at the end; raises what the files cannot be read for."""
        data = os.read(self._out, CHUNK)
        if not data and self._failure is not None:
            raise errors.UsageError(f"error: {self._failure}") from self._failure
        return data

    def close(self) -> None:
        os.close(self._out)


# --- out of a container -----------------------------------------------------------------------------------


class Download:
    """One copy out of a container."""

    def __init__(self, options: CopyOptions, remote: Remote, source: str, session: Session) -> None:
        self._retries = options.retries
        self._remote = remote
        self._source = source
        self._session = session
        self._received = 0
        self._code = 0
        self._failure: Exception | None = None
        self._warned = False

    def run(self, target: str) -> int:
        """Copy to a local path; return the exit code."""
        out, self._in = os.pipe()
        fetching = threading.Thread(target=self._fetch, daemon=True)
        fetching.start()
        prefix = posixpath.normpath(self._source).lstrip("/")
        while prefix.startswith("../"):
            prefix = prefix[3:]
        with os.fdopen(out, "rb") as stream:
            try:
                with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK) as archive:
                    for member in archive:
                        self._take(archive, member, "" if prefix in (".", "..") else prefix, target)
                while stream.read(CHUNK):
                    pass  # what pads the archive
            except tarfile.TarError as error:
                self._failure = self._failure or error
        fetching.join()
        if self._failure is not None and not self._code:
            raise errors.UsageError(f"error: {self._failure}".replace("error: error:", "error:"))
        return _ended(self._code)

    def _fetch(self) -> None:
        tried = 0
        with os.fdopen(self._in, "wb") as sink:

            def take(data: bytes) -> None:
                sink.write(data)
                self._received += len(data)

            while True:
                try:
                    self._code = self._remote.run(self._command(), exec_.Ends(stdin=False, sink=take))
                except (errors.MinikctlError, OSError) as error:
                    if isinstance(error, BrokenPipeError) or (0 <= self._retries <= tried):
                        self._failure = error
                        return
                    tried += 1
                    self._session.io.say(
                        f"Resuming copy at {self._received} bytes, retry {tried}/{self._retries}"
                    )
                else:
                    return

    def _command(self) -> list[str]:
        if not self._received:
            return ["tar", "cf", "-", self._source]
        return ["sh", "-c", f'tar cf - "$1" | tail -c+{self._received + 1}', "tar", self._source]

    def _take(self, archive: tarfile.TarFile, member: tarfile.TarInfo, prefix: str, target: str) -> None:
        if not member.name.lstrip("/").startswith(prefix):
            raise errors.UsageError("error: tar contents corrupted")
        rest = member.name.lstrip("/")[len(prefix) :].lstrip("/")
        path = os.path.normpath(os.path.join(target, rest)) if rest else target
        if not rest and not member.isdir() and os.path.isdir(target):
            path = os.path.join(target, posixpath.basename(prefix))
        if not _inside(os.path.dirname(path) if rest else path, target, is_root=not rest):
            self._session.io.warn(f'warning: file "{path}" is outside target destination, skipping')
            return
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if member.isdir():
            os.makedirs(path, exist_ok=True)
        elif member.issym():
            self._link(member, path, target)
        elif member.isreg() and (content := archive.extractfile(member)) is not None:
            _replace_link(path)
            with open(path, "wb") as sink:
                shutil.copyfileobj(content, sink, CHUNK)
            os.chmod(path, member.mode & 0o777)
        elif member.islnk():
            first = os.path.join(target, member.linkname.lstrip("/")[len(prefix) :].lstrip("/"))
            if _inside(first, target) and os.path.isfile(first):
                _replace_link(path)
                shutil.copy(first, path)

    def _link(self, member: tarfile.TarInfo, path: str, target: str) -> None:
        """Make a symbolic link if it stays inside what is copied."""
        leads = os.path.join(os.path.dirname(path), member.linkname)
        if member.linkname.startswith("/") or not _inside(leads, target):
            remote = self._remote
            self._warn(
                f'warning: skipping symlink: "{path}" -> "{member.linkname}" (consider using "minikctl exec -n '
                f'"{remote.namespace}" "{remote.pod}" -- tar cf - "{self._source}" | tar xf -")'
            )
            return
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink(member.linkname, path)

    def _warn(self, text: str) -> None:
        self._session.io.warn(text)


def _inside(path: str, root: str, *, is_root: bool = False) -> bool:
    """Tell whether a path, all links followed, is the root or below it."""
    if is_root:
        return True
    real, base = os.path.realpath(path), os.path.realpath(root)
    return real == base or real.startswith(base.rstrip("/") + "/")


def _replace_link(path: str) -> None:
    """Let a file take the place of a link, so that nothing is written where the link leads."""
    if os.path.islink(path):
        os.unlink(path)


COMMANDS = {
    "cp": Command(
        "Copy files and directories to and from containers.\n\nThe container must have `tar`. Links inside what is copied "
        "are kept; those that lead out of it are skipped.",
        CopyOptions,
        run,
        usage="<file-spec-src> <file-spec-dest>",
        examples=(
            ("A directory into a pod", "minikctl cp ./site web-1:/var/www"),
            (
                "A file out of a pod, of another namespace and a certain container",
                "minikctl cp shop/web-1:/tmp/dump.sql ./dump.sql -c db",
            ),
        ),
    )
}
