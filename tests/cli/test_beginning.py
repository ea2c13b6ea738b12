"""Getting started: a scaffolded app, an app from a Compose file, and a picture of what runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from minikctl import errors
from minikctl.cli import compose
from minikctl.cli.output import arranging, picture
from tests.cli.conftest import World, call

COMPOSE = """
name: shop
services:
  web:
    image: nginx:1
    ports: ["8080:80", {target: 53, published: 5353, protocol: udp}]
    environment: {A: b, C: true, D: , HOME: }
    volumes: ["data:/data", "./src:/src:ro", "/scratch", {type: tmpfs, target: /tmp}]
    depends_on: [db]
    deploy: {replicas: 2, resources: {limits: {cpus: "0.5", memory: 128M}}}
    healthcheck: {test: ["CMD", "true"], interval: 1m30s, retries: 3}
    logging: {driver: none}
  db:
    image: postgres
    command: postgres -c "a b"
    environment: [X=y]
    user: "70:71"
    expose: [5432]
volumes: {data: {}}
x-notes: {}
models: {}
secrets: {s: {external: true}}
"""


VARIABLES = {"HOME": "/home/me", "EMPTY": "", "TAG": "7", "TOKEN": "t"}
FILES = {
    "app.env": "# no\nexport A=1\nB='x # y' # z\nC=a b # c\nnothing\nD=\"$TAG-${A}$NIX\"\nE='$TAG'\n",
    "./conf": "listen 80\n",
}
FULL = """
name: Shop 1
x-common: &common
  image: "web:${TAG:-1}"
  env_file: [app.env, {path: app.env}]
services:
  one:
    <<: *common
    environment: [A=2, HOME, GONE]
    ports: ["8080-8081:80-81", "90-92:9"]
    extra_hosts: ["a:1.2.3.4", "b=1.2.3.4", "c:[::1]", "d:host-gateway"]
    tmpfs: /run:size=1m
    stop_grace_period: 1m
    pull_policy: missing
    labels: {l: "$$x"}
    restart: on-failure:3
    secrets: [tok, nowhere]
    configs: [{source: cfg, target: /etc/cfg}, cfg]
  two:
    build: {context: ./two, dockerfile: Two}
    command: ["${EMPTY-unset}", "${EMPTY:-unset}", "${GONE+x}", "${TAG:+is ${TAG}}", "$TAG$LOST", "5$"]
    tmpfs: [/a, /b]
    extra_hosts: {h: [1.2.3.4, 1.2.3.5], i: 1.2.3.4}
    annotations: [n=m]
secrets: {tok: {environment: TOKEN}}
configs: {cfg: {file: ./conf}, inline: {content: "a"}}
"""


def read(name: str) -> str:
    """Return a file's content, as the command does."""
    if name not in FILES:
        raise errors.UsageError(f"error: unable to read {name}")
    return FILES[name]


