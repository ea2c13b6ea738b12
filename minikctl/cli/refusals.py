"""What is said of a document of a manifest that the server refuses: kubectl's sentence, and where the document is."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import parsing, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.manifests import BadDocument, Document
    from minikctl.cli.selection import Target

LEVELS_WITHOUT_VALIDATION = ("ignore", "false")


class Refused(errors.StatusError):
    """A request of several was refused; ``context`` tells, of the file's name, which."""

    def __init__(self, error: errors.StatusError, context: str) -> None:
        super().__init__(error.code, error.reason, error.message, details=error.details)
        self._context = context

    def context(self, source: str) -> str:
        """Return what kubectl says before the server's words."""
        return self._context.replace(_SOURCE, f'"{source}"')


_SOURCE = "\0"


def creating(error: errors.StatusError) -> Refused:
    """Return the refusal of an object that was to be created."""
    return Refused(error, f"error when creating {_SOURCE}")


def retrieving(error: errors.StatusError, target: Target) -> Refused:
    """Return the refusal to show an object as it is."""
    head = "error when retrieving current configuration of:"
    return Refused(error, f"{head}\n{_named(target)}\nfrom server for: {_SOURCE}")


def nameless(target: Target, source: str, *, server_side: bool) -> str:
    """Return what is said of an object to apply that has no name."""
    words = "resource name may not be empty"
    if server_side:
        return f"error: {words}"
    head = "error: error when retrieving current configuration of:"
    return f'{head}\n{_named(target)}\nfrom server for: "{source}": {words}'


def patching(error: errors.StatusError, target: Target, patch: dict[str, Any]) -> Refused:
    """Return the refusal of a change."""
    import json

    text = json.dumps(patch, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    head = f"error when applying patch:\n{text}\nto:\n{_named(target)}"
    return Refused(error, f"{head}\nfor: {_SOURCE}: error when patching {_SOURCE}")


def _named(target: Target) -> str:
    resource = target.resource
    group = f"{resource.group}/{resource.version}"
    return (
        f'Resource: "{group}, Resource={resource.name}", GroupVersionKind: "{group}, Kind={resource.kind}"\n'
        f'Name: "{target.name}", Namespace: "{target.namespace}"'
    )


def of_document(error: errors.MinikctlError, document: Document) -> str:
    """Return what is wrong with a document, where it is, and what to do; other failures are raised again."""
    from minikctl.cli import advice

    told = _sentence(error, document)
    return "\n".join(
        [told, *(f"hint: {each}" for each in (document.place, *advice.of(str(error), document.object)))]
    )


def _sentence(error: errors.MinikctlError, document: Document) -> str:
    if isinstance(error, errors.StatusError):
        if error.reason == "Invalid":
            return report.status_sentence(error)
        context = error.context(document.source) if isinstance(error, Refused) else ""
        return report.status_sentence(error, context)
    if isinstance(error, parsing.Verbatim):
        return str(error)
    if isinstance(error, errors.UsageError):
        return f"error: {str(error).removeprefix('error: ')}"
    raise error


def of_bad_document(bad: BadDocument, validate: str = "false") -> str:
    """Return what is said of a document that cannot be read; ``validate`` is the value of --validate."""
    text = str(bad)
    if bad.missing and validate not in LEVELS_WITHOUT_VALIDATION:
        text = (
            f'error validating "{bad.source}": error validating data: {bad.missing}; '
            "if you choose to ignore these errors, turn validation off with --validate=false"
        )
    tab = "\nhint: YAML is indented by spaces: is there a tab?" if "cannot start any token" in text else ""
    return f"error: {text}\nhint: {bad.place}{tab}"


def no_match(obj: dict[str, Any], source: str) -> str:
    """Return what kubectl says of an object whose kind is not served."""
    metadata = obj.get("metadata") or {}
    name, namespace = metadata.get("name") or "", metadata.get("namespace") or ""
    return (
        f'resource mapping not found for name: "{name}" namespace: "{namespace}" from "{source}": '
        f'no matches for kind "{obj.get("kind")}" in version "{obj.get("apiVersion")}"\n'
        "ensure CRDs are installed first"
    )
