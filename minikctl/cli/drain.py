"""``drain``: have a node's pods leave it, as far as disruption budgets allow."""

from __future__ import annotations

import json
import time

from minikctl import errors
from minikctl.cli import changing, interrupts, nodes, timespan
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

RETRY_SECONDS = 5.0
POLL_SECONDS = 0.2


class DrainOptions(changing.Reported):
    """What ``drain`` was asked."""

    LACKS = ("manager", "output", "template", "managed_fields", "missing_keys")

    arguments: tuple[str, ...] = rest("NODE", default=(), complete="names:nodes")
    labels: str = flag(
        "--selector", "-l", default="", help="A label selector of nodes.", complete="selector:nodes"
    )
    pods: str = flag(
        "--pod-selector",
        default="",
        help="Only pods that match this label selector.",
        complete="selector:pods",
    )
    force: bool = flag("--force", default=False, help="Also pods that no controller replaces.")
    daemons: bool = flag("--ignore-daemonsets", default=False, help="Leave the pods of DaemonSets.")
    local: bool = flag(
        "--delete-emptydir-data", default=False, help="Also pods with emptyDir volumes, whose data are lost."
    )
    grace: int = flag("--grace-period", default=-1, help="Seconds that pods get to end; -1: their own.")
    timeout: str = flag("--timeout", default="0s", duration=True, help="How long to try; 0s: for ever.")
    skip_after: int = flag(
        "--skip-wait-for-delete-timeout",
        default=0,
        help="Do not wait for pods that have been ending for longer than so many seconds; 0: for all.",
    )
    chunk: int = flag("--chunk-size", default=500, help="List so many pods at a time; 0: all at once.")
    plain: bool = flag("--disable-eviction", default=False, help="Delete, and do not ask disruption budgets.")


def _check_selector(text: str) -> None:
    from minikctl.model import selectors

    try:
        selectors.parse(text)
    except selectors.SelectorError as error:
        raise errors.UsageError(
            "error: --pod-selector=<pod_selector> must be a valid label selector"
        ) from error


def run(options: DrainOptions, session: Session) -> int:
    """Cordon the nodes and have their pods leave; return the exit code."""
    changing.check_dry_run(options.dry_run)
    found = nodes.chosen(options.arguments, options.labels, "drain", session)
    if options.pods:
        _check_selector(options.pods)
    for target in found:
        session.client.request("GET", target.path())
    for target in found:
        nodes.mark(target, True, options, session)
    failures: list[str] = []
    pending: list[str] = []
    for target in found:
        try:
            _drain(target.name, options, session)
            changing.tell(options, target, {}, "drained", session)
        except errors.MinikctlError as error:
            text = str(error).removeprefix("error: ")
            session.io.warn(
                f'error: unable to drain node "{target.name}" due to error: {text}, continuing command...'
            )
            failures += error.each if isinstance(error, Refused) else [text]
            pending.append(target.name)
    if not pending:
        return 0
    session.io.warn("There are pending nodes to be drained:")
    for name in pending:
        session.io.warn(f" {name}")
    for text in failures:
        session.io.warn(text)
    return 1


class Refused(errors.UsageError):
    """Pods that the flags do not allow to evict, or that did not leave; ``each`` are the reasons."""

    def __init__(self, each: list[str]) -> None:
        super().__init__(each[0] if len(each) == 1 else f"[{', '.join(each)}]")
        self.each = each


def _drain(node: str, options: DrainOptions, session: Session) -> None:
    pods, warnings = _leaving(node, options, session)
    if warnings:
        session.io.warn(f"Warning: {'; '.join(warnings)}")
    if options.dry_run == "client":
        for pod in pods:
            session.io.say(f"evicting pod {_shown(pod)} (dry run)")
        return
    seconds = timespan.seconds(options.timeout)
    try:
        _Departure(options, session, time.monotonic() + seconds if seconds else None).of(pods)
    except errors.UsageError as error:
        left, _ = _leaving(node, options, session)
        if left:
            said = str(error).removeprefix("error: ")
            session.io.warn(f'There are pending pods in node "{node}" when an error occurred: {said}')
        for pod in left:
            session.io.warn(f"pod/{pod['metadata']['name']}")
        raise


