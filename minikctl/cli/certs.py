"""``certs``: the local authority that signs the certificates of Ingress hosts, and trust in it."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from minikctl import errors
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag

if TYPE_CHECKING:
    from pathlib import Path

    from minikctl.cli.session import Session

INSTALLED = "/usr/local/share/ca-certificates/minikctl-local-authority.crt"
BROWSER_NAME = "minikctl local authority"
CERTUTIL = "certutil"
DATABASES = (
    "~/.pki/nssdb",
    "~/snap/chromium/current/.pki/nssdb",
    "~/.mozilla/firefox/*",
    "~/snap/firefox/common/.mozilla/firefox/*",
)
"""Where browsers on Linux keep whom they trust: Chromium and its kin at the first, which some make late."""
CHROMIUMS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("microsoft-edge", "brave-browser"),
)


class TrustOptions(Options):
    """What ``certs trust`` was asked."""

    install: bool = flag("--install", default=False, help="Run the commands instead of printing them.")


def trust(options: TrustOptions, session: Session) -> int:
    """Print, or with ``--install`` run, what makes this machine trust the local authority."""
    return _all(_trusting(_authority(session)), options.install, session, _left_out())


def untrust(options: TrustOptions, session: Session) -> int:
    """Print, or with ``--install`` run, what takes the trust back."""
    return _all(_distrusting(), options.install, session, _left_out())


def show(options: Options, session: Session) -> int:
    """Print the authority's certificate."""
    del options
    session.io.out.write(_authority(session).read_text())
    return 0


def _authority(session: Session) -> Path:
    from datetime import UTC, datetime

    from minikctl.network.authority import LocalAuthority

    found = LocalAuthority(session.home.root)
    found.ensure(datetime.now(UTC))
    return found.certificate_file


def _trusting(certificate: Path) -> list[list[str]]:
    """Return the commands for this system, and for the browsers that keep lists of their own."""
    if sys.platform == "darwin":
        keychain = "/Library/Keychains/System.keychain"
        add = ["security", "add-trusted-cert", "-d", "-r", "trustRoot", "-k", keychain, str(certificate)]
        return [["sudo", *add]]
    commands = [*_as_root(["install", "-m", "644", str(certificate), INSTALLED], ["update-ca-certificates"])]
    if not shutil.which(CERTUTIL):
        return commands
    known, wanted = _databases(), _wanted()
    for database in wanted:
        if database not in known:
            commands += [["mkdir", "-p", database], _certutil(database, "-N", "--empty-password")]
        commands.append(_certutil(database, "-A", "-t", "C,,", "-n", BROWSER_NAME, "-i", str(certificate)))
    return commands


def _distrusting() -> list[list[str]]:
    if sys.platform == "darwin":
        return [["sudo", "security", "delete-certificate", "-c", BROWSER_NAME]]
    commands = [*_as_root(["rm", "-f", INSTALLED], ["update-ca-certificates"])]
    for database in _databases() if shutil.which(CERTUTIL) else ():
        looking = _certutil(database, "-L", "-n", BROWSER_NAME)
        if not subprocess.run(looking, check=False, capture_output=True).returncode:
            commands.append(_certutil(database, "-D", "-n", BROWSER_NAME))
    return commands


def _certutil(database: str, *words: str) -> list[str]:
    return [CERTUTIL, "-d", f"sql:{database}", *words]


def _databases() -> list[str]:
    """Return where this user's browsers keep the authorities that they trust."""
    found = (path for place in DATABASES for path in sorted(glob.glob(os.path.expanduser(place))))
    return [path for path in found if os.path.exists(os.path.join(path, "cert9.db"))]


def _wanted() -> list[str]:
    """Return the databases to trust in, also that of a browser which has not made its own yet."""
    found, first = _databases(), os.path.expanduser(DATABASES[0])
    is_missing = first not in found and any(map(shutil.which, CHROMIUMS))
    return [first, *found] if is_missing else found


def _left_out() -> str:
    """Return which browsers go on as before, "" if none does."""
    if sys.platform == "darwin" or shutil.which(CERTUTIL) or not _wanted():
        return ""
    return (
        f"browsers keep lists of their own, and {CERTUTIL}, which changes them, is missing (Debian has it in "
        "libnss3-tools): run this again once it is there"
    )


def _as_root(*commands: list[str]) -> list[list[str]]:
    return [command if os.geteuid() == 0 else ["sudo", *command] for command in commands]


def _all(commands: list[list[str]], install: bool, session: Session, left_out: str) -> int:
    if not install:
        import shlex

        session.io.say("# nothing was changed; run these, or the same command with --install:")
        for command in commands:
            session.io.say(shlex.join(command))
        if left_out:
            session.io.say(f"# {left_out}")
        return 0
    for command in commands:
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True)
        except OSError as error:
            raise errors.UsageError(f"error: {command[0]}: {error.strerror}") from error
        if done.returncode:
            raise errors.UsageError(f"error: {' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    session.io.say("done; programs that run already may have to be started again")
    if left_out:
        session.io.warn(left_out)
    return 0


COMMANDS = {
    "certs": Command(
        "See and trust the local authority that signs the certificates of Ingress hosts.",
        usage="COMMAND",
        examples=(
            ("See what would make this machine trust them", "minikctl certs trust"),
            ("Do it", "minikctl certs trust --install"),
        ),
        children={
            "trust": Command(
                "Print the commands that make this machine trust the local authority; --install runs them.",
                TrustOptions,
                trust,
                usage="[--install]",
                examples=(
                    ("See the commands", "minikctl certs trust"),
                    ("Run them", "minikctl certs trust --install"),
                ),
            ),
            "untrust": Command(
                "Print the commands that take the trust back; --install runs them.",
                TrustOptions,
                untrust,
                usage="[--install]",
                examples=(
                    ("See the commands", "minikctl certs untrust"),
                    ("Run them", "minikctl certs untrust --install"),
                ),
            ),
            "ca": Command(
                "Print the certificate of the local authority.",
                Options,
                show,
                examples=(
                    ("Keep it in a file", "minikctl certs ca > ca.crt"),
                    ("Ask an Ingress by https", "curl --cacert ca.crt https://web.localhost/"),
                ),
            ),
        },
    )
}