def converted(text: str) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the manifests by kind and name, and the remarks."""
    objects, remarks = compose.convert(yaml.safe_load(text), "/work", VARIABLES, read)
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in objects}, remarks


def test_a_compose_file_becomes_workloads_services_and_claims() -> None:
    found, remarks = converted(COMPOSE)
    assert list(found) == [
        "PersistentVolumeClaim/data",
        "Deployment/web",
        "Service/web",
        "Deployment/db",
        "Service/db",
    ]
    assert remarks == [
        "models: not taken over",
        "secrets.s: not taken over: it has no file, content or environment",
        "services.web.logging: not taken over",
    ]
    web = found["Deployment/web"]["spec"]
    container = web["template"]["spec"]["containers"][0]
    assert web["replicas"] == 2
    assert web["strategy"] == {"type": "Recreate"}
    assert container["env"] == [
        {"name": "A", "value": "b"},
        {"name": "C", "value": "true"},
        {"name": "HOME", "value": "/home/me"},
    ]
    assert container["resources"] == {"limits": {"cpu": "0.5", "memory": "128Mi"}}
    assert container["readinessProbe"] == {
        "exec": {"command": ["true"]},
        "periodSeconds": 90,
        "failureThreshold": 3,
    }
    assert web["template"]["spec"]["volumes"] == [
        {"name": "data-0", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "data-1", "hostPath": {"path": "/work/src"}},
        {"name": "data-2", "emptyDir": {}},
        {"name": "data-3", "emptyDir": {"medium": "Memory"}},
    ]
    assert container["volumeMounts"][1] == {"name": "data-1", "mountPath": "/src", "readOnly": True}
    assert container["ports"] == [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}]
    assert found["Service/web"]["spec"]["type"] == "LoadBalancer"
    assert found["Service/web"]["spec"]["ports"][1] == {
        "name": "udp-5353",
        "port": 5353,
        "targetPort": 53,
        "protocol": "UDP",
    }
    database = found["Deployment/db"]["spec"]["template"]["spec"]["containers"][0]
    assert database["args"] == ["postgres", "-c", "a b"]
    assert database["securityContext"] == {"runAsUser": 70, "runAsGroup": 71}
    assert "type" not in found["Service/db"]["spec"]


def test_variables_files_and_pods_fields_are_taken_over() -> None:
    found, remarks = converted(FULL)
    assert list(found) == [
        "Secret/tok",
        "ConfigMap/cfg",
        "ConfigMap/inline",
        "Deployment/one",
        "Service/one",
        "Deployment/two",
        "Service/two",
    ]
    assert found["Secret/tok"]["stringData"] == {"content": "t"}
    assert found["ConfigMap/cfg"]["data"] == {"content": "listen 80\n"}
    template = found["Deployment/one"]["spec"]["template"]
    pod, container = template["spec"], template["spec"]["containers"][0]
    assert (container["image"], container["imagePullPolicy"]) == ("web:7", "IfNotPresent")
    assert {each["name"]: each["value"] for each in container["env"]} == {
        "A": "2",
        "B": "x # y",
        "C": "a b",
        "D": "7-1",
        "E": "$TAG",
        "HOME": "/home/me",
    }
    assert template["metadata"]["annotations"] == {"l": "$x"}
    assert pod["terminationGracePeriodSeconds"] == 60
    assert pod["hostAliases"] == [
        {"ip": "1.2.3.4", "hostnames": ["a", "b"]},
        {"ip": "::1", "hostnames": ["c"]},
    ]
    assert pod["volumes"][0] == {"name": "memory-0", "emptyDir": {"medium": "Memory"}}
    assert [(each["mountPath"], each.get("subPath")) for each in container["volumeMounts"]] == [
        ("/run", None),
        ("/run/secrets/tok", "content"),
        ("/etc/cfg", "content"),
        ("/cfg", "content"),
    ]
    assert [each["name"] for each in pod["volumes"]] == ["memory-0", "secrets-tok", "configs-cfg"]
    assert [(each["port"], each["targetPort"]) for each in found["Service/one"]["spec"]["ports"]] == [
        (8080, 80),
        (8081, 81),
    ]
    two = found["Deployment/two"]["spec"]["template"]
    container = two["spec"]["containers"][0]
    assert (container["image"], container["imagePullPolicy"]) == ("shop-1-two", "IfNotPresent")
    assert container["args"] == ["", "unset", "", "is 7", "7", "5$"]
    assert two["metadata"]["annotations"] == {"n": "m"}
    assert two["spec"]["hostAliases"] == [
        {"ip": "1.2.3.4", "hostnames": ["h", "i"]},
        {"ip": "1.2.3.5", "hostnames": ["h"]},
    ]
    assert remarks == [
        "$LOST is not set: taken to be empty",
        "services.one.ports: 90-92:9: one port of a range is not taken over",
        "services.one.restart: a Deployment's containers are always started again",
        "services.one.env_file: $NIX is not set: taken to be empty",
        "services.one.extra_hosts: d: host-gateway is no address",
        "services.two.build: `docker build -t shop-1-two -f ./two/Two ./two` has to make the image first;"
        " after each later build: `minikctl rollout restart deploy/two`",
    ]


@pytest.mark.parametrize(
    ("profiles", "taken"),
    [
        ((), ["a"]),
        (("dev",), ["a", "b"]),
        (("*",), ["a", "b", "c"]),
    ],
)
def test_services_of_a_profile_are_taken_when_it_is_asked_for(
    profiles: tuple[str, ...], taken: list[str]
) -> None:
    text = """