def _shown(pod: dict[str, Any]) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _leaving(node: str, options: DrainOptions, session: Session) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the pods that have to leave and what is to be said; refuses what the flags do not allow."""
    notes: dict[str, list[str]] = {}
    faults: dict[str, list[str]] = {}
    leaving = []
    for pod in _on_node(node, options, session):
        refused, note, leaves = _judge(pod, options)
        if refused:
            faults.setdefault(refused, []).append(_shown(pod))
        if note:
            notes.setdefault(note, []).append(_shown(pod))
        if leaves:
            leaving.append(pod)
    if faults:
        raise Refused([f"{text}: {', '.join(names)}" for text, names in sorted(faults.items())])
    return leaving, [f"{text}: {', '.join(names)}" for text, names in sorted(notes.items())]


def _on_node(node: str, options: DrainOptions, session: Session) -> list[dict[str, Any]]:
    """Return all pods on the node, however many pages they are."""
    query: dict[str, Any] = {
        "fieldSelector": f"spec.nodeName={node}",
        "labelSelector": options.pods,
        "limit": options.chunk or None,
    }
    found: list[dict[str, Any]] = []
    while True:
        answer = session.client.request("GET", "/api/v1/pods", query=query).json()
        found += answer.get("items") or ()
        query["continue"] = (answer.get("metadata") or {}).get("continue")
        if not query["continue"]:
            return found


def _is_stuck(pod: dict[str, Any], options: DrainOptions) -> bool:
    """Tell whether the pod has been ending for longer than the user wants to wait."""
    from datetime import UTC, datetime

    from minikctl.model import objects

    ended = objects.parse_time(pod["metadata"].get("deletionTimestamp"))
    if options.skip_after <= 0 or ended is None:
        return False
    return (datetime.now(UTC) - ended).total_seconds() > options.skip_after


def _judge(pod: dict[str, Any], options: DrainOptions) -> tuple[str, str, bool]:
    """Return why the pod may not be evicted, what is to be said of it, and whether it leaves."""
    meta, phase = pod["metadata"], (pod.get("status") or {}).get("phase")
    if _is_stuck(pod, options) or "kubernetes.io/config.mirror" in (meta.get("annotations") or {}):
        return "", "", False
    owner = next((each for each in meta.get("ownerReferences") or () if each.get("controller")), None)
    if owner is not None and owner.get("kind") == "DaemonSet" and phase not in ("Succeeded", "Failed"):
        if options.daemons:
            return "", "ignoring DaemonSet-managed Pods", False
        return "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)", "", False
    if phase in ("Succeeded", "Failed"):
        return "", "", True
    note = ""
    volumes = pod["spec"].get("volumes") or ()
    if any("emptyDir" in volume for volume in volumes):
        if not options.local:
            flag_text = "use --delete-emptydir-data to override"
            return f"cannot delete Pods with local storage ({flag_text})", "", False
        note = "deleting Pods with local storage"
    if owner is None:
        if not options.force:
            return "cannot delete Pods that declare no controller (use --force to override)", "", False
        note = "deleting Pods that declare no controller"
    return "", "" if note == "deleting Pods with local storage" else note, True


class _Departure:
    """Asks pods to leave, those that a budget holds back again and again, and waits until they are gone."""

    def __init__(self, options: DrainOptions, session: Session, deadline: float | None) -> None:
        self._options = options
        self._session = session
        self._deadline = deadline
        self._asking: dict[str, tuple[dict[str, Any], float]] = {}
        self._going: dict[str, dict[str, Any]] = {}

    def of(self, pods: list[dict[str, Any]]) -> None:
        """Return when all are gone."""
        for pod in pods:
            self._say_leaving(pod)
            self._asking[_shown(pod)] = (pod, 0.0)
        while self._asking or self._going:
            if self._deadline is not None and time.monotonic() > self._deadline:
                raise Refused(self._left_behind())
            self._ask()
            self._look()
            interrupts.sleep(POLL_SECONDS)

    def _left_behind(self) -> list[str]:
        """Return what is said of each pod that is still there when the time is over."""
        text = f"global timeout reached: {self._options.timeout}"
        if self._options.plain:
            return [text]
        asking = [pod["metadata"] for pod, _ in self._asking.values()]
        going = [pod["metadata"] for pod in self._going.values()]
        said = [f'error when evicting pods/"{m["name"]}" -n "{m["namespace"]}": {text}' for m in asking]
        return said + [
            f'error when waiting for pod "{m["name"]}" in namespace "{m["namespace"]}" to terminate: {text}'
            for m in going
        ]

    def _say_leaving(self, pod: dict[str, Any]) -> None:
        word = "deleting" if self._options.plain else "evicting"
        self._session.io.say(f"{word} pod {_shown(pod)}{changing.DRY_RUNS[self._options.dry_run]}")

    def _ask(self) -> None:
        for key, (pod, again) in list(self._asking.items()):
            if time.monotonic() < again:
                continue
            if again:
                self._say_leaving(pod)
            try:
                self._send(pod)
            except errors.StatusError as error:
                if error.reason == "NotFound":
                    del self._asking[key]
                    continue
                name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
                where = f'error when evicting pods/"{name}" -n "{namespace}"'
                if error.code != 429:
                    raise errors.UsageError(f"{where}: {error.message}") from None
                self._session.io.warn(f"{where} (will retry after 5s): {error.message}")
                self._asking[key] = (pod, time.monotonic() + RETRY_SECONDS)
                continue
            del self._asking[key]
            if self._options.dry_run != "server":
                self._going[key] = pod

    def _send(self, pod: dict[str, Any]) -> None:
        meta, client = pod["metadata"], self._session.client
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        query = {"dryRun": "All" if self._options.dry_run == "server" else ""}
        how: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if self._options.grace >= 0:
            how["gracePeriodSeconds"] = self._options.grace
        headers = {"Content-Type": "application/json"}
        if self._options.plain:
            client.request("DELETE", path, json.dumps(how).encode(), query=query, headers=headers)
            return
        body = {
            "kind": "Eviction",
            "apiVersion": "policy/v1",
            "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
            "deleteOptions": how,
        }
        client.request("POST", f"{path}/eviction", json.dumps(body).encode(), query=query, headers=headers)

    def _look(self) -> None:
        for key, pod in list(self._going.items()):
            meta = pod["metadata"]
            path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
            try:
                there = self._session.client.request("GET", path).json()
                gone = there["metadata"]["uid"] != meta["uid"]
            except errors.StatusError as error:
                if error.reason != "NotFound":
                    raise
                gone = True
            if gone:
                del self._going[key]
                self._session.io.say(f"pod/{meta['name']} {'deleted' if self._options.plain else 'evicted'}")


COMMANDS = {
    "drain": Command(
        "Drain a node: have its pods leave in preparation for maintenance.",
        DrainOptions,
        run,
        usage="NODE",
        examples=(
            ("Have a node's pods leave", "minikctl drain minikctl-default-2 --ignore-daemonsets"),
            ("Also pods without a controller", "minikctl drain minikctl-default-2 --force"),
        ),
    )
}
