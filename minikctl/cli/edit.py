"""``edit``: an object in the user's editor, sent back as a patch of what was changed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile

from minikctl import errors
from minikctl.cli import changing, creating, report
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag
from minikctl.cli.output import printers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

HEADER = """# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
"""


class EditOptions(changing.Chosen):
    """What ``edit`` was asked."""

    LACKS = ("all", "labels", "dry_run")

    MANAGER = "kubectl-edit"

    subresource: str = flag(
        "--subresource", default="", help="The part to edit: status or scale.", complete="status scale"
    )
    shows_patch: bool = flag("--output-patch", default=False, help="Print the patch that is sent.")
    save_config: bool = flag("--save-config", default=False, help="Remember the configuration for apply.")
    validate: str = flag(
        "--validate",
        default="strict",
        bare="strict",
        help="strict: refuse unknown fields; warn: say which they are; ignore: drop them silently.",
        complete="strict warn ignore",
    )

    @property
    def VALIDATION(self) -> str:  # type: ignore[override]
        """What the server is to do about unknown fields."""
        return creating.field_validation(self.validate)


def check_output(output: str) -> None:
    """Refuse an -o value that is none of those which can be edited, in kubectl's words."""
    if output not in ("", "json", "yaml", "kyaml"):
        raise printers.unmatched(output, "json,kyaml,yaml")


def run(options: EditOptions, session: Session) -> int:
    """Let the user edit each object; return the exit code."""
    check_output(options.output)
    changing.check_validation(options.validate)
    code = 0
    for target in changing.targets(options, session):
        current = session.client.request("GET", target.path(options.subresource)).json()
        code = _edit(options, target, printers.without_managed_fields(current), session) or code
    return code


def _edit(options: EditOptions, target: Target, current: dict[str, Any], session: Session) -> int:
    original = HEADER + printers.to_yaml(current)
    text, notes = original, ""
    while True:
        shown = notes + text
        edited = opened(shown)
        if not content(edited).strip() or content(edited) == content(original):
            session.io.warn("Edit cancelled, no changes made.")
            return 0
        if notes and edited == shown:
            session.io.warn(f'A copy of your changes has been stored to "{_written(edited)}"')
            session.io.warn("error: Edit cancelled, no valid changes were saved.")
            return 1
        try:
            result = _send(options, target, current, parsed(edited), session)
        except errors.MinikctlError as error:
            complaint = report.sentence(error)
            session.io.warn(complaint)
            notes = "".join(f"# {line}\n" for line in complaint.splitlines()) + "#\n"
            text = content(edited)
            continue
        changing.tell(options, target, result, "edited", session)
        return 0


def content(text: str) -> str:
    """Return the text without its comments."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))


def parsed(text: str) -> dict[str, Any]:
    """Return the object that the text describes."""
    import yaml

    from minikctl.cli import yamlload

    try:
        found = yamlload.load(text)
    except yaml.YAMLError as error:
        raise errors.UsageError(f"error: the edited file had a syntax error: {error}") from error
    if not isinstance(found, dict):
        raise errors.UsageError("error: the edited file is no object")
    return found


def _send(
    options: EditOptions, target: Target, before: dict[str, Any], after: dict[str, Any], session: Session
) -> dict[str, Any]:
    from minikctl.cli import lastapplied
    from minikctl.model import json_patches

    if after.get("metadata", {}).get("name") != before["metadata"]["name"]:
        raise errors.UsageError("error: At least one of apiVersion, kind and name was changed")
    if options.save_config:
        after = lastapplied.annotated(after)
    body = json_patches.merge_diff(before, after)
    result = changing.send_patch(target, body, changing.MERGE, options, session, options.subresource)
    if options.shows_patch:
        session.io.say(
            f"Patch: {json.dumps(body, separators=(',', ':'), sort_keys=True, ensure_ascii=False)}"
        )
    return result


def _written(text: str) -> str:
    """Return a new file with the text, for the owner alone."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix="minikctl-edit-", delete=False) as sink:
        sink.write(text)
    return sink.name


def opened(text: str) -> str:
    """Return the text as the user left it in their editor."""
    command = os.environ.get("KUBE_EDITOR") or os.environ.get("EDITOR") or "vi"
    place = _written(text)
    try:
        ended = subprocess.run([*shlex.split(command), place], check=False)
        if ended.returncode:
            raise errors.UsageError(f'error: there was a problem with the editor "{command}"')
        with open(place, encoding="utf-8") as source:
            return source.read()
    except FileNotFoundError:
        raise errors.UsageError(f'error: unable to launch the editor "{command}"') from None
    finally:
        os.unlink(place)


COMMANDS = {
    "edit": Command(
        "Edit an object in your editor ($KUBE_EDITOR or $EDITOR).",
        EditOptions,
        run,
        usage="(TYPE NAME | TYPE/NAME | -f FILENAME)",
        examples=(
            ("Edit a Service", "minikctl edit service/web"),
            ("With another editor", "KUBE_EDITOR=nano minikctl edit deployment/web"),
        ),
    )
}
