"""The program that runs in the agent: it writes rules in network namespaces and hears who else does.

It is started there by ``python3 -c``, so it uses Python's own modules only, ``netns_commands``,
``netns_messages``, and libnftables, which is what ``nft`` is made of: a transaction costs some system calls
instead of a process.
A line of JSON on standard input is a request; it ends with its input.

    {"id": 1, "texts": ["add rule …"], "changes": [["CONTAINER", PID, [["ip", "route", …], …], 0, 1], …]}

Each change names the container that owns the namespace and a process of it, the commands to run first, which
of the texts is the transaction (-1: none), and whether that is a part of the rules (0), the whole (1), or the
whole for where others may have changed it (2); those without commands come first.  The answer on standard
output has what failed:

    {"id": 1, "failed": {"CONTAINER": "words of the tool"}}

What takes longer says now and then that it goes on: ``{"id": 1}``.
Unasked it tells of tables that someone else changed, "" for routes, and where not all was heard:

    {"disturbed": [["CONTAINER", "TABLE"], …]}
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import queue
import resource
import select
import socket
import threading
import time

from minikctl.drivers import netns_commands as commands
from minikctl.drivers import netns_messages as messages

MODULES = (
    *("__future__", "ctypes", "fcntl", "json", "os", "queue", "resource", "select", "shlex", "signal"),
    *("socket", "struct", "sys", "threading", "time"),
)
"""All that is imported here and in the two modules beside it."""
AT_ONCE = 16
"""So many namespaces have their commands run side by side."""
NEWS_SECONDS = 1.0
IDLE_SECONDS = 5.0  # what made transactions is let go when a namespace had none for so long
MOST_LOW = 1024
"""libnftables waits by select(2), which knows no descriptors from this number on."""
SPARE_FILES, NAMESPACE_FILES = 64, 4
CLONE_NEWNET = 0x40000000
PR_SET_NAME = 15
DEBUG_MNL = 0x10
NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 270, 1
SO_RCVBUFFORCE = 33
GROUP_NFTABLES = GROUP_IPV4_ROUTE = 7
HEARD_BYTES = 8 << 20
PIECE_BYTES = 1 << 18


PART, WHOLE, IF_DISTURBED = range(3)
Change = tuple[str, int, list[list[str]], int, int]
"""Container, process, commands, which text, and what it is to the rules that are there: see above."""


class Files:
    """Which descriptors are whose: low ones are for transactions, what is kept of namespaces lies above."""

    def __init__(self) -> None:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self._low = min(most // 4, MOST_LOW)
        self.namespaces = (most - self._low) // NAMESPACE_FILES
        """So many have room."""

    def up(self, descriptor: int) -> int:
        """Return a descriptor for the same above the low ones; the one given is closed."""
        try:
            return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, self._low)
        finally:
            os.close(descriptor)

    def is_low_left(self) -> bool:
        """Tell whether the next descriptor will be a low one, with some to spare."""
        lowest = os.dup(0)
        os.close(lowest)
        return lowest < self._low - SPARE_FILES


class Kernel:
    """What Python does not have by itself."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        lib = self.nftables = ctypes.CDLL("libnftables.so.1")
        lib.nft_ctx_new.restype = ctypes.c_void_p
        lib.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        lib.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
        for name in ("buffer_error", "buffer_output", "free", "get_error_buffer", "get_output_buffer"):
            getattr(lib, f"nft_ctx_{name}").argtypes = (ctypes.c_void_p,)
        lib.nft_ctx_output_set_debug.argtypes = (ctypes.c_void_p, ctypes.c_uint)
        lib.nft_run_cmd_from_buffer.argtypes = (ctypes.c_void_p, ctypes.c_char_p)

    def enter(self, namespace: int) -> None:
        """Have this thread be in the network namespace behind a descriptor."""
        if self._libc.setns(namespace, CLONE_NEWNET):
            raise commands.Refused(f"setns: {os.strerror(ctypes.get_errno())}")

    def call_me(self, name: bytes) -> None:
        """Set the name by which the kernel says who changed rules, at most 15 bytes."""
        self._libc.prctl(PR_SET_NAME, ctypes.c_char_p(name), 0, 0, 0)

    def trim(self) -> None:
        """Give memory that is free back to the machine, where the library can."""
        if hasattr(self._libc, "malloc_trim"):
            self._libc.malloc_trim(0)


