"""``auth``: may this be done, who is asking, and roles as files say they should be."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import auth_reconcile, parsing, printing
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

REVIEWS = "/apis/authorization.k8s.io/v1"
VERBS = frozenset(
    (
        "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "use", "bind",
        "escalate", "impersonate", "approve", "sign", "attest", "proxy", "put", "post", "head", "options", "*",
    )
)  # fmt: skip
BAD_USE = "you must specify two arguments: verb resource or verb resource/resourceName."


class CanOptions(Options):
    """What ``auth can-i`` was asked."""

    arguments: tuple[str, ...] = rest("VERB [TYPE | TYPE/NAME | URL]", default=(), complete="verbs")
    listed: bool = flag("--list", default=False, help="List everything that is allowed.")
    quiet: bool = flag("--quiet", "-q", default=False, help="Only the exit code tells.")
    subresource: str = flag("--subresource", default="", help="Such as log or scale.")
    no_headers: bool = flag("--no-headers", default=False, help="No header line with --list.")
    all_namespaces: bool = flag("--all-namespaces", "-A", default=False, help="In every namespace.")


def can_i(options: CanOptions, session: Session) -> int:
    """Say whether the action is allowed; the exit code is 1 when it is not."""
    if options.listed:
        if options.arguments:
            raise errors.UsageError("error: list option must be specified with no arguments")
        if options.quiet:
            raise errors.UsageError("error: list option can't be specified with quiet option")
        return _list(options, session)
    if options.no_headers:
        raise errors.UsageError("error: --no-headers cannot be set without --list specified")
    if not 2 <= len(options.arguments) <= 3:
        raise parsing.BadCommandLine(f"{BAD_USE}\nSee 'minikctl auth can-i -h' for help and examples.")
    attributes = _attributes(options, session)
    body = {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": attributes,
    }
    review = session.client.request("POST", f"{REVIEWS}/selfsubjectaccessreviews", body).json()
    status = review.get("status") or {}
    if not options.quiet:
        session.io.say("yes" if status.get("allowed") else _refusal(status))
    return 0 if status.get("allowed") else 1


def _refusal(status: dict[str, Any]) -> str:
    reason = f" - {status['reason']}" if status.get("reason") else ""
    failed = f" - {status['evaluationError']}" if status.get("evaluationError") else ""
    return f"no{reason}{failed}"


def _attributes(options: CanOptions, session: Session) -> dict[str, Any]:
    verb, wanted = options.arguments[0], options.arguments[1]
    if wanted.startswith("/"):
        return {"nonResourceAttributes": {"verb": verb, "path": wanted}}
    wanted, _, name = wanted.partition("/")
    name = name or "".join(options.arguments[2:3])
    if verb not in VERBS:
        session.io.warn(f"Warning: verb '{verb}' is not a known verb\n")
    group, resource = _resource(wanted, options, session)
    attributes = {
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": options.subresource,
        "name": name,
        "namespace": "" if options.all_namespaces else session.namespace,
    }
    return {"resourceAttributes": {key: value for key, value in attributes.items() if value}}


def _resource(wanted: str, options: CanOptions, session: Session) -> tuple[str, str]:
    """Return the group and name of a resource; of one that is not known, what the word itself says."""
    if wanted == "*":
        return "*", "*"
    try:
        found = session.discovery.find(wanted)
    except errors.UsageError as error:
        text = str(error).removeprefix("error: ").replace('"', "'")
        session.io.warn(f"Warning: {text}\n")
        name, _, group = wanted.partition(".")
        return group, name
    if not found.namespaced and not options.all_namespaces:
        group = f" in group '{found.group}'" if found.group else ""
        session.io.warn(f"Warning: resource '{found.name}' is not namespace scoped{group}\n")
    return found.group, found.name


def _list(options: CanOptions, session: Session) -> int:
    from minikctl.cli.output import table

    body = {
        "kind": "SelfSubjectRulesReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": {"namespace": session.namespace},
    }
    status = session.client.request("POST", f"{REVIEWS}/selfsubjectrulesreviews", body).json()["status"]
    if status.get("incomplete"):
        session.io.warn(f"Warning: the list may be incomplete: {status.get('evaluationError', '')}")
    rows = [] if options.no_headers else [["Resources", "Non-Resource URLs", "Resource Names", "Verbs"]]
    for rule in sorted(_single(status), key=_place):
        rows.append(_row(rule))
    for line in table.align(rows):
        session.io.say(line)
    return 0


def _single(status: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rules taken apart into one thing each; what is allowed with one resource is together."""
    resources: dict[tuple[str, str, tuple[str, ...]], dict[str, None]] = {}
    for rule in status.get("resourceRules") or ():
        for group in rule.get("apiGroups") or ("",):
            for name in rule.get("resources") or ():
                names: list[tuple[str, ...]] = [(one,) for one in rule.get("resourceNames") or ()]
                for named in names or [()]:
                    known = resources.setdefault((group, name, named), {})
                    known |= dict.fromkeys(rule.get("verbs") or ())
    found = [
        {"apiGroups": [group], "resources": [name], "resourceNames": list(named), "verbs": list(verbs)}
        for (group, name, named), verbs in resources.items()
    ]
    for rule in status.get("nonResourceRules") or ():
        urls = rule.get("nonResourceURLs") or ()
        found += [
            {"nonResourceURLs": [url], "verbs": [verb]} for url in urls for verb in rule.get("verbs") or ()
        ]
    return found


