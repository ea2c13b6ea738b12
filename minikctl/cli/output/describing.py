"""Descriptions of objects, laid out as kubectl lays them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from minikctl.cli.output import describing_pod, printers, table
from minikctl.model import durations, objects

Object = dict[str, Any]
Field = tuple[str, Any]
"""A name and a text, a list of lines, or a nested list of fields."""

HIDDEN_ANNOTATIONS = ("kubectl.kubernetes.io/last-applied-configuration",)


class Reader(Protocol):
    """Access to what else a description needs."""

    shows_events: bool

    def listed(self, resource: str, namespace: str, **query: str) -> list[Object]:
        """Return objects of a resource."""
        ...

    def events(self, obj: Object) -> list[Object]:
        """Return the object's events."""
        ...


def lines(obj: Object, reader: Reader) -> Iterator[str]:
    """Yield the description's lines."""
    describe = KINDS.get(str(obj.get("kind")), _generic)
    yield from layout(describe(obj, reader))
    if reader.shows_events:
        yield from _events(reader.events(obj))


def layout(fields: Sequence[Field], indent: int = 0) -> Iterator[str]:
    """Yield ``Name:  value`` lines with the values aligned, nested fields indented by two."""
    names = [f"{name}:" for name, value in fields if not _is_nested(value)]
    width = max((len(name) for name in names), default=0) + 2
    pad = "  " * indent
    for name, value in fields:
        if _is_nested(value):
            yield f"{pad}{name}:"
            yield from layout(value, indent + 1)
        elif isinstance(value, Block):
            yield f"{pad}{name}:"
            for line in value.rows:
                yield f"{pad}  {line}"
        else:
            shown = value if isinstance(value, list) else [str(value)]
            for number, line in enumerate(shown or ["<none>"]):
                head = f"{name}:" if number == 0 else ""
                yield f"{pad}{head.ljust(width)}{line}".rstrip()


class Block:
    """Lines that stand below their field's name."""

    def __init__(self, rows: Sequence[str]) -> None:
        self.rows = rows


def _is_nested(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], tuple)


def pairs(found: dict[str, str] | None, joint: str = "=") -> list[str]:
    """Return a map as lines in the order of its keys."""
    return [f"{key}{joint}{found[key]}" for key in sorted(found or {})]


def head(obj: Object, *, namespaced: bool = True) -> list[Field]:
    """Return the fields that every description begins with."""
    metadata = obj["metadata"]
    notes = {k: v for k, v in (metadata.get("annotations") or {}).items() if k not in HIDDEN_ANNOTATIONS}
    fields: list[Field] = [("Name", metadata.get("name", ""))]
    if namespaced:
        fields.append(("Namespace", metadata.get("namespace", "")))
    return [*fields, ("Labels", pairs(metadata.get("labels"))), ("Annotations", pairs(notes, ": "))]


def selector_text(selector: dict[str, Any] | None) -> str:
    """Return a selector as kubectl prints it."""
    if not selector:
        return "<none>"
    parts = [f"{k}={v}" for k, v in sorted((selector.get("matchLabels") or {}).items())]
    for found in selector.get("matchExpressions") or ():
        values = ",".join(found.get("values") or ())
        operator = {"In": " in (%s)", "NotIn": " notin (%s)"}.get(found["operator"])
        parts.append(found["key"] + (operator % values if operator else ""))
    return ",".join(parts) or "<none>"


def _age(moment: str | None) -> str:
    found = objects.parse_time(moment)
    return durations.human((datetime.now(UTC) - found).total_seconds()) if found else "<unknown>"


def _events(found: Sequence[Object]) -> Iterator[str]:
    if not found:
        yield "Events:  <none>"
        return
    rows = [["  Type", "Reason", "Age", "From", "Message"], ["  ----", "------", "----", "----", "-------"]]
    for event in sorted(found, key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or ""):
        source = (event.get("source") or {}).get("component") or event.get("reportingComponent") or ""
        message = str(event.get("message", "")).strip().replace("\n", " ")
        rows.append(
            [f"  {event.get('type', '')}", event.get("reason", ""), event_age(event), source, message]
        )
    yield "Events:"
    yield from (line.rstrip() for line in table.align(rows))


