"""Short forms of objects for cases: ``- pod: {name: a, of: web}`` instead of twenty lines."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object

Fields = dict[str, Any]


def expand(entry: Fields, now: datetime) -> Object:
    """Return the object that an entry of ``given`` stands for; a whole object stands for itself."""
    if "kind" in entry:
        return _placed(entry)
    ((short, fields),) = entry.items()
    return _placed(_BUILDERS[short](dict(fields or {}), now))


def _placed(obj: Object) -> Object:
    metadata = dict(obj.get("metadata") or {})
    if obj["kind"] not in (
        "Node",
        "Namespace",
        "IngressClass",
        "PersistentVolume",
        "StorageClass",
        "ClusterRole",
        "IPAddress",
        "FlowSchema",
        "PriorityLevelConfiguration",
    ):
        metadata.setdefault("namespace", "default")
    return {**obj, "metadata": metadata}


def ago(now: datetime, seconds: float) -> str:
    """Return the text of a moment in the past."""
    return objects.timestamp(now - timedelta(seconds=seconds))


def _metadata(fields: Fields, now: datetime) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": fields.pop("name")}
    metadata["uid"] = fields.pop("uid", f"{metadata['name']}-uid")
    for name in ("namespace", "labels", "annotations", "finalizers", "ownerReferences", "generation"):
        if name in fields:
            metadata[name] = fields.pop(name)
    metadata["creationTimestamp"] = ago(now, fields.pop("age", 3600))
    if left := fields.pop("deleting", False):
        metadata["deletionTimestamp"] = ago(now, 0 if left is True else -left)
        if fields.pop("grace", False):
            metadata["deletionGracePeriodSeconds"] = 30
    return metadata


def _owned(metadata: dict[str, Any], kind: str, api: str, owner: str | None) -> None:
    if owner is not None:
        reference = {"apiVersion": api, "kind": kind, "name": owner, "uid": f"{owner}-uid"}
        metadata["ownerReferences"] = [{**reference, "controller": True, "blockOwnerDeletion": True}]


_OWNERS = {
    "of": ("ReplicaSet", "apps/v1"),
    "ofSet": ("StatefulSet", "apps/v1"),
    "ofDaemon": ("DaemonSet", "apps/v1"),
    "ofController": ("ReplicationController", "v1"),
}
"""The kinds of a pod's owner, by the field that names it."""


def _pod(fields: Fields, now: datetime) -> Object:
    grace = {"grace": True} if fields.get("deleting") and fields.get("node", "one") else {}
    metadata = _metadata({**fields, **grace}, now)
    metadata.setdefault("labels", {"app": "web"})
    for field, (kind, api) in _OWNERS.items():
        _owned(metadata, kind, api, fields.get(field))
    spec: dict[str, Any] = {"containers": fields.get("containers") or [{"name": "main", "image": "demo"}]}
    node = fields.get("node", "one")
    if node:
        spec["nodeName"] = node
    spec.update(fields.get("spec") or {})
    status: dict[str, Any] = {"phase": fields.get("phase", "Running")}
    if fields.get("ip"):
        status |= {"podIP": fields["ip"], "podIPs": [{"ip": fields["ip"]}]}
    ready = fields.get("ready")
    if ready is not None:
        since = {"lastTransitionTime": ago(now, ready)} if ready is not True else {}
        told = "False" if ready is False else "True"
        status["conditions"] = [{"type": "Ready", "status": told, **({} if ready is False else since)}]
    if fields.get("restarts") is not None:
        status["containerStatuses"] = [{"name": "main", "restartCount": fields["restarts"]}]
    status.update(fields.get("status") or {})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def _template(app: str, image: str, extra: dict[str, str] | None = None) -> dict[str, Any]:
    labels = {"app": app, **(extra or {})}
    return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}


def _replica_set(fields: Fields, now: datetime) -> Object:
    app = fields.get("app", "web")
    suffix = {"pod-template-hash": fields["hash"]} if "hash" in fields else {}
    labels = {"app": app, **suffix}
    metadata = _metadata({"labels": labels, "generation": 1, **fields}, now)
    _owned(metadata, "Deployment", "apps/v1", fields.get("of"))
    replicas = fields.get("replicas", 1)
    notes = dict(metadata.get("annotations") or {})
    for short, name in (("revision", "revision"), ("desired", "desired-replicas"), ("max", "max-replicas")):
        if short in fields:
            notes[f"deployment.kubernetes.io/{name}"] = str(fields[short])
    if notes:
        metadata["annotations"] = notes
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": _template(app, fields.get("image", "demo:1"), suffix),
        **(fields.get("spec") or {}),
    }
    available = fields.get("available", 0)
    counts = {"replicas": fields.get("actual", replicas), "observedGeneration": 1}
    counts |= {"readyReplicas": available, "availableReplicas": available} if available else {}
    status = {**counts, **(fields.get("status") or {})}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


