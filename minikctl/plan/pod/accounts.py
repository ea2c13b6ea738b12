"""The users and groups that an image knows, and who a user of them is.

Sources: passwd(5), group(5); a user is found as runc finds it (moby/sys user, ``GetExecUser``): by name, else
by number, and a number that nobody has stands for itself, in group 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Account(NamedTuple):
    """A line of /etc/passwd."""

    name: str
    uid: int
    gid: int


class Group(NamedTuple):
    """A line of /etc/group."""

    name: str
    gid: int
    members: frozenset[str]


class Identity(NamedTuple):
    """Who a process is: ``groups`` are those that have the user as a member."""

    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(frozen=True)
class Accounts:
    """What is in an image's /etc/passwd and /etc/group, in their order."""

    users: tuple[Account, ...] = ()
    groups: tuple[Group, ...] = ()

    def identity(self, user: str) -> Identity | None:
        """Return who a user is, by name or number, with ``:group`` or without; "" is root, None is nobody."""
        name, _, wanted = user.partition(":")
        account = self._account(name or "0")
        if account is None:
            return None
        gid = self._group(wanted) if wanted else account.gid
        if gid is None:
            return None
        mine = tuple(group.gid for group in self.groups if account.name in group.members)
        return Identity(account.uid, gid, mine)

    def _account(self, name: str) -> Account | None:
        for account in self.users:
            if name in (account.name, str(account.uid)):
                return account
        return Account("", int(name), 0) if name.isdigit() else None

    def _group(self, name: str) -> int | None:
        for group in self.groups:
            if name in (group.name, str(group.gid)):
                return group.gid
        return int(name) if name.isdigit() else None


def parse(passwd: str, group: str) -> Accounts:
    """Return what the texts of the two files say; lines that say nothing are left out."""
    users = (line.split(":") for line in passwd.splitlines())
    groups = (line.split(":") for line in group.splitlines())
    return Accounts(
        tuple(
            Account(found[0], int(found[2]), int(found[3]))
            for found in users
            if len(found) > 3 and found[0] and found[2].isdigit() and found[3].isdigit()
        ),
        tuple(
            Group(found[0], int(found[2]), frozenset(filter(None, found[3].split(","))))
            for found in groups
            if len(found) > 3 and found[0] and found[2].isdigit()
        ),
    )