def event_age(event: Object) -> str:
    """Return when it happened last, with how often since when."""
    last = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")
    count = event.get("count") or 1
    if count > 1:
        return f"{_age(last)} (x{count} over {_age(event.get('firstTimestamp'))})"
    return _age(last)


def _generic(obj: Object, reader: Reader) -> list[Field]:
    fields = head(obj, namespaced=bool(obj["metadata"].get("namespace")))
    fields += [("API Version", obj.get("apiVersion", "")), ("Kind", obj.get("kind", ""))]
    rest = {k: v for k, v in obj.items() if k not in ("apiVersion", "kind", "metadata")}
    for key, value in rest.items():
        fields.append((key[:1].upper() + key[1:], Block(printers.to_yaml(value).splitlines())))
    return fields


def _deployment(obj: Object, reader: Reader) -> list[Field]:
    spec, status = obj["spec"], obj.get("status") or {}
    strategy = spec.get("strategy") or {}
    counts = (
        f"{spec.get('replicas', 1)} desired | {status.get('updatedReplicas', 0)} updated | "
        f"{status.get('replicas', 0)} total | {status.get('availableReplicas', 0)} available | "
        f"{status.get('unavailableReplicas', 0)} unavailable"
    )
    fields: list[Field] = [
        *head(obj)[:2],
        ("CreationTimestamp", _when(obj["metadata"].get("creationTimestamp"))),
        *head(obj)[2:],
        ("Selector", selector_text(spec.get("selector"))),
        ("Replicas", counts),
        ("StrategyType", strategy.get("type", "")),
        ("MinReadySeconds", spec.get("minReadySeconds", 0)),
    ]
    rolling = strategy.get("rollingUpdate")
    if rolling:
        text = f"{rolling.get('maxUnavailable')} max unavailable, {rolling.get('maxSurge')} max surge"
        fields.append(("RollingUpdateStrategy", text))
    fields.append(("Pod Template", describing_pod.template(spec["template"])))
    fields.append(("Conditions", Block(_conditions(status, ("Type", "Status", "Reason")))))
    return fields + _replica_sets(obj, reader)


def _replica_sets(obj: Object, reader: Reader) -> list[Field]:
    owned = [
        replica_set
        for replica_set in reader.listed("replicasets.apps", obj["metadata"].get("namespace", ""))
        if (objects.controller_of(replica_set) or {}).get("uid") == obj["metadata"].get("uid")
    ]
    revision = objects.annotations(obj).get("deployment.kubernetes.io/revision")
    texts: dict[bool, list[str]] = {True: [], False: []}
    for found in owned:
        is_new = objects.annotations(found).get("deployment.kubernetes.io/revision") == revision
        wanted, made = found["spec"].get("replicas", 0), objects.status(found).get("replicas", 0)
        texts[is_new].append(f"{objects.name(found)} ({made}/{wanted} replicas created)")
    return [
        ("OldReplicaSets", ", ".join(texts[False]) or "<none>"),
        ("NewReplicaSet", ", ".join(texts[True]) or "<none>"),
    ]


def _replica_set(obj: Object, reader: Reader) -> list[Field]:
    spec, status = obj["spec"], obj.get("status") or {}
    metadata = obj["metadata"]
    owner = objects.controller_of(obj)
    phases = {"Running": 0, "Pending": 0, "Succeeded": 0, "Failed": 0}
    for pod in reader.listed("pods", metadata.get("namespace", "")):
        if (objects.controller_of(pod) or {}).get("uid") == metadata.get("uid"):
            phases[objects.status(pod).get("phase", "Pending")] += 1
    fields: list[Field] = [*head(obj)[:2], ("Selector", selector_text(spec.get("selector"))), *head(obj)[2:]]
    if owner:
        fields.append(("Controlled By", f"{owner['kind']}/{owner['name']}"))
    texts = " / ".join(f"{count} {phase}" for phase, count in phases.items())
    return [
        *fields,
        ("Replicas", f"{status.get('replicas', 0)} current / {spec.get('replicas', 1)} desired"),
        ("Pods Status", texts),
        ("Pod Template", describing_pod.template(spec["template"])),
    ]


def _when(text: str | None) -> str:
    moment = objects.parse_time(text)
    return moment.astimezone().strftime("%a, %d %b %Y %H:%M:%S %z") if moment else "<unknown>"


