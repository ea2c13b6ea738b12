"""``create role|clusterrole|rolebinding|clusterrolebinding|token``: who may do what, and proof of who one is."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import creating, flags, generators, parsing, printing, timespan
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.discovery import Discovery
    from minikctl.cli.session import Session

GROUP = "rbac.authorization.k8s.io"
VERSION = f"{GROUP}/v1"
VERBS = frozenset(
    (
        "get", "delete", "list", "create", "update", "patch", "watch", "proxy", "redirect",
        "deletecollection", "use", "bind", "escalate", "impersonate", "*",
    )
)  # fmt: skip


class RoleOptions(creating.NameOptions):
    """What ``create role`` takes."""

    verbs: tuple[str, ...] = flag(
        "--verb",
        default=(),
        split=True,
        help="What may be done: get,list,…",
        complete="get list watch create update patch delete deletecollection",
    )
    resources: tuple[str, ...] = flag(
        "--resource",
        default=(),
        split=True,
        help="With what: pods,deployments.apps/scale,…",
        complete="types",
    )
    objects: tuple[str, ...] = flag("--resource-name", default=(), help="Only with the object of this name.")


class ClusterRoleOptions(RoleOptions):
    """What ``create clusterrole`` takes."""

    urls: tuple[str, ...] = flag(
        "--non-resource-url", default=(), split=True, help="Paths of the server that are no resources."
    )
    aggregation: str = flag(
        "--aggregation-rule", default="", help="Labels of the ClusterRoles to unite: a=b,c=d."
    )


class ClusterBindingOptions(creating.NameOptions):
    """What ``create clusterrolebinding`` takes."""

    cluster_role: str = flag(
        "--clusterrole", default="", help="The ClusterRole to grant.", complete="name:clusterroles"
    )
    users: tuple[str, ...] = flag("--user", default=(), help="A user to grant it to.")
    groups: tuple[str, ...] = flag("--group", default=(), help="A group to grant it to.")
    accounts: tuple[str, ...] = flag("--serviceaccount", default=(), help="NAMESPACE:NAME to grant it to.")


class BindingOptions(ClusterBindingOptions):
    """What ``create rolebinding`` takes."""

    role: str = flag("--role", default="", help="The Role to grant.", complete="name:roles")


def role(options: RoleOptions, session: Session) -> int:
    """Create a Role; return the exit code."""
    name, verbs = flags.one(options.names), _verbs(options, session)
    if not options.resources:
        raise errors.UsageError("error: at least one resource must be specified")
    rules = _rules(options, verbs, session.discovery)
    return creating.generate(options, generators.named(VERSION, "Role", name, rules=rules), session)


def cluster_role(options: ClusterRoleOptions, session: Session) -> int:
    """Create a ClusterRole; return the exit code."""
    name = flags.one(options.names)
    if options.aggregation:
        labels = _pairs(options.aggregation)
        if options.verbs or options.resources or options.objects or options.urls:
            raise errors.UsageError(
                "error: aggregation rule must be specified without nonResourceURLs, verbs, resources or "
                "resourceNames"
            )
        made = generators.named(VERSION, "ClusterRole", name, rules=None)
        made["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": labels}]}
        return creating.generate(options, made, session)
    verbs = _verbs(options, session)
    if not options.resources and not options.urls:
        raise errors.UsageError("error: one of resource or nonResourceURL must be specified")
    for url in options.urls:
        if url != "*" and not url.startswith("/"):
            raise errors.UsageError("error: nonResourceURL should start with /")
    rules = _rules(options, verbs, session.discovery) if options.resources else []
    if options.urls:
        rules.append({"nonResourceURLs": list(options.urls), "verbs": verbs})
    return creating.generate(options, generators.named(VERSION, "ClusterRole", name, rules=rules), session)


def _pairs(text: str) -> dict[str, str]:
    found = dict(part.partition("=")[::2] for part in text.split(","))
    if not all("=" in part for part in text.split(",")):
        wrong = (
            f'invalid argument "{text}" for "--aggregation-rule" flag: malformed pair, expect string=string'
        )
        raise parsing.BadCommandLine(wrong, "minikctl create clusterrole --help")
    return found


def _verbs(options: RoleOptions, session: Session) -> list[str]:
    found = list(dict.fromkeys(options.verbs))
    if not found:
        raise errors.UsageError("error: at least one verb must be specified")
    for verb in found:
        if verb not in VERBS:
            session.io.warn(f"Warning: '{verb}' is not a standard resource verb")
    return ["*"] if "*" in found else found


def _rules(options: RoleOptions, verbs: list[str], discovery: Discovery) -> list[dict[str, Any]]:
    """Return a rule for each group whose resources are meant."""
    groups: dict[str, list[str]] = {}
    for entry in dict.fromkeys(options.resources):
        wanted, _, subresource = entry.partition("/")
        if wanted == "*":
            group, name = "*", "*"
        else:
            try:
                found = discovery.find(wanted)
            except errors.UsageError as error:
                raise parsing.Verbatim(str(error).removeprefix("error: ")) from None
            group, name = found.group, found.name
        named = groups.setdefault(group, [])
        full = f"{name}/{subresource}" if subresource else name
        if full not in named:
            named.append(full)
    names = {"resourceNames": list(options.objects)} if options.objects else {}
    return [{"apiGroups": [group], **names, "resources": groups[group], "verbs": verbs} for group in groups]


def subjects(
    users: tuple[str, ...], groups: tuple[str, ...], accounts: tuple[str, ...]
) -> list[dict[str, str]]:
    """Return the subjects of a binding; refuse an account that is not NAMESPACE:NAME."""
    found = [{"apiGroup": GROUP, "kind": "User", "name": name} for name in users]
    found += [{"apiGroup": GROUP, "kind": "Group", "name": name} for name in groups]
    for account in accounts:
        namespace, colon, name = account.partition(":")
        if not colon or not namespace or not name or ":" in name:
            raise errors.UsageError("error: serviceaccount must be <namespace>:<name>")
        found.append({"kind": "ServiceAccount", "name": name, "namespace": namespace})
    return found


def _bound(options: ClusterBindingOptions, kind: str, name: str, role: tuple[str, str]) -> dict[str, Any]:
    found = generators.named(VERSION, kind, name)
    found["roleRef"] = {"apiGroup": GROUP, "kind": role[0], "name": role[1]}
    listed = subjects(options.users, options.groups, options.accounts)
    if listed:
        found["subjects"] = listed
    return found


def _binding(options: BindingOptions, name: str) -> dict[str, Any]:
    if bool(options.cluster_role) == bool(options.role):
        raise errors.UsageError("error: exactly one of clusterrole or role must be specified")
    chosen = ("Role", options.role) if options.role else ("ClusterRole", options.cluster_role)
    return _bound(options, "RoleBinding", name, chosen)


def _cluster_binding(options: ClusterBindingOptions, name: str) -> dict[str, Any]:
    if not options.cluster_role:
        raise errors.UsageError('error: required flag(s) "clusterrole" not set')
    return _bound(options, "ClusterRoleBinding", name, ("ClusterRole", options.cluster_role))


class TokenOptions(printing.Printing):
    """What ``create token`` takes."""

    TYPED = True

    names: tuple[str, ...] = rest("SERVICE_ACCOUNT_NAME", default=(), complete="names:serviceaccounts")
    audiences: tuple[str, ...] = flag("--audience", default=(), help="Who is to accept it; may repeat.")
    duration: str = flag(
        "--duration", default="0s", duration=True, help="How long it is to be valid; 0: the server decides."
    )
    kind: str = flag(
        "--bound-object-kind",
        default="",
        help="What it ends with: Pod, Secret or Node.",
        complete="Pod Secret Node",
    )
    bound_name: str = flag("--bound-object-name", default="", help="The name of what it ends with.")
    bound_uid: str = flag("--bound-object-uid", default="", help="Its uid, if it matters.")


def token(options: TokenOptions, session: Session) -> int:
    """Print a token of a ServiceAccount; return the exit code."""
    name = flags.one(options.names)
    printing.printer(options, printing.named(""))  # refuses a format that is none
    if "" in options.audiences:
        raise errors.UsageError("error: --audience must not be an empty string")
    spec: dict[str, Any] = {
        "audiences": list(options.audiences),
        "expirationSeconds": int(timespan.seconds(options.duration)),
    }
    if not spec["expirationSeconds"]:
        del spec["expirationSeconds"]
    if options.kind:
        spec["boundObjectRef"] = _bound_object(options)
    elif options.bound_name or options.bound_uid:
        which = "name" if options.bound_name else "uid"
        raise errors.UsageError(
            f"error: --bound-object-{which} can only be set if --bound-object-kind is provided"
        )
    body = generators.named("authentication.k8s.io/v1", "TokenRequest", "", spec=spec)
    body["metadata"] = {}
    path = f"/api/v1/namespaces/{session.namespace}/serviceaccounts/{name}/token"
    try:
        found = session.client.request("POST", path, body).json()
    except errors.StatusError as error:
        raise errors.UsageError(f"error: failed to create token: {error.message}") from error
    printer = printing.printer(options, lambda _: f"tokenrequest.authentication.k8s.io/{name}")
    session.io.out.write(printer([found], False) if printer else f"{found['status']['token']}\n")
    return 0


def _bound_object(options: TokenOptions) -> dict[str, str]:
    if options.kind not in ("Node", "Pod", "Secret"):
        raise errors.UsageError("error: supported --bound-object-kind values are Node, Pod, Secret")
    if not options.bound_name:
        raise errors.UsageError("error: --bound-object-name is required if --bound-object-kind is provided")
    found = {"kind": options.kind, "apiVersion": "v1", "name": options.bound_name}
    return {**found, "uid": options.bound_uid} if options.bound_uid else found


CHILDREN = {
    "clusterrole": Command(
        "Create a ClusterRole.",
        ClusterRoleOptions,
        cluster_role,
        usage="NAME --verb=VERB --resource=RESOURCE.GROUP[/SUBRESOURCE] [--resource-name=NAME]",
        examples=(
            (
                "Read pods everywhere",
                "minikctl create clusterrole pod-reader --verb=get,list,watch --resource=pods",
            ),
            (
                "Read the server's health",
                "minikctl create clusterrole health --verb=get --non-resource-url=/healthz",
            ),
        ),
    ),
    "clusterrolebinding": creating.command(
        "Create a ClusterRoleBinding.",
        ClusterBindingOptions,
        _cluster_binding,
        "NAME --clusterrole=NAME [--user=NAME] [--group=NAME] [--serviceaccount=NAMESPACE:NAME]",
        "minikctl create clusterrolebinding admins --clusterrole=cluster-admin --user=anna",
        "minikctl create clusterrolebinding view --clusterrole=view --group=team --dry-run=client -o yaml",
    ),
    "role": Command(
        "Create a Role.",
        RoleOptions,
        role,
        usage="NAME --verb=VERB --resource=RESOURCE.GROUP[/SUBRESOURCE] [--resource-name=NAME]",
        examples=(
            (
                "Read pods",
                "minikctl create role pod-reader --verb=get --verb=list --verb=watch --resource=pods",
            ),
            (
                "Scale Deployments",
                "minikctl create role scaler --verb=patch --resource=deployments.apps/scale",
            ),
        ),
    ),
    "rolebinding": creating.command(
        "Create a RoleBinding.",
        BindingOptions,
        _binding,
        "NAME (--clusterrole=NAME | --role=NAME) [--user=NAME] [--group=NAME] [--serviceaccount=NAMESPACE:NAME]",
        "minikctl create rolebinding read --role=pod-reader --serviceaccount=default:robot",
        "minikctl create rolebinding edit --clusterrole=edit --user=anna --dry-run=client -o yaml",
    ),
    "token": Command(
        "Print a token that proves to be a ServiceAccount.",
        TokenOptions,
        token,
        usage="SERVICE_ACCOUNT_NAME",
        examples=(
            ("A token of a ServiceAccount", "minikctl create token robot"),
            (
                "One that ends with a pod",
                "minikctl create token robot --bound-object-kind=Pod --bound-object-name=web",
            ),
        ),
    ),
}
