"""Peers of SCTP that need no SCTP of the kernel: Debian's libusrsctp speaks it over raw sockets.

Started as a program it is one of these; what it finds out is printed as JSON:

``serve NAME PORT``: answer at the port, by SCTP, TCP and UDP, with the name and the address that is seen;
``ask SECONDS PROTOCOL/ADDRESS/PORT …``: ask one after the other, null where no answer came in that time;
``talk ADDRESS PORT COUNT``: one association, an answer a line;
``begin ADDRESS/PORT …``: what the kernel says of packets that begin an association there.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import json
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable

from minikctl.cli import arrival
from minikctl.drivers import listening

SCTP = 132
LIBRARY = "libusrsctp.so.2"
PACKAGE_HAS = "/usr/lib/usrsctp/client"
"""A program of Debian's libusrsctp-examples, which comes with the library."""
BUFFER = 4096
PAUSE_SECONDS = 0.1


def kernel_has_sctp() -> bool:
    """Tell whether the kernel speaks it, or would: then a second stack cannot stand beside it, as both answer.

    It is not asked by a socket, which would load its module.
    """
    if listening.has_sctp():
        return True
    for name in ("modules.dep", "modules.builtin"):
        with contextlib.suppress(OSError), open(f"/lib/modules/{os.uname().release}/{name}") as listed:
            if any("/sctp.ko" in line for line in listed):
                return True
    return False


def is_possible() -> bool:
    """Tell whether such peers can be had here."""
    return os.path.exists(PACKAGE_HAS) and not kernel_has_sctp()


