"""The description of a pod and of a pod template."""

from __future__ import annotations

from typing import Any

from minikctl.model import objects

Object = dict[str, Any]
Field = tuple[str, Any]

VOLUME_TITLES = {
    "configMap": ("ConfigMap (a volume populated by a ConfigMap)", "name"),
    "secret": ("Secret (a volume populated by a Secret)", "secretName"),
    "emptyDir": ("EmptyDir (a temporary directory that shares a pod's lifetime)", "medium"),
    "hostPath": ("HostPath (bare host directory volume)", "path"),
    "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
    "projected": ("Projected (a volume that contains injected data from multiple sources)", ""),
    "downwardAPI": ("DownwardAPI (a volume populated by information about the pod)", ""),
}


def pod(obj: Object, head: list[Field]) -> list[Field]:
    """Return a pod's fields."""
    spec, status = objects.spec(obj), objects.status(obj)
    owner = objects.controller_of(obj)
    addresses = [("IP", entry["ip"]) for entry in status.get("podIPs") or ()]
    fields: list[Field] = [
        *head[:2],
        ("Priority", spec.get("priority", 0)),
        ("Service Account", spec.get("serviceAccountName", "")),
        ("Node", f"{spec['nodeName']}/{status.get('hostIP', '')}" if spec.get("nodeName") else "<none>"),
        ("Start Time", _when(status.get("startTime"))),
        *head[2:],
        ("Status", _phase(obj)),
    ]
    for name in ("reason", "message"):
        if status.get(name):
            fields.append((name.capitalize(), status[name]))
    fields += [("IP", status.get("podIP", "")), ("IPs", addresses or "<none>")]
    if owner:
        fields.append(("Controlled By", f"{owner['kind']}/{owner['name']}"))
    states = {s["name"]: s for s in _statuses(status)}
    for title, key in (("Init Containers", "initContainers"), ("Containers", "containers")):
        if spec.get(key):
            fields.append((title, [(c["name"], _container(c, states.get(c["name"]))) for c in spec[key]]))
    conditions = [(c["type"], c["status"]) for c in status.get("conditions") or ()]
    selector = [f"{key}={value}" for key, value in sorted((spec.get("nodeSelector") or {}).items())]
    return [
        *fields,
        ("Conditions", [("Type", "Status"), *conditions] if conditions else "<none>"),
        ("Volumes", _volumes(spec) or "<none>"),
        ("QoS Class", status.get("qosClass", "")),
        ("Node-Selectors", selector),
        ("Tolerations", [_toleration(t) for t in spec.get("tolerations") or ()]),
    ]


def template(found: Object) -> list[Field]:
    """Return a pod template's fields."""
    spec = found.get("spec") or {}
    labels = (found.get("metadata") or {}).get("labels") or {}
    fields: list[Field] = [("Labels", [f"{key}={labels[key]}" for key in sorted(labels)])]
    notes = (found.get("metadata") or {}).get("annotations") or {}
    if notes:
        fields.append(("Annotations", [f"{key}: {notes[key]}" for key in sorted(notes)]))
    for title, key in (("Init Containers", "initContainers"), ("Containers", "containers")):
        if spec.get(key):
            fields.append((title, [(c["name"], _container(c, None)) for c in spec[key]]))
    return [*fields, ("Volumes", _volumes(spec) or "<none>")]


def _statuses(status: Object) -> list[Object]:
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _phase(obj: Object) -> str:
    if objects.is_deleting(obj):
        grace = obj["metadata"].get("deletionGracePeriodSeconds")
        return f"Terminating (termination grace period {grace}s)"
    return str(objects.status(obj).get("phase", ""))


def _when(text: str | None) -> str:
    moment = objects.parse_time(text)
    return moment.astimezone().strftime("%a, %d %b %Y %H:%M:%S %z") if moment else "<none>"


def _container(container: Object, status: Object | None) -> list[Field]:
    fields: list[Field] = []
    if status:
        fields += [("Container ID", status.get("containerID", ""))]
    fields.append(("Image", container.get("image", "")))
    if status:
        fields.append(("Image ID", status.get("imageID", "")))
    ports = [f"{p['containerPort']}/{p.get('protocol', 'TCP')}" for p in container.get("ports") or ()]
    fields.append(("Port" if len(ports) < 2 else "Ports", ", ".join(ports) or "<none>"))
    host_ports = [f"{p.get('hostPort', 0)}/{p.get('protocol', 'TCP')}" for p in container.get("ports") or ()]
    fields.append(("Host Port" if len(ports) < 2 else "Host Ports", ", ".join(host_ports) or "<none>"))
    for title, key in (("Command", "command"), ("Args", "args")):
        if container.get(key):
            fields.append((title, list(container[key])))
    if status:
        fields += _state("State", status.get("state") or {})
        if status.get("lastState"):
            fields += _state("Last State", status["lastState"])
        fields += [
            ("Ready", str(status.get("ready", False))),
            ("Restart Count", status.get("restartCount", 0)),
        ]
    for title in ("limits", "requests"):
        found = (container.get("resources") or {}).get(title)
        if found:
            fields.append((title.capitalize(), [(key, found[key]) for key in sorted(found)]))
    for title, key in (
        ("Liveness", "livenessProbe"),
        ("Readiness", "readinessProbe"),
        ("Startup", "startupProbe"),
    ):
        if container.get(key):
            fields.append((title, probe(container[key])))
    env = [_env(entry) for entry in container.get("env") or ()]
    fields.append(("Environment", env or "<none>"))
    mounts = [_mount(entry) for entry in container.get("volumeMounts") or ()]
    return [*fields, ("Mounts", mounts or "<none>")]