def _conditions(status: Object, columns: Sequence[str]) -> list[str]:
    rows = [list(columns), ["-" * len(column) for column in columns]]
    for found in status.get("conditions") or ():
        rows.append([str(found.get(column[0].lower() + column[1:], "")) for column in columns])
    return [line.rstrip() for line in table.align(rows)]


def _service(obj: Object, reader: Reader) -> list[Field]:
    spec, metadata = obj["spec"], obj["metadata"]
    slices = reader.listed(
        "endpointslices.discovery.k8s.io",
        metadata.get("namespace", ""),
        labelSelector=f"kubernetes.io/service-name={metadata['name']}",
    )
    fields = [
        *head(obj),
        ("Selector", ",".join(pairs(spec.get("selector"))) or "<none>"),
        ("Type", spec.get("type", "")),
        ("IP Family Policy", spec.get("ipFamilyPolicy", "")),
        ("IP Families", ",".join(spec.get("ipFamilies") or ()) or "<none>"),
        ("IP", spec.get("clusterIP", "")),
        ("IPs", ",".join(spec.get("clusterIPs") or ()) or "<none>"),
    ]
    if spec.get("externalName"):
        fields.append(("External Name", spec["externalName"]))
    addresses = objects.status(obj).get("loadBalancer", {}).get("ingress") or ()
    if addresses:
        shown = ", ".join(entry.get("ip") or entry.get("hostname", "") for entry in addresses)
        fields.append(("LoadBalancer Ingress", shown))
    for port in spec.get("ports") or ():
        name = port.get("name") or "<unset>"
        fields.append(("Port", f"{name}  {port['port']}/{port['protocol']}"))
        fields.append(("TargetPort", f"{port.get('targetPort')}/{port['protocol']}"))
        if port.get("nodePort"):
            fields.append(("NodePort", f"{name}  {port['nodePort']}/{port['protocol']}"))
        fields.append(("Endpoints", endpoints_text(slices, port.get("name") or "")))
    fields.append(("Session Affinity", spec.get("sessionAffinity", "")))
    if spec.get("externalTrafficPolicy"):
        fields.append(("External Traffic Policy", spec["externalTrafficPolicy"]))
    fields.append(("Internal Traffic Policy", spec.get("internalTrafficPolicy", "")))
    return fields


def endpoints_text(slices: Sequence[Object], port_name: str) -> str:
    """Return ``ip:port,…`` of a Service port's ready endpoints, cut as kubectl cuts it."""
    found = []
    for entry in slices:
        for port in entry.get("ports") or ():
            if (port.get("name") or "") != port_name:
                continue
            for endpoint in entry.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready", True):
                    found += [f"{address}:{port.get('port')}" for address in endpoint["addresses"]]
    shown = ",".join(found[:3])
    return (shown + (f" + {len(found) - 3} more..." if len(found) > 3 else "")) or "<none>"


def _ingress(obj: Object, reader: Reader) -> list[Field]:
    spec, metadata = obj["spec"], obj["metadata"]
    ingress = objects.status(obj).get("loadBalancer", {}).get("ingress") or ()
    default = spec.get("defaultBackend")
    fields: list[Field] = [
        ("Name", metadata["name"]),
        ("Labels", pairs(metadata.get("labels"))),
        ("Namespace", metadata.get("namespace", "")),
        ("Address", ",".join(e.get("ip") or e.get("hostname", "") for e in ingress)),
        ("Ingress Class", spec.get("ingressClassName") or "<none>"),
        ("Default backend", _backend(default, metadata, reader) if default else "<default>"),
    ]
    if spec.get("tls"):
        shown = [
            f"{t.get('secretName', 'SNI routes')} terminates {','.join(t.get('hosts') or ())}"
            for t in spec["tls"]
        ]
        fields.append(("TLS", Block(shown)))
    rows = [["Host", "Path", "Backends"], ["----", "----", "--------"]]
    for rule in spec.get("rules") or ():
        rows.append([rule.get("host") or "*", "", ""])
        for path in (rule.get("http") or {}).get("paths") or ():
            rows.append(["", path.get("path") or "/", _backend(path["backend"], metadata, reader)])
    fields.append(("Rules", Block([line.rstrip() for line in table.align(rows)])))
    notes = head(obj)[-1]
    return [*fields, notes]


