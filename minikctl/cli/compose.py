"""From a Compose file to manifests: Deployments, Services and claims, and what could not be taken over.

The fields are those of https://github.com/compose-spec/compose-spec/blob/main/spec.md.  Pure: reads no files.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from minikctl import errors
from minikctl.cli import compose_files, compose_pod, compose_rest, timespan
from minikctl.cli.compose_files import Read, name_of
from minikctl.cli.compose_text import Variables, amount, of_file
from minikctl.model import names

Object = dict[str, Any]

TAKEN = frozenset(
    (
        "image", "command", "entrypoint", "environment", "ports", "expose", "volumes", "deploy", "scale",
        "healthcheck", "working_dir", "user", "labels", "annotations", "container_name", "hostname", "restart", "stdin_open", "tty",
        "cap_add", "cap_drop", "privileged", "read_only", "mem_limit", "mem_reservation", "cpus", "networks", "depends_on",
        "stop_grace_period", "pull_policy", "profiles", "env_file", "tmpfs", "extra_hosts", "secrets", "configs", "build",
        "shm_size", "sysctls", "dns", "dns_search", "dns_opt",
    )
)  # fmt: skip
"""What is understood; ``networks`` need nothing but their aliases: all pods reach one another."""

DEFAULT_SIZE = "1Gi"
_PULLS = {
    "always": "Always", "never": "Never", "missing": "IfNotPresent", "if_not_present": "IfNotPresent", "build": "Never"
}  # fmt: skip


def convert(
    given: Mapping[str, Any],
    directory: str,
    known: Mapping[str, str],
    read: Read,
    profiles: Collection[str] = (),
) -> tuple[list[Object], list[str]]:
    """Return manifests and remarks on what has no counterpart.

    ``directory`` is where bind mounts begin, ``known`` are variables, ``read`` returns the files that are named.
    Services with ``profiles`` of their own are taken when one of these is among the given ones, or "*" is.
    """
    variables = Variables(known)
    found = variables.put_in(given)
    services = found.get("services")
    if not isinstance(services, Mapping) or not services:
        raise errors.UsageError("error: the file has no services: it is no Compose file")
    remarks = [
        f"{key}: not taken over"
        for key in found
        if key not in ("services", "volumes", "networks", "version", "name", *compose_files.DIRECTORIES)
        and not str(key).startswith("x-")
    ]
    files = compose_files.declared(found, known, read)
    remarks += [*files.remarks, *(f"${name} is not set: taken to be empty" for name in variables.missing)]
    around = _Around(directory, str(found.get("name") or os.path.basename(directory)), known, read, files)
    remarks += compose_rest.of_file(found)
    made: list[Object] = list(files.objects.values())
    ending = compose_rest.ends({k: v for k, v in services.items() if isinstance(v, Mapping)})
    claims: dict[str, None] = {}
    for name, service in services.items():
        if not isinstance(service, Mapping):
            raise errors.UsageError(f"error: services.{name} is no service")
        if not _is_active(service, profiles):
            remarks.append(
                f"services.{name}: left out: it is of the profile {' or '.join(service['profiles'])}"
            )
            continue
        one = _Service(name_of(name), service, around, ends=name in ending)
        made += one.objects()
        remarks += [f"services.{name}.{remark}" for remark in one.remarks]
        claims |= dict.fromkeys(one.claims)
    return [*map(_claim, claims), *made], remarks


def _is_active(service: Mapping[str, Any], profiles: Collection[str]) -> bool:
    own = service.get("profiles")
    return not own or "*" in profiles or any(str(profile) in profiles for profile in own)


def _awaited(given: Any) -> list[str]:
    """Return the services whose health or end a service waits for in Compose."""
    listed = given.items() if isinstance(given, Mapping) else ()
    wanted = ((name, entry.get("condition")) for name, entry in listed if isinstance(entry, Mapping))
    return [str(name) for name, condition in wanted if condition not in (None, "service_started")]


def _claim(name: str) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": DEFAULT_SIZE}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


class _Around(NamedTuple):
    """What a service needs to know of the file and its place."""

    directory: str
    project: str
    variables: Mapping[str, str]
    read: Read
    files: compose_files.Files


class _Service:
    def __init__(self, name: str, given: Mapping[str, Any], around: _Around, *, ends: bool) -> None:
        self.name = name
        self._ends = ends
        self.claims: list[str] = []
        self.remarks = [f"{key}: not taken over" for key in given if key not in TAKEN]
        self._given = given
        self._around = around
        self._volumes: list[Object] = []
        self._published = list(self._ports())
        self.remarks += [*compose_pod.remarks(given), *compose_rest.of_service(given)]
        if self._restart() in ("no", "false", "on-failure") and not ends:
            self.remarks.append("restart: a Deployment's containers are always started again")
        if awaited := _awaited(given.get("depends_on")):
            self.remarks.append(
                f"depends_on: nothing waits for {', '.join(awaited)}: what starts too early has to try again"
            )

    def _restart(self) -> str:
        return _text(self._given.get("restart", "always")).partition(":")[0]

    def objects(self) -> list[Object]:
        """Return the Deployment, or the Job, and the Services."""
        labels = {"app": self.name}
        spec: Object = {"containers": [self._container()], **self._of_pod()}
        if self._volumes:
            spec["volumes"] = self._volumes
        template: Object = {"labels": labels}
        given = compose_rest.labels(self._given).items()
        notes = {key: _text(value) for key, value in given if not list(names.qualified_name(key))}
        if notes:
            template["annotations"] = notes
        if self._ends:
            return self._job(template, spec)
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": self.name, "labels": labels},
            "spec": {
                "replicas": self._replicas(),
                "selector": {"matchLabels": labels},
                "template": {"metadata": template, "spec": spec},
            },
        }
        if self.claims:
            deployment["spec"]["strategy"] = {"type": "Recreate"}  # type: ignore[index]
        return [deployment, *self._services(labels)]

    def _job(self, template: Object, spec: Object) -> list[Object]:
        """Return the Job, which goes on until the container has ended well or was not to be started again."""
        # What begins before others are ready has to try again.
        is_once = self._restart() in ("no", "false") and not self._given.get("depends_on")
        wanted: Object = {
            "template": {
                "metadata": template,
                "spec": {**spec, "restartPolicy": "Never" if is_once else "OnFailure"},
            }
        }
        if is_once:
            wanted["backoffLimit"] = 0
        metadata = {"name": self.name, "labels": template["labels"]}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": wanted}
        return [job, *(self._services(template["labels"]) if self._published else ())]

    def _services(self, labels: Mapping[str, str]) -> list[Object]:
        """Return the Service, and one without a published port for each further name."""
        own = self._service(labels)
        inside = {key: value for key, value in own["spec"].items() if key != "type"}
        others = compose_rest.aliases(self.name, self._given)
        return [own, *({**own, "metadata": {"name": alias}, "spec": inside} for alias in others)]

    def _of_pod(self) -> Object:
        """Return the fields of the pod as a whole."""
        found = compose_pod.fields(self._given)
        if self._given.get("hostname"):
            found["hostname"] = self._given["hostname"]
        if self._given.get("stop_grace_period"):
            grace = round(timespan.seconds(str(self._given["stop_grace_period"])))
            found["terminationGracePeriodSeconds"] = grace
        hosts: dict[str, list[str]] = {}
        for name, address in _hosts(self._given.get("extra_hosts")):
            if re.fullmatch(r"[0-9a-fA-F.:]+", address):
                hosts.setdefault(address, []).append(name)
            else:
                self.remarks.append(f"extra_hosts: {name}: {address} is no address")
        if hosts:
            found["hostAliases"] = [{"ip": address, "hostnames": names} for address, names in hosts.items()]
        return found

    def _replicas(self) -> int:
        return int(self._given.get("scale") or (self._given.get("deploy") or {}).get("replicas") or 1)

    def _container(self) -> Object:
        given = self._given
        found: Object = {"name": self.name, "image": self._image()}
        policy = _PULLS.get(str(given.get("pull_policy") or ""))
        if policy or "build" in given:
            found["imagePullPolicy"] = policy or "IfNotPresent"
        for ours, theirs in (("command", "entrypoint"), ("args", "command")):
            if given.get(theirs):
                value = given[theirs]
                found[ours] = shlex.split(value) if isinstance(value, str) else [str(word) for word in value]
        environment = self._environment()
        if environment:
            found["env"] = [{"name": key, "value": value} for key, value in environment.items()]
        ports = dict.fromkeys((inner, protocol) for _, inner, protocol in self._published)
        if ports:
            found["ports"] = [
                {"containerPort": port}
                if protocol == "TCP"
                else {"containerPort": port, "protocol": protocol}
                for port, protocol in ports
            ]
        if given.get("working_dir"):
            found["workingDir"] = given["working_dir"]
        mounts = [*self._mounts(), *self._temporary(), *self._shared(), *self._files()]
        if mounts:
            found["volumeMounts"] = mounts
        found |= self._rest()
        return found

    def _image(self) -> str:
        image = str(self._given.get("image") or "")
        if "build" not in self._given:
            if not image:
                raise errors.UsageError(f"error: services.{self.name} has neither image nor build")
            return image
        name = image or f"{name_of(self._around.project)}-{self.name}"  # so Compose names what it builds
        given = self._given["build"]
        context = given.get("context") if isinstance(given, Mapping) else given
        more = (
            f" -f {context or '.'}/{given['dockerfile']}"
            if isinstance(given, Mapping) and given.get("dockerfile")
            else ""
        )
        self.remarks.append(
            f"build: `docker build -t {name}{more} {context or '.'}` has to make the image first;"
            f" after each later build: `minikctl rollout restart deploy/{self.name}`"
        )
        return name

    def _environment(self) -> dict[str, str]:
        found: dict[str, str] = {}
        files = self._given.get("env_file") or ()
        for entry in [files] if isinstance(files, str | Mapping) else files:
            path = str(entry["path"] if isinstance(entry, Mapping) else entry)
            variables = Variables(self._around.variables)
            try:
                content = self._around.read(path)
            except errors.UsageError:
                if isinstance(entry, Mapping) and entry.get("required") is False:
                    continue
                raise
            found |= of_file(content, variables)
            told = (f"env_file: ${name} is not set: taken to be empty" for name in variables.missing)
            self.remarks += [remark for remark in told if remark not in self.remarks]
        given = self._given.get("environment")
        if not isinstance(given, Mapping):
            given = {
                key: value if equals else None
                for key, equals, value in (str(entry).partition("=") for entry in given or ())
            }
        for key, value in given.items():
            text = self._around.variables.get(key) if value is None else _text(value)
            if text is None:
                found.pop(key, None)
            else:
                found[key] = text
        return found

    def _temporary(self) -> Iterator[Object]:
        """Yield a mount in memory for each path of ``tmpfs``; options behind a colon count for Compose only."""
        given = self._given.get("tmpfs") or ()
        for number, entry in enumerate([given] if isinstance(given, str) else given):
            name = f"memory-{number}"
            self._volumes.append({"name": name, "emptyDir": {"medium": "Memory"}})
            yield {"name": name, "mountPath": str(entry).partition(":")[0]}

    def _shared(self) -> Iterator[Object]:
        for volume, mount in compose_pod.shared(self._given):
            self._volumes.append(volume)
            yield mount

    def _files(self) -> Iterator[Object]:
        for volume, mount in compose_files.mounted(self._given, self._around.files):
            if volume not in self._volumes:
                self._volumes.append(volume)
            yield mount

    def _rest(self) -> Object:
        found: Object = {}
        given = self._given
        for ours, theirs in (("stdin", "stdin_open"), ("tty", "tty")):
            if given.get(theirs):
                found[ours] = True
        probe = _probe(given.get("healthcheck") or {})
        if probe:
            found["readinessProbe"] = probe
        resources = (given.get("deploy") or {}).get("resources") or {}
        limits = {**_limits(given), **_limits(resources.get("limits") or {})}
        requests = {
            **_limits({"memory": given.get("mem_reservation")}),
            **_limits(resources.get("reservations") or {}),
        }
        amounts = {name: value for name, value in (("limits", limits), ("requests", requests)) if value}
        if amounts:
            found["resources"] = amounts
        security = self._security()
        if security:
            found["securityContext"] = security
        return found

    def _security(self) -> Object:
        given = self._given
        found: Object = {}
        user = str(given.get("user") or "")
        if user:
            uid, _, gid = user.partition(":")
            if uid.isdecimal():
                found["runAsUser"] = int(uid)
            else:
                self.remarks.append(f"user: {user} is a name: Kubernetes takes numbers only")
            if gid.isdecimal():
                found["runAsGroup"] = int(gid)
        if given.get("privileged"):
            found["privileged"] = True
        if given.get("read_only"):
            found["readOnlyRootFilesystem"] = True
        capabilities = {
            ours: list(given[theirs])
            for ours, theirs in (("add", "cap_add"), ("drop", "cap_drop"))
            if given.get(theirs)
        }
        if capabilities:
            found["capabilities"] = capabilities
        return found

    def _ports(self) -> Iterator[tuple[int, int, str]]:
        """Yield (published, inner, protocol); not published ones are so under their own number."""
        for entry in self._given.get("ports") or ():
            if isinstance(entry, Mapping):
                inner = int(entry["target"])
                yield int(entry.get("published") or inner), inner, str(entry.get("protocol") or "tcp").upper()
                continue
            text, _, protocol = str(entry).partition("/")
            parts = text.rsplit(":", 2)
            inner_text, outer = parts[-1], parts[-2] if len(parts) > 1 and parts[-2] else parts[-1]
            outers, inners = _range(outer), _range(inner_text)
            if len(outers) != len(inners):
                self.remarks.append(f"ports: {entry}: one port of a range is not taken over")
                continue
            for published, number in zip(outers, inners, strict=True):
                yield published, number, (protocol or "tcp").upper()
        for entry in self._given.get("expose") or ():
            number = int(str(entry).partition("/")[0])
            yield number, number, "TCP"

    def _service(self, labels: Mapping[str, str]) -> Object:
        ports: dict[tuple[int, str], Object] = {}
        for outer, inner, protocol in self._published:
            entry = {"name": f"{protocol.lower()}-{outer}", "port": outer, "targetPort": inner}
            ports.setdefault(
                (outer, protocol), entry if protocol == "TCP" else {**entry, "protocol": protocol}
            )
        if not ports:
            # Without ports, too, others find it by its name, at whatever it listens on.
            spec: Object = {"clusterIP": "None", "selector": dict(labels)}
            return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": self.name}, "spec": spec}
        # What Compose publishes on this machine is published here too.
        kind = {"type": "LoadBalancer"} if self._given.get("ports") else {}
        spec = {**kind, "selector": dict(labels), "ports": list(ports.values())}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": self.name}, "spec": spec}

    def _mounts(self) -> Iterator[Object]:
        for number, entry in enumerate(self._given.get("volumes") or ()):
            source, target, read_only, kind = _volume(entry)
            more = entry if isinstance(entry, Mapping) else {}
            name = f"data-{number}"
            mount: Object = {"name": name, "mountPath": target, **({"readOnly": True} if read_only else {})}
            if part := (more.get("volume") or more.get("image") or {}).get("subpath"):
                mount["subPath"] = str(part)
            self._volumes.append({"name": name, **self._source(source, kind, more)})
            yield mount

    def _source(self, source: str, kind: str, more: Mapping[str, Any]) -> Object:
        """Return where the content of a volume is; a claim is noted."""
        if kind == "tmpfs":
            size = (more.get("tmpfs") or {}).get("size")
            return {"emptyDir": {"medium": "Memory", **({"sizeLimit": amount(size)} if size else {})}}
        if kind == "image":
            return {"image": {"reference": source}}
        if not source:
            return {"emptyDir": {}}
        if kind == "bind" or source.startswith((".", "/", "~")):
            path = (
                source if source.startswith("/") else f"{self._around.directory}/{source.removeprefix('./')}"
            )
            return {"hostPath": {"path": path.rstrip("/.") or "/"}}
        claim = name_of(source)
        self.claims.append(claim)
        return {"persistentVolumeClaim": {"claimName": claim}}


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _hosts(given: Any) -> Iterator[tuple[str, str]]:
    """Yield name and address of each entry: a map, or ``name=address`` or ``name:address`` texts."""
    if isinstance(given, Mapping):
        for name, addresses in given.items():
            for address in [addresses] if isinstance(addresses, str) else addresses:
                yield str(name), address
        return
    for entry in given or ():
        name, equals, address = str(entry).partition("=")
        if not equals:
            name, _, address = str(entry).partition(":")
        yield name, address.strip("[]")


def _volume(entry: Any) -> tuple[str, str, bool, str]:
    if isinstance(entry, Mapping):
        kind = str(entry.get("type") or "volume")
        return str(entry.get("source") or ""), str(entry["target"]), bool(entry.get("read_only")), kind
    parts = str(entry).split(":")
    if len(parts) == 1:
        return "", parts[0], False, "volume"
    return parts[0], parts[1], "ro" in parts[2:], ""


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _limits(given: Mapping[str, Any]) -> Object:
    found: Object = {}
    memory = given.get("mem_limit") or given.get("memory")
    if memory:
        found["memory"] = amount(memory)
    if given.get("cpus"):
        found["cpu"] = str(given["cpus"])
    return found


def _probe(given: Mapping[str, Any]) -> Object | None:
    test = given.get("test")
    if not test or given.get("disable") or test == ["NONE"]:
        return None
    if isinstance(test, str):
        command = ["sh", "-c", test]
    else:
        command = ["sh", "-c", str(test[1])] if test[0] == "CMD-SHELL" else [str(word) for word in test[1:]]
    found: Object = {"exec": {"command": command}}
    for ours, theirs in (
        ("periodSeconds", "interval"),
        ("timeoutSeconds", "timeout"),
        ("initialDelaySeconds", "start_period"),
    ):
        if given.get(theirs):
            found[ours] = max(1, round(timespan.seconds(str(given[theirs]))))
    if given.get("retries"):
        found["failureThreshold"] = int(given["retries"])
    return found