def _deployment(fields: Fields, now: datetime) -> Object:
    app = fields.get("app", "web")
    spec = {
        "replicas": fields.get("replicas", 3),
        "selector": {"matchLabels": {"app": app}},
        "template": _template(app, fields.get("image", "demo:1")),
        "progressDeadlineSeconds": 600,
        "revisionHistoryLimit": 10,
        **(fields.get("spec") or {}),
    }
    metadata = _metadata({"generation": 1, **fields}, now)
    found = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    return {**found, "status": fields["status"]} if "status" in fields else found


def _workload(kind: str, more: Fields) -> Any:
    """Return the builder of a workload of apps/v1."""

    def build(fields: Fields, now: datetime) -> Object:
        metadata = _metadata({"generation": 1, **fields}, now)
        spec = {
            "selector": {"matchLabels": {"app": "web"}},
            "template": _template("web", fields.get("image", "demo:1")),
            "revisionHistoryLimit": 10,
            **more,
            **({"replicas": fields["replicas"]} if "replicas" in fields else {}),
            **(fields.get("spec") or {}),
        }
        found = {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}
        return {**found, "status": fields["status"]} if "status" in fields else found

    return build


def _replication_controller(fields: Fields, now: datetime) -> Object:
    metadata = _metadata({"generation": 1, **fields}, now)
    spec = {
        "replicas": fields.get("replicas", 1),
        "selector": {"app": "web"},
        "template": _template("web", "demo:1"),
        **(fields.get("spec") or {}),
    }
    return {"apiVersion": "v1", "kind": "ReplicationController", "metadata": metadata, "spec": spec}


def _revision(fields: Fields, now: datetime) -> Object:
    metadata = _metadata({"labels": {"app": "web"}, **fields}, now)
    kind = fields.get("kind", "StatefulSet")
    _owned(metadata, kind, "apps/v1", fields.get("of", "web"))
    template = {"$patch": "replace", **_template("web", fields.get("image", "demo:1"))}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "data": {"spec": {"template": template}},
        "revision": fields.get("revision", 1),
    }


def _claim(fields: Fields, now: datetime) -> Object:
    metadata = _metadata({"finalizers": ["kubernetes.io/pvc-protection"], **fields}, now)
    spec = {
        "accessModes": fields.get("modes", ["ReadWriteOnce"]),
        "resources": {"requests": {"storage": fields.get("size", "1Gi")}},
        **({"storageClassName": fields["class"]} if "class" in fields else {}),
        **({"volumeName": fields["volume"]} if "volume" in fields else {}),
        **(fields.get("spec") or {}),
    }
    if fields.get("bound"):
        notes = {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}
        metadata["annotations"] = {**notes, **(metadata.get("annotations") or {})}
    status = {"phase": fields.get("phase", "Pending"), **(fields.get("status") or {})}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


def _volume(fields: Fields, now: datetime) -> Object:
    metadata = _metadata({"finalizers": ["kubernetes.io/pv-protection"], **fields}, now)
    spec: dict[str, Any] = {
        "capacity": {"storage": fields.get("size", "1Gi")},
        "accessModes": fields.get("modes", ["ReadWriteOnce"]),
        "persistentVolumeReclaimPolicy": fields.get("policy", "Retain"),
        "hostPath": {"path": f"/data/{metadata['name']}"},
        **({"storageClassName": fields["class"]} if "class" in fields else {}),
        **(fields.get("spec") or {}),
    }
    if "claim" in fields:
        found = {"kind": "PersistentVolumeClaim", "namespace": "default", "name": fields["claim"]}
        uid = {} if fields.get("reserved") else {"uid": f"{fields['claim']}-uid"}
        spec["claimRef"] = {**found, **uid}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": metadata,
        "spec": spec,
        "status": {"phase": fields.get("phase", "Available")},
    }


def _storage_class(fields: Fields, now: datetime) -> Object:
    metadata = _metadata(fields, now)
    if fields.get("default"):
        metadata["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata,
        "provisioner": fields.get("provisioner", "minikctl.dev/host-path"),
        "reclaimPolicy": fields.get("policy", "Delete"),
        "volumeBindingMode": "WaitForFirstConsumer" if fields.get("waits") else "Immediate",
        **{name: fields[name] for name in ("mountOptions", "allowedTopologies") if name in fields},
    }


def _service(fields: Fields, now: datetime) -> Object:
    spec = {
        "selector": {"app": "web"},
        "clusterIP": "10.96.0.20",
        "ipFamilies": ["IPv4"],
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}],
        **(fields.get("spec") or {}),
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(fields, now), "spec": spec}


