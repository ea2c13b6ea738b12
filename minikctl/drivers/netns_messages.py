"""Netlink messages about rules and routes, as bytes: the other half of ``netns_program``, sent along with it.

A transaction costs libnftables many times what it costs the kernel, as it reads tables, chains and sets
anew for each.  So what many namespaces need is made by it in the first of them, and the bytes that it shows
of that are sent to the others.  It shows four flags of each message; the rest follows from the kind of
message as long as a text does nothing but add, delete and flush.
"""

from __future__ import annotations

import struct

NEWGEN = 10 << 8 | 15
GETGEN = struct.pack("=IHHIIBBH", 20, 10 << 8 | 16, 1, 0, 0, 0, 0, 0)  # asks for the present generation
GEN_ID, GEN_PROC_NAME = 1, 3  # attributes of a generation: its number, which grows by one, and who made it
TABLE = 1  # attribute of all other messages
DELROUTE, REPLACED, BY_KERNEL = 25, 0x100, 2
ROUTE = struct.Struct("=4xHH13xB")  # of a message about a route: its type and flags, who made it
HEADER = struct.Struct("=IHHII4x")
"""Of a netlink message and of nf_tables in it: length and type are what counts."""
ATTRIBUTE = struct.Struct("=HH")
ERROR, BATCH_BEGIN, BATCH_END = 2, 16, 17
REQUEST, CREATE, APPEND = 1, 0x400, 0x800
ADDING = {0: CREATE, 3: CREATE, 6: CREATE | APPEND, 9: CREATE, 12: CREATE}
"""Tables, chains, rules, sets, elements; what deletes them has numbers by two higher, and no such flags."""
FLAGS = {10 << 8 | kind + more: flags * (not more) for kind, flags in ADDING.items() for more in (0, 2)}
FLAGS |= {BATCH_BEGIN: 0, BATCH_END: 0}
PLAIN = (b"add ", b"delete ", b"flush ")
MOST_BYTES = 1 << 14
"""Longer texts are rare, and each namespace has others of them."""


def is_loss(message: bytes) -> bool:
    """Tell whether routes may be missing since what is told of one: it went, or another took its place.

    An interface that goes down takes its routes along in silence; the kernel adds one when it is up again.
    """
    kind, flags, author = ROUTE.unpack_from(message)
    return kind == DELROUTE or bool(flags & REPLACED) or author == BY_KERNEL


def generation(message: bytes) -> int:
    """Return the number of the generation that a message tells of, 0 if it tells of none."""
    if HEADER.unpack_from(message)[1] != NEWGEN:
        return 0
    return int.from_bytes(attribute(message, GEN_ID).ljust(4, b"\0"), "big")


def attribute(message: bytes, wanted: int, start: int = 0) -> bytes:
    """Return the text of an attribute of the netlink message at ``start``, b"" without it."""
    end = start + HEADER.unpack_from(message, start)[0]
    position = start + HEADER.size
    while position + ATTRIBUTE.size <= end:
        length, kind = ATTRIBUTE.unpack_from(message, position)
        if length < ATTRIBUTE.size:
            break
        if kind & 0x3FFF == wanted:
            return message[position + ATTRIBUTE.size : position + length].rstrip(b"\0")
        position += (length + 3) & ~3
    return b""


def tables(piece: bytes) -> set[str]:
    """Return the tables that the messages in a piece are about."""
    found, position = set(), 0
    while position + HEADER.size <= len(piece):
        length = HEADER.unpack_from(piece, position)[0]
        if length < HEADER.size:
            break
        found.add(attribute(piece, TABLE, position).decode(errors="replace"))
        position += (length + 3) & ~3
    return found


def is_plain(text: bytes) -> bool:
    """Tell whether the bytes of this transaction can be told from what is shown of it."""
    return len(text) <= MOST_BYTES and all(line.startswith(PLAIN) for line in text.splitlines())


def sent(shown: bytes) -> bytes:
    """Return the last batch that libnftables shows to have sent, b"" where that is not understood."""
    found: list[_Message] = []
    try:
        for line in shown.splitlines():
            fields = line.split(b"|")
            if len(fields) > 3:
                _take(fields, found)
        begun = max(at for at, each in enumerate(found) if each.kind == BATCH_BEGIN)
        batch = found[begun:]
        if batch[-1].kind != BATCH_END or len(batch[0].body) != ATTRIBUTE.size:
            return b""
        return b"".join(each.packed() for each in batch)
    except (ValueError, LookupError, struct.error):
        return b""


class Text:
    """A transaction that so many namespaces need; ``batch`` is its bytes once they are known."""

    def __init__(self, words: bytes, needed: int) -> None:
        self.words = words
        self.batch = b""
        self.is_shared = needed > 1 and is_plain(words)


class _Message:
    """A message as far as it has been read."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.kind = self.sequence = 0
        self.body = bytearray()

    def packed(self) -> bytes:
        """Return it as bytes; ``ValueError`` when some of it is missing."""
        if self.length != 16 + len(self.body):
            raise ValueError("a message is not shown whole")
        head = struct.pack("=IHHII", self.length, self.kind, REQUEST | FLAGS[self.kind], self.sequence, 0)
        return head + self.body


def _take(fields: list[bytes], found: list[_Message]) -> None:
    """Read one line: what stands between its bars."""
    if fields[3] == b" message length ":
        found.append(_Message(int(fields[1])))
    elif fields[-2].strip() == b"flags":
        found[-1].kind = int(fields[1])
    elif fields[3] == b" sequence number":
        found[-1].sequence = int(fields[1])
    elif fields[3].strip() in (b"extra header", b"data"):
        found[-1].body += bytes(int(each, 16) for each in fields[1].split())
    elif fields[-2] == b" type":
        length, flags, kind = (_uncoloured(each) for each in fields[1:4])
        bits = 0x8000 * (flags[:1] == b"N") | 0x4000 * (flags[1:2] == b"B")
        found[-1].body += ATTRIBUTE.pack(int(length), int(kind) | bits)


def _uncoloured(field: bytes) -> bytes:
    return field.split(b"m")[1].split(b"\x1b")[0] if b"\x1b" in field else field