def _backend(backend: Object, metadata: Object, reader: Reader) -> str:
    service = backend.get("service") or {}
    port = service.get("port") or {}
    wanted = port.get("name") or port.get("number")
    text = f"{service.get('name', '')}:{wanted}"
    namespace = metadata.get("namespace", "")
    found = [s for s in reader.listed("services", namespace) if objects.name(s) == service.get("name")]
    if not found:
        return f'{text} (<error: services "{service.get("name", "")}" not found>)'
    label = f"kubernetes.io/service-name={service['name']}"
    slices = reader.listed("endpointslices.discovery.k8s.io", namespace, labelSelector=label)
    names = [
        p.get("name") or ""
        for p in found[0]["spec"].get("ports") or ()
        if wanted in (p.get("name"), p["port"])
    ]
    return f"{text} ({endpoints_text(slices, names[0]) if names else ''})"


def _node(obj: Object, reader: Reader) -> list[Field]:
    status, spec = obj.get("status") or {}, obj.get("spec") or {}
    info = status.get("nodeInfo") or {}
    pods = [p for p in reader.listed("pods", "") if objects.spec(p).get("nodeName") == objects.name(obj)]
    running = [p for p in pods if objects.status(p).get("phase") not in ("Succeeded", "Failed")]
    columns = ("Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message")
    taints = [
        f"{t['key']}{'=' + t['value'] if t.get('value') else ''}:{t['effect']}"
        for t in spec.get("taints") or ()
    ]
    listed = [["Namespace", "Name"], ["---------", "----"]] + [
        [objects.namespace(p), objects.name(p)] for p in running
    ]
    return [
        *head(obj, namespaced=False),
        ("CreationTimestamp", _when(obj["metadata"].get("creationTimestamp"))),
        ("Taints", taints),
        ("Unschedulable", str(bool(spec.get("unschedulable"))).lower()),
        ("Conditions", Block(_conditions(status, columns))),
        ("Addresses", [(a["type"], a["address"]) for a in status.get("addresses") or ()] or "<none>"),
        ("Capacity", _resources(status.get("capacity"))),
        ("Allocatable", _resources(status.get("allocatable"))),
        ("System Info", [(_title(key), value) for key, value in info.items()] or "<none>"),
        (f"Non-terminated Pods ({len(running)} in total)", Block([x.rstrip() for x in table.align(listed)])),
    ]


def _resources(found: dict[str, str] | None) -> Any:
    return [(key, (found or {})[key]) for key in sorted(found or {})] or "<none>"


def _title(key: str) -> str:
    spaced = "".join(f" {char}" if char.isupper() else char for char in key)
    return spaced[:1].upper() + spaced[1:]


def _namespace(obj: Object, reader: Reader) -> list[Field]:
    return [*head(obj, namespaced=False), ("Status", objects.status(obj).get("phase", ""))]


def _config_map(obj: Object, reader: Reader) -> list[Field]:
    rows: list[str] = []
    for key in sorted(obj.get("data") or {}):
        rows += [f"{key}:", "----", *obj["data"][key].splitlines(), ""]
    binary = [
        f"{key}: {len(value) * 3 // 4} bytes" for key, value in sorted((obj.get("binaryData") or {}).items())
    ]
    return [*head(obj), ("Data", Block(["====", *rows])), ("BinaryData", Block(["====", *binary]))]


def _secret(obj: Object, reader: Reader) -> list[Field]:
    import base64

    data = obj.get("data") or {}
    rows = [f"{key}:  {len(base64.b64decode(data[key]))} bytes" for key in sorted(data)]
    return [*head(obj), ("Type", obj.get("type", "")), ("Data", Block(["====", *rows]))]


def _pod(obj: Object, reader: Reader) -> list[Field]:
    return describing_pod.pod(obj, head(obj))


KINDS: dict[str, Callable[[Object, Reader], list[Field]]] = {
    "ConfigMap": _config_map,
    "Deployment": _deployment,
    "Ingress": _ingress,
    "Namespace": _namespace,
    "Node": _node,
    "Pod": _pod,
    "ReplicaSet": _replica_set,
    "Secret": _secret,
    "Service": _service,
}