services:
  a: {image: x}
  b: {image: x, profiles: [test, dev]}
  c: {image: x, profiles: [prod]}
"""
    found, remarks = compose.convert(yaml.safe_load(text), "/work", {}, FILES.__getitem__, profiles)
    assert [each["metadata"]["name"] for each in found if each["kind"] == "Deployment"] == taken
    left = [remark for remark in remarks if "left out" in remark]
    assert len(left) == 3 - len(taken)
    if not profiles:
        assert left[0] == "services.b: left out: it is of the profile test or dev"


def test_a_service_without_ports_is_found_by_its_name() -> None:
    found, remarks = converted("services: {web: {image: x, depends_on: [db]}, db: {image: y}}")
    assert found["Service/db"]["spec"] == {"clusterIP": "None", "selector": {"app": "db"}}
    assert remarks == []


def test_what_a_service_waits_for_is_not_waited_for_and_that_is_told() -> None:
    _, remarks = converted(
        "services: {db: {image: y}, web: {image: x, depends_on: "
        "{db: {condition: service_healthy}, job: {condition: service_started}}}}"
    )
    told = "services.web.depends_on: nothing waits for db: what starts too early has to try again"
    assert remarks == [told]


def test_what_ends_becomes_a_job() -> None:
    found, remarks = converted("""
services:
  once: {image: x, restart: "no"}
  early: {image: x, restart: "no", depends_on: [web]}
  seed: {image: x, expose: [80]}
  server: {image: x, restart: "no", ports: ["80:80"]}
  web: {image: x, depends_on: {seed: {condition: service_completed_successfully}}}
  swarm: {image: x, deploy: {restart_policy: {condition: none}}}
""")
    jobs = {key: each["spec"] for key, each in found.items() if each["kind"] == "Job"}
    assert list(jobs) == ["Job/once", "Job/early", "Job/seed", "Job/swarm"]
    assert jobs["Job/once"]["backoffLimit"] == 0
    assert [each["template"]["spec"]["restartPolicy"] for each in jobs.values()] == [
        "Never",
        *["OnFailure"] * 3,
    ]
    assert [key for key in found if key.startswith("Service")] == [
        "Service/seed",
        "Service/server",
        "Service/web",
    ]
    assert remarks == [
        "services.server.restart: a Deployment's containers are always started again",
        "services.web.depends_on: nothing waits for seed: what starts too early has to try again",
    ]


def test_what_is_left_out_of_a_part_is_told_and_further_names_are_services() -> None:
    found, remarks = converted("""
services:
  web:
    image: x
    container_name: Web_1
    ports: ["80:8080"]
    networks: {front: {aliases: [www, web]}, back: }
    env_file: [{path: none.env, required: false}]
    labels: ["a=b", "not a name=c"]
    mem_reservation: 16m
    secrets: [{source: tok, mode: 0400}]
    deploy:
      update_config: {order: start-first}
      restart_policy: {condition: any}
      resources: {limits: {pids: 5}, reservations: {cpus: "0.1"}}