class Nft:
    """Transactions in the namespace where the thread is when this is made.

    It is kept from change to change: the kernel lets go of one only after a pause that is longer than any
    change.  While it is there it remembers what it read of the rules, which takes memory.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._lib = kernel.nftables
        self._context = self._lib.nft_ctx_new(0)
        self._lib.nft_ctx_buffer_error(self._context)

    def run(self, text: bytes) -> None:
        """Make one transaction; ``commands.Refused`` in nft's words, with nothing changed."""
        if self._lib.nft_run_cmd_from_buffer(self._context, text):
            words = self._lib.nft_ctx_get_error_buffer(self._context) or b"nft failed"
            raise commands.Refused(words.decode(errors="replace").strip())

    def shown(self, text: bytes) -> bytes:
        """Make the first transaction; return what is shown of it."""
        self._lib.nft_ctx_buffer_output(self._context)
        self._lib.nft_ctx_output_set_debug(self._context, DEBUG_MNL)
        self.run(text)
        return self._lib.nft_ctx_get_output_buffer(self._context) or b""

    def close(self) -> None:
        """Let go of the namespace."""
        self._lib.nft_ctx_free(self._context)


def belongs(pid: int, container: str, proc: str = "/proc") -> bool:
    """Tell whether a process is the container's: by its control group, else by its host name's file.

    A rootless engine has no control groups where nobody delegated them to it.  ``OSError`` when it is over.
    """
    with open(f"{proc}/{pid}/cgroup", encoding="utf-8") as source:
        if container in source.read():
            return True
    with open(f"{proc}/{pid}/mountinfo", encoding="utf-8") as source:
        return f"/containers/{container}/hostname /etc/hostname " in source.read()


class Namespace:
    """A container's network namespace: entered for changes, listened to until its process ends.

    The namespace is opened first and its owner looked at then: a pid that still is the container's now was
    its own when the namespace was opened, too, so a reused number never leads into a stranger's namespace.
    """

    def __init__(self, kernel: Kernel, files: Files, container: str, pid: int) -> None:
        self.container = container
        self.pid = pid
        self._kernel = kernel
        self._unfinished: list[bytes] = []
        self._nft: Nft | None = None
        self._is_refused = False
        self._generation = 0
        """The last one, if it and all since the rules were written as a whole are ours; else 0."""
        self.used = 0.0
        self.door = files.up(_opened(f"/proc/{pid}/ns/net"))
        self.life = -1
        try:
            self.life = files.up(os.pidfd_open(pid))
            if not belongs(pid, container):
                raise commands.Refused(f"process {pid} no longer belongs to container {container}")
            kernel.enter(self.door)
            self.ear = _listening(files, NETLINK_NETFILTER, GROUP_NFTABLES)
            self.roads = _listening(files, NETLINK_ROUTE, GROUP_IPV4_ROUTE)
            self.telling = (self.ear.fileno(), self.roads.fileno(), self.life)
        except (FileNotFoundError, ProcessLookupError) as error:
            self._leave()
            raise commands.Refused(f"process {pid} no longer belongs to container {container}") from error
        except OSError as error:
            self._leave()
            raise commands.Refused(f"the namespace of process {pid}: {error.strerror}") from error
        except commands.Refused:
            self._leave()
            raise

    def enter(self) -> None:
        """Have the thread be there."""
        self._kernel.enter(self.door)

    def change(self, text: bytes) -> None:
        """Make a transaction there, with the thread in it; ``commands.Refused`` in nft's words."""
        self.used = time.monotonic()
        self._nft = self._nft or Nft(self._kernel)
        self._nft.run(text)

    def sends(self, batch: bytes, name: bytes, *, whole: bool) -> set[str] | None:
        """Make a transaction of these bytes; return the tables that others changed, None if it is refused."""
        self._is_refused = False
        try:
            self.ear.sendto(batch, (0, 0))
        except OSError:
            return None
        heard = self.heard(name, wrote=True, whole=whole)
        return None if self._is_refused else heard

    @property
    def is_busy(self) -> bool:
        """Tell whether something is kept for the next transaction."""
        return self._nft is not None

    def rest(self) -> Nft | None:
        """Return what made transactions, for somebody to close; the next one makes its own."""
        found, self._nft = self._nft, None
        return found

    def heard(self, name: bytes, *, wrote: bool, whole: bool = False) -> set[str]:
        """Return the tables that others than ``name`` changed since the last time, "" for those nobody knows.

        With ``wrote`` more than fits may have come from our own transaction, and says nothing.  ``whole``:
        that wrote all of the rules.
        """
        found: set[str] = set()
        while True:
            try:
                message = self.ear.recv(PIECE_BYTES)
            except BlockingIOError:
                return found
            except OSError:
                self._unfinished.clear()
                self._is_refused = True  # an answer may be lost, too
                self._generation = 0
                found |= set() if wrote else {""}
                continue
            if messages.HEADER.unpack_from(message)[1] == messages.ERROR:
                self._is_refused = True
                continue
            if messages.HEADER.unpack_from(message)[1] != messages.NEWGEN:
                self._unfinished.append(message)
                continue
            number, author = messages.generation(message), messages.attribute(message, messages.GEN_PROC_NAME)
            is_known = whole or (self._generation and number == self._generation + 1)
            self._generation = number if is_known and author == name else 0
            # A transaction's messages come before the one that tells of its end and its author.
            if author != name:
                found |= {table for piece in self._unfinished for table in messages.tables(piece)}
            self._unfinished.clear()

    def is_as_heard(self) -> bool:
        """Tell whether rules are as they were left; the thread has to be in the namespace."""
        if not self._generation:
            return False
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as asking:
            asking.setblocking(False)
            try:
                asking.sendto(messages.GETGEN, (0, 0))
                return messages.generation(asking.recv(PIECE_BYTES)) == self._generation
            except OSError:
                return False

    def strayed(self) -> bool:
        """Tell whether routes may be missing by what has changed since the last time."""
        found = False
        while True:
            try:
                found |= messages.is_loss(self.roads.recv(PIECE_BYTES))
            except BlockingIOError:
                return found
            except OSError:  # more than fitted
                found = True

    def close(self) -> None:
        """Let the namespace go: what is kept open here would keep it alive."""
        self.ear.close()
        self.roads.close()
        if self._nft is not None:
            self._nft.close()
        self._leave()

    def _leave(self) -> None:
        for each in (self.door, self.life):
            if each >= 0:
                os.close(each)


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise commands.Refused(f"{path}: {error.strerror}") from error


