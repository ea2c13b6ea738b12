"""``set subject``: add users, groups and ServiceAccounts to role bindings."""

from __future__ import annotations

import json

from minikctl import errors
from minikctl.cli import changing, create_rbac, printing, report
from minikctl.cli.flags import flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

NO_FILES = (
    "error: you must specify resources by --filename when --local is set.\n"
    "Example resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'"
)
BINDINGS = ("RoleBinding", "ClusterRoleBinding")


class SubjectOptions(changing.Chosen):
    """What ``set subject`` was asked."""

    MANAGER = "kubectl-set"
    TYPED = True

    users: tuple[str, ...] = flag("--user", default=(), split=True, help="A user to add.")
    groups: tuple[str, ...] = flag("--group", default=(), split=True, help="A group to add.")
    accounts: tuple[str, ...] = flag(
        "--serviceaccount", default=(), split=True, help="NAMESPACE:NAME to add."
    )
    local: bool = flag("--local", default=False, help="Change what the files say, without asking the server.")


def run(options: SubjectOptions, session: Session) -> int:
    """Add the subjects to every binding that is meant; return the exit code."""
    added = create_rbac.subjects(options.users, options.groups, options.accounts)
    if options.local:
        return _local(options, added, session)
    printing.printer(options, printing.named(""))  # refuses a format that is none
    failed = False
    for target in changing.targets(options, session):
        try:
            current: dict[str, Any] = session.client.request("GET", target.path()).json()
            if not added:
                raise errors.UsageError(
                    "error: you must specify at least one value of user, group or serviceaccount"
                )
            _one(options, target, current, added, session)
        except errors.MinikctlError as error:
            report.tell(error, session)
            failed = True
    return 1 if failed else 0


def _one(
    options: SubjectOptions,
    target: Target,
    current: dict[str, Any],
    added: list[dict[str, str]],
    session: Session,
) -> None:
    if current.get("kind") not in BINDINGS:
        raise errors.UsageError(
            f"error: {target.resource.name}/{target.name} setting subjects is only supported for "
            "RoleBinding/ClusterRoleBinding"
        )
    wanted = with_subjects(current, added)
    if wanted == current:
        return
    result = wanted
    if options.dry_run != "client":
        body = {"subjects": wanted["subjects"]}
        result = changing.send_patch(target, body, changing.STRATEGIC, options, session)
    changing.tell(options, target, result, "subjects updated", session)


def _local(options: SubjectOptions, added: list[dict[str, str]], session: Session) -> int:
    from minikctl.cli import manifests

    if not options.files:
        raise errors.UsageError(NO_FILES)
    printer = printing.printer(options, lambda obj: f"{obj['kind'].lower()}/{obj['metadata']['name']}")
    for document in manifests.sound(options.files, options.recursive, session.io):
        found = with_subjects(document.object, added)
        session.io.out.write(printer([found], False) if printer else json.dumps(found) + "\n")
    return 0


def with_subjects(binding: dict[str, Any], added: list[dict[str, str]]) -> dict[str, Any]:
    """Return the binding with the subjects that it does not have yet."""
    present = list(binding.get("subjects") or ())
    new = [one for one in added if one not in present]
    return {**binding, "subjects": [*present, *new]} if new else binding