volumes: {v: {driver: nfs}, w: }
networks: {front: , back: {internal: true}}
secrets: {tok: {environment: TOK}}
""")
    template = found["Deployment/web"]["spec"]["template"]
    assert template["metadata"]["annotations"] == {"a": "b"}
    assert template["spec"]["containers"][0]["resources"] == {"requests": {"memory": "16Mi", "cpu": "0.1"}}
    assert found["Service/www"]["spec"] == {
        "selector": {"app": "web"},
        "ports": [{"name": "tcp-80", "port": 80, "targetPort": 8080}],
    }
    assert "Service/web-1" in found
    assert remarks == [
        "volumes.v.driver: not taken over",
        "networks.back.internal: not taken over: pods reach whatever a NetworkPolicy does not forbid",
        "services.web.deploy.update_config: not taken over",
        "services.web.deploy.resources.limits.pids: not taken over",
        "services.web.secrets.tok.mode: not taken over: everybody may read it",
        "services.web.labels.not a name: not taken over: no name that Kubernetes takes",
    ]


def test_profiles_are_flags_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services: {a: {image: x, profiles: [p]}, b: {image: x, profiles: [q]}, c: {image: x}}")
    monkeypatch.delenv("COMPOSE_PROFILES", raising=False)
    for words, variable, names in (
        ((), "", "c"),
        (("--profile=p",), "", "ac"),
        (("--profile=p",), "q", "abc"),
    ):
        monkeypatch.setenv("COMPOSE_PROFILES", variable)
        said = call("convert", str(file), *words)
        made = [each for each in yaml.safe_load_all(said.out) if each["kind"] == "Deployment"]
        assert [each["metadata"]["name"] for each in made] == list(names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: b", "it is no Compose file"),
        ("services: {a: {}}", "has neither image nor build"),
        ("services: {a: {image: '${X'}}", "a brace is not closed"),
        ("services: {a: {image: '${X!}'}}", r"invalid interpolation format: \$\{X!\}"),
        ("services: {a: {image: '${-x}'}}", "invalid interpolation format"),
        ("services: {a: {image: '${X:?say $HOME}'}}", "required variable X is missing a value: say /home/me"),
        ("services: {a: b}", "is no service"),
    ],
)
def test_what_cannot_be_converted_is_told(text: str, words: str) -> None:
    with pytest.raises(errors.UsageError, match=words):
        converted(text)


def test_a_file_that_is_no_yaml_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text("services:\n  web: {image: a\n  db: x\n")
    said = call("convert", str(path))
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"error: {path}, line 3, column ")
    assert len(said.err.splitlines()) == 1


def test_the_server_accepts_what_was_converted(world: World, tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(COMPOSE.replace("image: postgres", "image: $IMAGE\n    env_file: db.env"))
    (tmp_path / ".env").write_text("IMAGE=postgres")
    assert "unable to read" in world.run("convert", str(path)).err
    (tmp_path / "db.env").write_text("A=b")
    made = world.run("convert", str(path))
    assert "image: postgres" in made.out
    assert "Warning: services.web.logging: not taken over" in made.err
    applied = world.run("apply", "-f", "-", "--dry-run=server", "-n", "kube-public", stdin=made.out)
    assert applied.code == 0, applied.err


def test_a_new_app_can_be_applied(world: World, tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    made = world.run("init", "shop", "--host=shop.localhost", "-o", str(path))
    assert made.out == f"{path} written.  Next: minikctl apply -f {path} --wait\n"
    assert world.run("init", "shop", "-o", str(path)).code == 1
    applied = world.run("apply", "-f", str(path), "--dry-run=server")
    assert [line.split("/")[0] for line in applied.out.splitlines()] == [
        "configmap",
        "service",
        "deployment.apps",
        "ingress.networking.k8s.io",
    ]
    assert world.run("init", "No Name").code == 1


DRAWING = picture.Drawing(
    (
        [picture.Box("in", "host")],
        [picture.Box("a"), picture.Box("b")],
        [picture.Box("x", "Error", True), picture.Box("y"), picture.Box("z")],
    ),
    [((0, 0), (1, 1)), ((1, 1), (2, 0)), ((1, 1), (2, 2))],
)


@pytest.mark.parametrize("flag", ["--port=0", "--port=65536", "--replicas=-1"])
def test_numbers_that_are_none_are_refused(
    flag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("init", "app", flag)
    assert (done.code, done.err.partition(" is no ")[0]) == (1, f"error: {flag}")
    assert not list(tmp_path.iterdir())


def test_lines_lead_from_box_to_box() -> None:
    assert picture.text(DRAWING) == [
        "in (host) ──╮    a   ╭──▶ x (Error)",
        "            ╰──▶ b ──┤    y",
        "                     ╰──▶ z",
    ]


def test_ways_that_have_nothing_in_common_do_not_meet() -> None:
    boxes = [picture.Box("in")], [picture.Box(n) for n in "abcd"], [picture.Box(n) for n in "tuvwxyz"]
    lines = [
        ((0, 0), (1, 2)),
        ((0, 0), (1, 0)),
        ((1, 0), (2, 4)),
        ((1, 0), (2, 1)),
        ((1, 2), (2, 5)),
        ((1, 1), (2, 0)),
    ]
    assert picture.text(arranging.arranged(picture.Drawing(boxes, lines))) == [
        "in ──┬──▶ a ──┬──▶ u",
        "     │        ╰──▶ x",
        "     ╰──▶ c ─────▶ y",
        "          b ─────▶ t",
        "          d        v",
        "                   w",
        "                   z",
    ]


def test_ways_that_share_some_of_their_ends_have_a_lane_each() -> None:
    boxes = [picture.Box("all"), picture.Box("new"), picture.Box("old")], [picture.Box("n"), picture.Box("o")]
    lines = [((0, 0), (1, 0)), ((0, 0), (1, 1)), ((0, 1), (1, 0)), ((0, 2), (1, 1))]
    assert picture.text(arranging.arranged(picture.Drawing(boxes, lines))) == [
        "all ──┬─┬────▶ n",
        "new ──╯ ╰─┬──▶ o",
        "old ──────╯",
    ]


def test_the_picture_is_well_formed() -> None:
    from xml.etree import ElementTree

    root = ElementTree.fromstring(picture.svg(DRAWING))
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}path")) == 3
    assert len(root.findall(f"{space}rect")) == 7


def test_the_map_shows_the_way_to_pods(world: World) -> None:
    text = world.run("map").out
    assert "service/web (ClusterIP 80)" in text
    assert "▶ pod/web-" in text
    assert world.run("map", "-o", "svg").out.startswith("<svg")
    assert world.run("map", "-o", "png").code == 1


FINER = """
services:
  web:
    image: x
    shm_size: 64m
    dns: 1.1.1.1
    dns_search: [a.test, b.test]
    dns_opt: ["ndots:2", rotate]
    sysctls: [net.ipv4.tcp_syncookies=1, net.core.somaxconn=1024]
    ports: [{target: 80, host_ip: 10.0.0.1, mode: host}]
    volumes:
    - {type: volume, source: data, target: /data, volume: {nocopy: true, subpath: a}}
    - {type: bind, source: /a, target: /a, bind: {propagation: shared}}
    - {type: tmpfs, target: /t, tmpfs: {size: 1048576, mode: 448}}
    - {type: image, source: "files:1", target: /i}
    healthcheck: {test: "true", start_interval: 1s}
    networks: {back: {ipv4_address: 10.0.0.5, aliases: [w]}}
    depends_on: {db: {condition: service_started, restart: true}}
  db: {image: y, build: {context: ., args: {A: b}}, networks: {back: }}