def _listening(files: Files, family: int, group: int) -> socket.socket:
    ear = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
    ear.setblocking(False)
    widen(ear)
    ear.bind((0, 0))
    ear.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    return socket.socket(fileno=files.up(ear.detach()))


def widen(ear: socket.socket) -> None:
    """Have room for what a large cluster tells, within the machine's limit in a rootless engine."""
    try:
        ear.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, HEARD_BYTES)
    except PermissionError:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, HEARD_BYTES)


class Program:
    """Serves requests until its input ends."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self._kernel = Kernel()
        self._files = Files()
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._places: dict[str, Namespace] = {}
        self._by_descriptor: dict[int, Namespace] = {}
        self._poll = select.epoll()
        self._begun = b""
        self._worked = 0.0
        self._left: queue.SimpleQueue[Namespace | Nft] = queue.SimpleQueue()

    def run(self) -> None:
        """Serve until the input ends."""
        self._kernel.call_me(self._name)
        self._poll.register(0, select.EPOLLIN)
        threading.Thread(target=self._close, daemon=True).start()
        while True:
            told = self._poll.poll(IDLE_SECONDS if self._worked else None)
            self._rest()
            for descriptor, _ in told:
                if descriptor == 0:
                    if not self._read():
                        return
                elif place := self._by_descriptor.get(descriptor):
                    self._look(place, descriptor)

    def _rest(self) -> None:
        """Have memory given back, every now and then, that belongs to namespaces without changes."""
        now = time.monotonic()
        if not self._worked or now < self._worked + IDLE_SECONDS:
            return
        busy = [place for place in self._places.values() if place.is_busy]
        for place in busy:
            if place.used <= now - IDLE_SECONDS and (idle := place.rest()) is not None:
                self._left.put(idle)
        self._worked = now if any(place.is_busy for place in busy) else 0.0

    def _read(self) -> bool:
        piece = os.read(0, PIECE_BYTES)
        *lines, self._begun = (self._begun + piece).split(b"\n") if b"\n" in piece else (self._begun + piece,)
        for line in lines:
            self._serve(json.loads(line))
        return bool(piece)

    def _serve(self, request: dict[str, object]) -> None:
        self._worked = self._worked or time.monotonic()
        failed: dict[str, str] = {}
        disturbed: list[tuple[str, str]] = []
        asked: list[Change] = request["changes"]  # type: ignore[assignment]
        # A command may wait for the kernel for long: what needs none does not wait for it.
        changes = sorted(asked, key=lambda change: bool(change[2]))
        needed = [change[3] for change in changes]
        words: list[str] = request["texts"]  # type: ignore[assignment]
        texts = [messages.Text(each.encode(), needed.count(at)) for at, each in enumerate(words)]
        told = time.monotonic()
        for start in range(0, len(changes), AT_ONCE):
            for place, running, change in self._begin(changes[start : start + AT_ONCE], failed):
                if time.monotonic() > told + NEWS_SECONDS:
                    self._tell({"id": request["id"]})
                    told = time.monotonic()
                text = texts[change[3]] if change[3] >= 0 else None
                try:
                    disturbed += self._finish(place, running, text, change[4])
                except commands.Refused as refusal:
                    failed.setdefault(place.container, str(refusal))
        self._kernel.enter(self._home)
        self._tell({"id": request["id"], "failed": failed})
        if disturbed:
            self._tell({"disturbed": disturbed})

    def _begin(
        self, changes: list[Change], failed: dict[str, str]
    ) -> list[tuple[Namespace, commands.Running | None, Change]]:
        """Begin the commands of all: while the engine connects pods, each waits for the kernel."""
        found = []
        for change in changes:
            container, pid, argvs = change[:3]
            try:
                place = self._place(container, pid)
                place.enter()
                found.append((place, commands.begun(argvs), change))
            except commands.Refused as refusal:
                failed.setdefault(container, str(refusal))
        return found

    def _finish(
        self, place: Namespace, running: commands.Running | None, text: messages.Text | None, writing: int
    ) -> list[tuple[str, str]]:
        if running is not None:
            try:
                running.end()
            finally:
                place.strayed()  # is what our own commands do
        if text is None:
            return []
        before: set[str] = set()
        if writing == IF_DISTURBED:
            before = place.heard(self._name, wrote=False)
            place.enter()
            if not before and place.is_as_heard():
                return []
        whole = writing != PART
        heard = place.sends(text.batch, self._name, whole=whole) if text.batch else None
        if heard is None:
            try:
                self._write(place, text)
            finally:
                # Also what a refused transaction made was heard, and undone.
                heard = place.heard(self._name, wrote=True, whole=whole)
        return [(place.container, table) for table in sorted(before | heard)]

    def _write(self, place: Namespace, text: messages.Text) -> None:
        if not place.is_busy:
            self._make_way()
        place.enter()
        if text.is_shared and not text.batch:
            text.is_shared = False
            scribe = Nft(self._kernel)
            try:
                text.batch = messages.sent(scribe.shown(text.words))
            finally:
                self._left.put(scribe)
        else:
            place.change(text.words)

    def _make_way(self) -> None:
        """Let go of what made the oldest transactions while there is no low descriptor left for another."""
        busy = sorted(self._places.values(), key=lambda each: each.used)
        while busy and not self._files.is_low_left():
            if (oldest := busy.pop(0).rest()) is not None:
                oldest.close()

    def _place(self, container: str, pid: int) -> Namespace:
        found = self._places.get(container)
        if found is not None and found.pid == pid and not commands.is_ready(found.life, 0):
            return found
        if found is not None:
            self._forget(found)
        if len(self._places) >= self._files.namespaces:
            raise commands.Refused(
                f"the agent may not open files enough for more than {len(self._places)} namespaces"
            )
        place = Namespace(self._kernel, self._files, container, pid)
        self._places[container] = place
        for descriptor in place.telling:
            self._by_descriptor[descriptor] = place
            self._poll.register(descriptor, select.EPOLLIN)
        return place

    def _look(self, place: Namespace, descriptor: int) -> None:
        if descriptor == place.life:
            self._forget(place)
        elif heard := place.heard(self._name, wrote=False) | ({""} if place.strayed() else set()):
            self._tell({"disturbed": [(place.container, table) for table in sorted(heard)]})

    def _forget(self, place: Namespace) -> None:
        for descriptor in place.telling:
            self._poll.unregister(descriptor)
            del self._by_descriptor[descriptor]
        del self._places[place.container]
        # It takes the kernel a while each time, which others need not wait for.
        self._left.put(place)

    def _close(self) -> None:
        while True:
            self._left.get().close()
            if self._left.empty():
                self._kernel.trim()

    def _tell(self, what: object) -> None:
        line = json.dumps(what, separators=(",", ":")).encode() + b"\n"
        while line:
            line = line[os.write(1, line) :]