def _node(fields: Fields, now: datetime) -> Object:
    amounts = {"cpu": "4", "memory": "8Gi", "pods": "110", **(fields.get("allocatable") or {})}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": _metadata(fields, now),
        "spec": fields.get("spec") or {},
        "status": {"allocatable": amounts, **(fields.get("status") or {})},
    }


def _namespace(fields: Fields, now: datetime) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": _metadata(fields, now),
        "spec": {"finalizers": fields.get("holds", ["kubernetes"])},
        "status": {"phase": "Active", **(fields.get("status") or {})},
    }


def _autoscaler(fields: Fields, now: datetime) -> Object:
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1,
        "maxReplicas": 10,
        "metrics": [{"type": "Resource", "resource": cpu}],
        **(fields.get("spec") or {}),
    }
    found = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
    return {**found, "metadata": _metadata(fields, now), "spec": spec, "status": fields.get("status") or {}}


def _budget(fields: Fields, now: datetime) -> Object:
    spec = {"selector": {"matchLabels": {"app": "web"}}, **(fields.get("spec") or {})}
    metadata = _metadata({"generation": 1, **fields}, now)
    found = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec}
    return {**found, "status": fields.get("status") or {}}


def _job(fields: Fields, now: datetime) -> Object:
    metadata = _metadata({"generation": 1, **fields}, now)
    _owned(metadata, "CronJob", "batch/v1", fields.get("of"))
    spec = {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        "podReplacementPolicy": "TerminatingOrFailed",
        "selector": {"matchLabels": {"job": metadata["name"]}},
        "template": {
            "metadata": {"labels": {"job": metadata["name"]}},
            "spec": {"containers": [{"name": "main", "image": "demo"}], "restartPolicy": "Never"},
        },
        **(fields.get("spec") or {}),
    }
    status = dict(fields.get("status") or {})
    if fields.get("ended"):
        at = {
            "lastTransitionTime": ago(now, fields.get("ago", 60)),
            "lastProbeTime": ago(now, fields.get("ago", 60)),
        }
        status["conditions"] = [{"type": fields["ended"], "status": "True", **at}]
        status |= {"completionTime": at["lastTransitionTime"]} if fields["ended"] == "Complete" else {}
        status |= {"startTime": ago(now, fields.get("ago", 60) + 10)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec, "status": status}


def _job_pod(fields: Fields, now: datetime) -> Object:
    """Return a pod of the Job named by ``job``; ``exit`` is the code with which it ended ``ago`` seconds ago."""
    job = fields.pop("job", "work")
    notes: dict[str, str] = {}
    labels = {"job": job}
    if "index" in fields:
        notes = {"batch.kubernetes.io/job-completion-index": str(fields.pop("index"))}
        labels |= notes
    if "failures" in fields:
        notes["batch.kubernetes.io/job-index-failure-count"] = str(fields.pop("failures"))
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": f"{job}-uid"}
    finalizers = ["batch.kubernetes.io/job-tracking"] if fields.pop("tracked", True) else []
    more: Fields = {"labels": labels, "finalizers": finalizers, "annotations": notes}
    more["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": True}]
    if "exit" in fields:
        code = fields.pop("exit")
        ended = {"exitCode": code, "finishedAt": ago(now, fields.pop("ago", 3600))}
        fields["phase"] = "Failed" if code else "Succeeded"
        told = {"containerStatuses": [{"name": "main", "state": {"terminated": ended}}]}
        fields["status"] = {**told, **(fields.get("status") or {})}
    return _pod({**more, **fields}, now)


def _cron_job(fields: Fields, now: datetime) -> Object:
    template = {"spec": {"containers": [{"name": "main", "image": "demo"}], "restartPolicy": "Never"}}
    spec = {
        "schedule": "0 * * * *",
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
        "jobTemplate": {"metadata": {"labels": {"made": "yes"}}, "spec": {"template": template}},
        **(fields.get("spec") or {}),
    }
    found = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": _metadata({"generation": 1, **fields}, now),
    }
    return {**found, "spec": spec, "status": fields.get("status") or {}}


def _config_map(fields: Fields, now: datetime) -> Object:
    found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(fields, now)}
    return {**found, "data": fields["data"]} if "data" in fields else found


_BUILDERS = {
    "pod": _pod,
    "replicaSet": _replica_set,
    "deployment": _deployment,
    "statefulSet": _workload("StatefulSet", {"replicas": 1, "serviceName": "peers"}),
    "daemonSet": _workload("DaemonSet", {}),
    "replicationController": _replication_controller,
    "revision": _revision,
    "claim": _claim,
    "volume": _volume,
    "storageClass": _storage_class,
    "service": _service,
    "node": _node,
    "namespace": _namespace,
    "configMap": _config_map,
    "autoscaler": _autoscaler,
    "budget": _budget,
    "job": _job,
    "jobPod": _job_pod,
    "cronJob": _cron_job,
}