"""


def test_name_servers_shared_memory_and_kernel_settings_are_the_pod_s() -> None:
    found, remarks = converted(FINER)
    spec = found["Deployment/web"]["spec"]["template"]["spec"]
    assert spec["dnsConfig"] == {
        "nameservers": ["1.1.1.1"],
        "searches": ["a.test", "b.test"],
        "options": [{"name": "ndots", "value": "2"}, {"name": "rotate"}],
    }
    assert spec["securityContext"] == {"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}
    mounts = {each["mountPath"]: each for each in spec["containers"][0]["volumeMounts"]}
    volumes = {each["name"]: each for each in spec["volumes"]}
    assert mounts["/data"]["subPath"] == "a"
    assert {path: volumes[mount["name"]] | {"name": ""} for path, mount in mounts.items()} == {
        "/data": {"name": "", "persistentVolumeClaim": {"claimName": "data"}},
        "/a": {"name": "", "hostPath": {"path": "/a"}},
        "/t": {"name": "", "emptyDir": {"medium": "Memory", "sizeLimit": "1048576"}},
        "/i": {"name": "", "image": {"reference": "files:1"}},
        "/dev/shm": {"name": "", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    }
    assert [remark.partition(": not taken over")[0] for remark in remarks if "not taken" in remark] == [
        "services.web.sysctls.net.core.somaxconn",
        "services.web.ports.host_ip",
        "services.web.volumes.bind.propagation",
        "services.web.volumes.tmpfs.mode",
        "services.web.networks.back.ipv4_address",
        "services.web.depends_on.db.restart",
        "services.web.healthcheck.start_interval",
        "services.db.build.args",
    ]
