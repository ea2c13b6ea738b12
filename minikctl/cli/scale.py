"""``scale``: set the number of replicas."""

from __future__ import annotations

import time

from minikctl import errors
from minikctl.cli import changing, interrupts, report, timespan
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session


NOT_GIVEN = -(10**9)


POLL_SECONDS = 0.2


class ScaleOptions(changing.Chosen):
    """What ``scale`` was asked."""

    LACKS = ("manager",)

    arguments: tuple[str, ...] = changing.chosen(
        "objects:deployments,statefulsets,replicasets,replicationcontrollers"
    )
    replicas: int = flag("--replicas", default=NOT_GIVEN, help="How many there shall be.")
    current: int = flag("--current-replicas", default=-1, help="Only if there are so many now.")
    timeout: str = flag(
        "--timeout",
        default="0s",
        duration=True,
        help="How long to wait until there are so many; 0s: not at all.",
    )
    resource_version: str = flag(
        "--resource-version", default="", help="Only if the object is at this version."
    )


def run(options: ScaleOptions, session: Session) -> int:
    """Set the number of replicas; return the exit code."""
    if options.replicas < 0:
        raise errors.UsageError(
            'error: required flag(s) "replicas" not set'
            if options.replicas == NOT_GIVEN
            else "error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0"
        )
    found = changing.targets(options, session)
    if not found:
        raise errors.UsageError("error: no objects passed to scale")
    failed = False
    for target in found:
        try:
            _scale(options, target, session)
        except errors.MinikctlError as error:
            report.tell(error, session)
            failed = True
    return 1 if failed else 0


def _scale(options: ScaleOptions, target: Target, session: Session) -> None:
    scale = session.client.request("GET", target.path("scale")).json()
    now = scale["spec"].get("replicas", 0)
    if options.current >= 0 and now != options.current:
        raise errors.UsageError(f"error: Expected replicas to be {options.current}, was {now}")
    version = scale["metadata"].get("resourceVersion", "")
    if options.resource_version and version != options.resource_version:
        raise errors.UsageError(
            f"error: Expected resource version to be {options.resource_version}, was {version}"
        )
    if options.dry_run != "client":
        body = {"spec": {"replicas": options.replicas}}
        changing.send_patch(target, body, changing.MERGE, options, session, "scale")
        _await(options, target, session)
    result = session.client.request("GET", target.path()).json() if options.output else {}
    changing.tell(options, target, result, "scaled", session)


def _await(options: ScaleOptions, target: Target, session: Session) -> None:
    """Wait until there are so many replicas, if --timeout asks for it."""
    allowed = timespan.seconds(options.timeout)
    deadline = time.monotonic() + allowed
    while allowed:
        scale = session.client.request("GET", target.path("scale")).json()
        if (scale.get("status") or {}).get("replicas", 0) == options.replicas:
            return
        if time.monotonic() > deadline:
            raise errors.UsageError("error: timed out waiting for the condition")
        interrupts.sleep(POLL_SECONDS)


COMMANDS = {
    "scale": Command(
        "Set how many replicas of a Deployment or ReplicaSet run.",
        ScaleOptions,
        run,
        usage="[--current-replicas=count] --replicas=COUNT (-f FILENAME | TYPE NAME)",
        examples=(
            ("Let three replicas run", "minikctl scale deployment/web --replicas=3"),
            ("Only if two run now", "minikctl scale --current-replicas=2 --replicas=3 deployment/web"),
        ),
    )
}