def _state(title: str, state: Object) -> list[Field]:
    if state.get("running"):
        return [(title, "Running"), ("  Started", _when(state["running"].get("startedAt")))]
    if state.get("waiting"):
        fields: list[Field] = [(title, "Waiting"), ("  Reason", state["waiting"].get("reason", ""))]
        message = state["waiting"].get("message")
        return [*fields, ("  Message", message)] if message else fields
    ended = state.get("terminated")
    if not ended:
        return [(title, "Waiting")]
    fields = [(title, "Terminated"), ("  Reason", ended.get("reason", ""))]
    if ended.get("message"):
        fields.append(("  Message", ended["message"]))
    return [
        *fields,
        ("  Exit Code", ended.get("exitCode", 0)),
        ("  Started", _when(ended.get("startedAt"))),
        ("  Finished", _when(ended.get("finishedAt"))),
    ]


def probe(found: Object) -> str:
    """Return a probe in kubectl's words."""
    numbers = (
        f"delay={found.get('initialDelaySeconds', 0)}s timeout={found.get('timeoutSeconds', 1)}s "
        f"period={found.get('periodSeconds', 10)}s #success={found.get('successThreshold', 1)} "
        f"#failure={found.get('failureThreshold', 3)}"
    )
    if "exec" in found:
        return f"exec [{' '.join(found['exec'].get('command') or ())}] {numbers}"
    if "httpGet" in found:
        http = found["httpGet"]
        scheme = str(http.get("scheme", "HTTP")).lower()
        return f"http-get {scheme}://{http.get('host', '')}:{http['port']}{http.get('path', '/')} {numbers}"
    if "tcpSocket" in found:
        return f"tcp-socket {found['tcpSocket'].get('host', '')}:{found['tcpSocket']['port']} {numbers}"
    if "grpc" in found:
        return f"grpc <pod>:{found['grpc']['port']} {found['grpc'].get('service', '')} {numbers}"
    return f"unknown {numbers}"


def _env(entry: Object) -> Field:
    source = entry.get("valueFrom")
    if not source:
        return entry["name"], entry.get("value", "")
    if "secretKeyRef" in source:
        ref = source["secretKeyRef"]
        return entry["name"], f"<set to the key '{ref['key']}' in secret '{ref['name']}'>"
    if "configMapKeyRef" in source:
        ref = source["configMapKeyRef"]
        return entry["name"], f"<set to the key '{ref['key']}' of config map '{ref['name']}'>"
    if "fieldRef" in source:
        ref = source["fieldRef"]
        return entry["name"], f"({ref.get('apiVersion', 'v1')}:{ref['fieldPath']})"
    return entry["name"], str((source.get("resourceFieldRef") or {}).get("resource", ""))


def _mount(entry: Object) -> Field:
    modes = "ro" if entry.get("readOnly") else "rw"
    if entry.get("subPath"):
        modes += f',path="{entry["subPath"]}"'
    return f"{entry['mountPath']} from {entry['name']} ({modes})", ""


def _volumes(spec: Object) -> list[Field]:
    found: list[Field] = []
    for volume in spec.get("volumes") or ():
        kinds = [key for key in volume if key != "name"]
        kind = kinds[0] if kinds else "emptyDir"
        title, field = VOLUME_TITLES.get(kind, (kind, ""))
        fields: list[Field] = [("Type", title)]
        if field:
            fields.append((field[:1].upper() + field[1:], (volume.get(kind) or {}).get(field, "")))
        found.append((volume["name"], fields))
    return found


def _toleration(found: Object) -> str:
    text = found.get("key", "") + (f"={found['value']}" if found.get("value") else "")
    text += f":{found['effect']}" if found.get("effect") else ""
    text += " op=Exists" if found.get("operator") == "Exists" else ""
    seconds = found.get("tolerationSeconds")
    return text + (f" for {seconds}s" if seconds is not None else "")