def _place(rule: dict[str, Any]) -> tuple[str, ...]:
    """Return where kubectl puts a rule: by its verbs first."""
    return tuple(
        _shown(rule, key) for key in ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
    )


def _shown(rule: dict[str, Any], key: str) -> str:
    return f"[{' '.join(rule.get(key) or ())}]"


def _row(rule: dict[str, Any]) -> list[str]:
    resource = ""
    if rule.get("resources"):
        base, slash, subresource = rule["resources"][0].partition("/")
        group = rule["apiGroups"][0]
        resource = (f"{base}.{group}" if group else base) + slash + subresource
    return [resource, *(_shown(rule, key) for key in ("nonResourceURLs", "resourceNames", "verbs"))]


class WhoOptions(printing.Printing):
    """What ``auth whoami`` was asked."""

    TYPED = True


def whoami(options: WhoOptions, session: Session) -> int:
    """Say who the server takes us for; return the exit code."""
    from minikctl.cli.output import table

    body = {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {}}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    found = session.client.request("POST", path, body).json()
    if (found.get("metadata") or {}).get("creationTimestamp", "") is None:
        del found["metadata"]["creationTimestamp"]
    printer = printing.printer(options, lambda _: "selfsubjectreview.authentication.k8s.io/")
    if printer is not None:
        session.io.out.write(printer([found], False))
        return 0
    user = (found.get("status") or {}).get("userInfo") or {}
    rows = [["ATTRIBUTE", "VALUE"]]
    rows += [[title, user[key]] for title, key in (("Username", "username"), ("UID", "uid")) if user.get(key)]
    if user.get("groups"):
        rows.append(["Groups", f"[{' '.join(user['groups'])}]"])
    rows += [
        [f"Extra: {key}", f"[{' '.join(value)}]"] for key, value in sorted((user.get("extra") or {}).items())
    ]
    for line in table.align(rows):
        session.io.say(line)
    return 0


COMMANDS = {
    "auth": Command(
        "Ask who may do what, and put roles in their place.",
        children={
            "can-i": Command(
                "Say whether an action is allowed; the exit code is 1 when it is not.",
                CanOptions,
                can_i,
                usage="VERB [TYPE | TYPE/NAME | NONRESOURCEURL]",
                examples=(
                    ("May I create pods here?", "minikctl auth can-i create pods"),
                    (
                        "May this ServiceAccount?",
                        "minikctl auth can-i list secrets --as=system:serviceaccount:default:robot",
                    ),
                    ("All that I may", "minikctl auth can-i --list"),
                ),
            ),
            "reconcile": auth_reconcile.COMMAND,
            "whoami": Command(
                "Say who the server takes you for.",
                WhoOptions,
                whoami,
                examples=(
                    ("Who am I?", "minikctl auth whoami"),
                    ("Who would I be?", "minikctl auth whoami --as=anna --as-group=dev -o yaml"),
                ),
            ),
        },
    )
}
