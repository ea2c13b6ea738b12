"""``create job|cronjob|poddisruptionbudget|priorityclass|quota``: generators around running pods."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import creating, flags, generators, selection
from minikctl.cli.commands import Command
from minikctl.cli.flags import after_dash, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

INSTANTIATED = "cronjob.kubernetes.io/instantiate"


class JobOptions(creating.NameOptions):
    """What ``create job`` takes."""

    image: str = flag("--image", default="", help="The image of the container.")
    source: str = flag("--from", default="", help="The object to copy the Job from: cronjob/NAME.")
    command: tuple[str, ...] = after_dash(default=())


class CronJobOptions(creating.NameOptions):
    """What ``create cronjob`` takes."""

    REQUIRED = (("image", "image"), ("schedule", "schedule"))
    image: str = flag("--image", default="", help="The image of the container.")
    schedule: str = flag("--schedule", default="", help='When: "0 3 * * *", or @daily.')
    restart: str = flag(
        "--restart",
        default="",
        help="What follows a failure: OnFailure or Never.",
        complete="OnFailure Never",
    )
    command: tuple[str, ...] = after_dash(default=())


class BudgetOptions(creating.NameOptions):
    """What ``create poddisruptionbudget`` takes."""

    labels: str = flag("--selector", default="", help="The pods that the budget is for.")
    least: str = flag("--min-available", default="", help="How many (or 50%) have to be there.")
    most: str = flag("--max-unavailable", default="", help="How many (or 50%) may be missing.")


class PriorityOptions(creating.NameOptions):
    """What ``create priorityclass`` takes."""

    value: int = flag("--value", default=0, help="The priority.")
    is_default: bool = flag("--global-default", default=False, help="The class of pods that name none.")
    description: str = flag("--description", default="", help="When to use it.")
    preemption: str = flag(
        "--preemption-policy",
        default="PreemptLowerPriority",
        help="Whether pods of lower priority may have to go: PreemptLowerPriority or Never.",
        complete="PreemptLowerPriority Never",
    )


class QuotaOptions(creating.NameOptions):
    """What ``create quota`` takes."""

    hard: tuple[str, ...] = flag("--hard", default=(), split=True, help="The limits: cpu=1,pods=10.")
    scopes: tuple[str, ...] = flag("--scopes", default=(), split=True, help="Which pods count: BestEffort, …")


def job(options: JobOptions, session: Session) -> int:
    """Create a Job from an image or from another object; return the exit code."""
    name = flags.one(options.names)
    if bool(options.image) == bool(options.source):
        raise errors.UsageError("error: either --image or --from must be specified")
    if options.image:
        spec = {"template": _template(name, options.image, options.command, "Never")}
        return creating.generate(
            options, generators.named("batch/v1", "Job", name, spec=spec, status={}), session
        )
    if options.command:
        raise errors.UsageError("error: cannot specify --from and command")
    target = selection.parse([*options.source.split("/", 1)], session.discovery, session.namespace)
    if len(target) != 1 or not target[0].name:
        raise errors.UsageError("error: from must be an existing cronjob")
    found = session.client.request("GET", target[0].path()).json()
    if found["kind"] != "CronJob":
        raise errors.UsageError(f"error: unknown object type *v1.{found['kind']}")
    return creating.generate(options, _instantiated(name, found), session)


def _instantiated(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return the Job that the CronJob would make now, which it is to own."""
    template = found["spec"]["jobTemplate"]
    inherited = template.get("metadata") or {}
    metadata: dict[str, Any] = {
        "name": name,
        "annotations": {INSTANTIATED: "manual", **(inherited.get("annotations") or {})},
    }
    if inherited.get("labels"):
        metadata["labels"] = inherited["labels"]
    metadata["ownerReferences"] = [
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": found["metadata"]["name"],
            "uid": found["metadata"]["uid"],
            "controller": True,
        }
    ]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": template["spec"],
        "status": {},
    }


def _template(name: str, image: str, command: tuple[str, ...], restart: str) -> dict[str, Any]:
    container: dict[str, Any] = {"name": name, "image": image, "resources": {}}
    if command:
        container["command"] = list(command)
    return {"metadata": {}, "spec": {"containers": [container], "restartPolicy": restart}}


def _cron_job(options: CronJobOptions, name: str) -> dict[str, Any]:
    template = _template(name, options.image, options.command, options.restart or "OnFailure")
    spec = {
        "jobTemplate": {"metadata": {"name": name}, "spec": {"template": template}},
        "schedule": options.schedule,
    }
    return generators.named("batch/v1", "CronJob", name, spec=spec, status={})