class Library:
    """What is used of libusrsctp, with plain values."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL(LIBRARY, use_errno=True)
        for name in ("usrsctp_socket", "usrsctp_accept"):
            getattr(self._lib, name).restype = ctypes.c_void_p
        for name in ("usrsctp_recvv", "usrsctp_sendv"):
            getattr(self._lib, name).restype = ctypes.c_ssize_t
        self._lib.usrsctp_init(0, None, None)  # 0: no encapsulation in UDP
        # Who hears the packets of others in the same network must not answer them with an ABORT.
        self._lib.usrsctp_sysctl_set_sctp_blackhole(2)

    def socket(self) -> ctypes.c_void_p:
        """Return a new socket for one association, or to listen."""
        made = self._lib.usrsctp_socket(socket.AF_INET, socket.SOCK_STREAM, SCTP, None, None, 0, None)
        if not made:
            raise OSError(ctypes.get_errno(), "usrsctp_socket")
        return ctypes.c_void_p(made)

    def _checked(self, name: str, *words: object) -> None:
        if getattr(self._lib, name)(*words) != 0:
            raise OSError(ctypes.get_errno(), name)

    def listen(self, port: int) -> ctypes.c_void_p:
        """Return a socket that listens at the port of every address."""
        made, where = self.socket(), _address("0.0.0.0", port)
        self._checked("usrsctp_bind", made, where, len(where))
        self._checked("usrsctp_listen", made, 16)
        return made

    def accept(self, listening: ctypes.c_void_p) -> tuple[ctypes.c_void_p, str]:
        """Return the next association, and who began it."""
        peer, size = ctypes.create_string_buffer(128), ctypes.c_uint(128)
        while not (found := self._lib.usrsctp_accept(listening, peer, ctypes.byref(size))):
            time.sleep(0.01)
        return ctypes.c_void_p(found), socket.inet_ntoa(peer.raw[4:8])

    def connect(self, address: str, port: int) -> ctypes.c_void_p:
        """Return a new association."""
        made, where = self.socket(), _address(address, port)
        self._checked("usrsctp_connect", made, where, len(where))
        return made

    def send(self, association: ctypes.c_void_p, data: bytes) -> None:
        """Send one message."""
        size = ctypes.c_size_t(len(data))
        if self._lib.usrsctp_sendv(association, data, size, None, 0, None, 0, 0, 0) < 0:
            raise OSError(ctypes.get_errno(), "usrsctp_sendv")

    def receive(self, association: ctypes.c_void_p) -> bytes:
        """Return the next message, b"" when the association has ended."""
        data, peer = ctypes.create_string_buffer(BUFFER), ctypes.create_string_buffer(128)
        sizes = [ctypes.c_uint(128), ctypes.c_uint(0), ctypes.c_uint(0)]
        flags = ctypes.c_int(0)
        found = self._lib.usrsctp_recvv(
            association, data, ctypes.c_size_t(BUFFER), peer, ctypes.byref(sizes[0]), None,
            ctypes.byref(sizes[1]), ctypes.byref(sizes[2]), ctypes.byref(flags),
        )  # fmt: skip
        return data.raw[: max(found, 0)]

    def close(self, association: ctypes.c_void_p) -> None:
        """Begin the end of an association."""
        self._lib.usrsctp_close(association)


@functools.cache
def library() -> Library:
    """Return the one instance: it has threads."""
    return Library()


def _address(host: str, port: int) -> bytes:
    return struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton(host))


def serve(name: str, port: int) -> None:
    """Answer for ever."""

    def answer(peer: str) -> bytes:
        return json.dumps([name, peer]).encode()

    def by_sctp() -> None:
        listening = library().listen(port)
        while True:
            association, peer = library().accept(listening)
            threading.Thread(target=echo, args=(association, peer), daemon=True).start()

    def echo(association: ctypes.c_void_p, peer: str) -> None:
        while library().receive(association):
            library().send(association, answer(peer))
        library().close(association)

    def by_tcp() -> None:
        listening = socket.create_server(("", port))
        while True:
            connection, peer = listening.accept()
            with connection:
                connection.sendall(answer(peer[0]))

    def by_udp() -> None:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("", port))
        while True:
            _, peer = bound.recvfrom(BUFFER)
            bound.sendto(answer(peer[0]), peer)

    for each in (by_sctp, by_tcp, by_udp):
        threading.Thread(target=each, daemon=True).start()
    threading.Event().wait()


def asked(protocol: str, address: str, port: int) -> bytes:
    """Return what is answered there."""
    if protocol == "sctp":
        association = library().connect(address, port)
        library().send(association, b"?")
        found = library().receive(association)
        library().close(association)
        return found
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as asking:
        asking.connect((address, port))
        if protocol == "udp":
            asking.send(b"?")
        return asking.recv(BUFFER)


def ask(seconds: str, *goals: str) -> None:
    """Print what each goal answers."""
    answers: list[object] = []
    for goal in goals:
        protocol, address, port = goal.split("/")
        said: list[bytes] = []

        def one(wanted: tuple[str, str, int], said: list[bytes] = said) -> None:
            with contextlib.suppress(OSError):
                said.append(asked(*wanted))

        asking = threading.Thread(target=one, args=((protocol, address, int(port)),), daemon=True)
        asking.start()
        asking.join(float(seconds))
        answers.append(json.loads(said[0]) if said and said[0] else None)
    sys.stdout.write(json.dumps(answers))


def talk(address: str, port: str, count: str) -> None:
    """Print an answer a line, all of one association."""
    association = library().connect(address, int(port))
    for _ in range(int(count)):
        library().send(association, b"?")
        sys.stdout.write(library().receive(association).decode() + "\n")
        sys.stdout.flush()
        time.sleep(PAUSE_SECONDS)
    library().close(association)


def begin(*goals: str) -> None:
    """Print for each goal the names of the errors: of sending, and what ICMP told, "" without."""
    sys.stdout.write(json.dumps([begun(*goal.split("/")) for goal in goals]))


def begun(address: str, port: str) -> list[str]:
    """Return the names of the errors at one goal."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, SCTP) as sender:
        sender.connect((address, 0))
        sent = 0
        try:
            sender.send(arrival.association(49152, int(port)))
        except OSError as error:
            sent = error.errno or 0
        time.sleep(PAUSE_SECONDS)
        told = sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return [errno.errorcode.get(code, "") for code in (sent, told)]


if __name__ == "__main__":
    word, *more = sys.argv[1:]
    if word == "serve":
        serve(more[0], int(more[1]))
    actions: dict[str, Callable[..., None]] = {"ask": ask, "talk": talk, "begin": begin}
    actions[word](*more)
    sys.stdout.flush()
    time.sleep(PAUSE_SECONDS)  # for what ends associations
    os._exit(0)  # the library's threads would keep the process
