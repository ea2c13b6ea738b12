"""``init``: the beginnings of an app, with a comment on every part, ready to be applied."""

from __future__ import annotations

import os
import re

from minikctl import errors
from minikctl.cli import flags
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from minikctl.cli.session import Session

NAME = r"[a-z]([-a-z0-9]{0,50}[a-z0-9])?"
APP = """# The settings of the app: each entry becomes an environment variable below.
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}-settings
data:
  GREETING: hello
---
# How many copies of which image run, and how to tell that they are well.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{app: {name}}}
spec:
  replicas: {replicas}
  # Which pods belong to it: those that the template below makes.
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      containers:
      - name: app
        image: {image}
        ports:
        - {{name: http, containerPort: {port}}}
        envFrom:
        - configMapRef: {{name: {name}-settings}}
        # Traffic comes only while this succeeds.
        readinessProbe:
          tcpSocket: {{port: http}}
        # What the scheduler keeps free for it, and what it may use at most.
        resources:
          requests: {{cpu: 50m, memory: 64Mi}}
          limits: {{memory: 256Mi}}
---
# One address for all copies: http://{name} from other pods.
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  selector: {{app: {name}}}
  ports:
  - {{name: http, port: 80, targetPort: http}}
"""
INGRESS = """---
# The way in from this machine: http://{host}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
spec:
  rules:
  - host: {host}
    http:
      paths:
      - path: /
        pathType: Prefix
        backend:
          service: {{name: {name}, port: {{name: http}}}}
"""


class InitOptions(Options):
    """What ``init`` was asked."""

    names: tuple[str, ...] = rest("NAME", default=())
    image: str = flag("--image", default="minikctl-demo:latest", help="The image of the app.")
    port: int = flag("--port", default=8080, help="The port that it listens on.")
    replicas: int = flag("--replicas", default=2, help="How many copies.")
    host: str = flag(
        "--host", default="", help="The name by which it is reached from outside; an Ingress is made."
    )
    output: str = flag(
        "--output",
        "-o",
        default="",
        help="The file; NAME.yaml if not given, - for standard output.",
        complete="files",
    )
    force: bool = flag("--force", default=False, help="Write over a file that is there.")


def run(options: InitOptions, session: Session) -> int:
    """Write the manifest; return the exit code."""
    name = flags.one(options.names)
    if not re.fullmatch(NAME, name):
        raise errors.UsageError(
            f'error: "{name}" is no name for an app: lower-case letters, digits and "-", beginning with a letter'
        )
    if not 0 < options.port < 65536:
        raise errors.UsageError(f"error: --port={options.port} is no port: 1 to 65535")
    if options.replicas < 0:
        raise errors.UsageError(f"error: --replicas={options.replicas} is no number of copies")
    values = {"name": name, "image": options.image, "port": options.port, "replicas": options.replicas}
    text = APP.format(**values) + (INGRESS.format(name=name, host=options.host) if options.host else "")
    path = options.output or f"{name}.yaml"
    if path == "-":
        session.io.out.write(text)
        return 0
    if os.path.exists(path) and not options.force:
        raise errors.UsageError(f"error: {path} is there already; --force writes over it")
    with open(path, "w", encoding="utf-8") as sink:
        sink.write(text)
    session.io.say(f"{path} written.  Next: minikctl apply -f {path} --wait")
    return 0


COMMANDS = {
    "init": Command(
        "Write the beginnings of an app, with a comment on every part.",
        InitOptions,
        run,
        usage="NAME [--image=IMAGE] [--port=PORT] [--host=HOST]",
        examples=(
            ("A web app with a way in", "minikctl init web --host=web.localhost"),
            ("Only look", "minikctl init web --image=nginx:1.27 --port=80 -o -"),
        ),
    )
}