def _budget(options: BudgetOptions, name: str) -> dict[str, Any]:
    if not options.labels:
        raise errors.UsageError("error: a selector must be specified")
    if not options.least and not options.most:
        raise errors.UsageError("error: one of min-available or max-unavailable must be specified")
    if options.least and options.most:
        raise errors.UsageError("error: min-available and max-unavailable cannot be both specified")
    for which, text in (("min-available", options.least), ("max-unavailable", options.most)):
        if text and not text.removesuffix("%").isdigit():
            raise errors.UsageError(f"error: invalid format specified for {which}")
    key, value = ("minAvailable", options.least) if options.least else ("maxUnavailable", options.most)
    spec = {key: int(value) if value.isdigit() else value, "selector": _selector(options.labels)}
    status = dict.fromkeys(("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"), 0)
    return generators.named("policy/v1", "PodDisruptionBudget", name, spec=spec, status=status)


def _selector(text: str) -> dict[str, Any]:
    from minikctl.model import selectors

    if "!=" in text:
        raise errors.UsageError('error: "!=" is not a valid label selector operator')
    found: dict[str, Any] = {}
    try:
        requirements = selectors.parse(text).requirements
    except selectors.SelectorError as error:
        raise errors.UsageError(f'error: couldn\'t parse the selector string "{text}": {error}') from error
    for wanted in requirements:
        if wanted.operator == "In" and len(wanted.values) == 1:
            found.setdefault("matchLabels", {})[wanted.key] = wanted.values[0]
        else:
            expression: dict[str, Any] = {"key": wanted.key, "operator": wanted.operator}
            if wanted.values:
                expression["values"] = sorted(wanted.values)
            found.setdefault("matchExpressions", []).append(expression)
    return found


def _priority(options: PriorityOptions, name: str) -> dict[str, Any]:
    found = generators.named("scheduling.k8s.io/v1", "PriorityClass", name)
    found |= {"value": options.value, "preemptionPolicy": options.preemption}
    if options.is_default:
        found["globalDefault"] = True
    if options.description:
        found["description"] = options.description
    return found


def _quota(options: QuotaOptions, name: str) -> dict[str, Any]:
    from minikctl.model import quantity

    spec: dict[str, Any] = {}
    for entry in options.hard:
        key, equals, value = entry.partition("=")
        if not equals:
            raise errors.UsageError(f"error: Invalid argument syntax {entry}, expected <resource>=<value>")
        try:
            quantity.parse(value)
        except ValueError:
            raise errors.UsageError(
                "error: quantities must match the regular expression "
                "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            ) from None
        spec.setdefault("hard", {})[key] = value
    if options.scopes:
        spec["scopes"] = list(options.scopes)
    return generators.named("v1", "ResourceQuota", name, spec=spec, status={})


CHILDREN = {
    "cronjob": creating.command(
        "Create a CronJob.",
        CronJobOptions,
        _cron_job,
        "NAME --image=IMAGE --schedule='0/5 * * * ?' -- [COMMAND] [ARGS...]",
        "minikctl create cronjob tidy --image=minikctl-demo:latest --schedule='0 3 * * *' -- sleep 5",
        "minikctl create cronjob tidy --image=minikctl-demo:latest --schedule=@daily --dry-run=client -o yaml",
    ),
    "job": Command(
        "Create a Job from an image, or now what a CronJob would do later.",
        JobOptions,
        job,
        usage="NAME --image=IMAGE [--from=cronjob/NAME] -- [COMMAND] [ARGS...]",
        examples=(
            ("Run a command to its end", "minikctl create job once --image=minikctl-demo:latest -- sleep 5"),
            ("Run a CronJob now", "minikctl create job tidy-now --from=cronjob/tidy"),
        ),
    ),
    "poddisruptionbudget": creating.command(
        "Create a PodDisruptionBudget.",
        BudgetOptions,
        _budget,
        "NAME --selector=SELECTOR (--min-available=N | --max-unavailable=N)",
        "minikctl create poddisruptionbudget web --selector=app=web --min-available=1",
        "minikctl create pdb web --selector=app=web --max-unavailable=50% --dry-run=client -o yaml",
    ),
    "priorityclass": creating.command(
        "Create a PriorityClass.",
        PriorityOptions,
        _priority,
        "NAME --value=VALUE [--global-default=BOOL]",
        "minikctl create priorityclass high --value=1000 --description='goes first'",
        "minikctl create priorityclass low --value=-10 --preemption-policy=Never --dry-run=client -o yaml",
    ),
    "quota": creating.command(
        "Create a ResourceQuota.",
        QuotaOptions,
        _quota,
        "NAME [--hard=KEY=VALUE,...] [--scopes=SCOPE,...]",
        "minikctl create quota small --hard=cpu=1,memory=1Gi,pods=10",
        "minikctl create quota besteffort --hard=pods=5 --scopes=BestEffort --dry-run=client -o yaml",
    ),
}
