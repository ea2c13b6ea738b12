"""What a verb works with: where to write, which server to ask, which namespace to be in."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

from minikctl import errors
from minikctl.client.home import ClusterHome

if TYPE_CHECKING:
    from minikctl.cli.discovery import Discovery
    from minikctl.client.http import HttpClient
    from minikctl.client.kubeconfig import Endpoint


@dataclass
class Io:
    """The terminal or pipes of a command."""

    out: TextIO
    err: TextIO
    stdin: TextIO

    @classmethod
    def standard(cls) -> Io:
        """Return the process's own streams."""
        return cls(sys.stdout, sys.stderr, sys.stdin)

    def say(self, text: str) -> None:
        """Write a line of output."""
        self.out.write(text + "\n")

    def warn(self, text: str) -> None:
        """Write a line to the error stream, after what was already written to the output."""
        self.out.flush()
        self.err.write(text + "\n")
        self.err.flush()


class Session:
    """One command's connection, made when it is first needed."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.io: Io = settings.io

    @cached_property
    def home(self) -> ClusterHome:
        """The local cluster that --cluster or $MINIKCTL_CLUSTER names."""
        return ClusterHome(self.settings.cluster)

    @property
    def is_local(self) -> bool:
        """Tell whether the command is about the local cluster."""
        return not (self.settings.context or self.settings.kubeconfig or self.settings.server)

    @cached_property
    def endpoint(self) -> Endpoint:
        """The API server to ask; the local one is started if it does not run."""
        return self._local_endpoint() if self.is_local else self._named_endpoint()

    @cached_property
    def client(self) -> HttpClient:
        """The connection to the API server."""
        from minikctl.cli import timespan
        from minikctl.client import http

        timeout = None
        if self.settings.request_timeout not in ("", "0"):
            timeout = timespan.seconds(self.settings.request_timeout)
        return http.HttpClient(self.endpoint, timeout_seconds=timeout)

    @cached_property
    def discovery(self) -> Discovery:
        """What the server serves."""
        from minikctl.cli import discovery

        return discovery.Discovery(self.client, os.path.join(self.home.path, "cache"))

    @property
    def namespace(self) -> str:
        """The namespace of the request: the flag's, else the context's."""
        return self.settings.namespace or self.endpoint.namespace

    def _local_endpoint(self) -> Endpoint:
        from minikctl.client import launcher
        from minikctl.client.kubeconfig import Endpoint

        address = launcher.ensure_running(self.home, self.io.warn if self.io.err.isatty() else None)
        with open(self.home.file("pki", "ca.crt"), "rb") as source:
            authority = source.read()
        with open(self.home.file("pki", "admin.token"), encoding="ascii") as source_text:
            token = source_text.read().strip()
        return Endpoint(address, self._local_namespace(), token, authority)

    def _local_namespace(self) -> str:
        try:
            with open(self.home.kubeconfig, encoding="utf-8") as source:
                text = source.read()
        except OSError:
            return "default"
        if "namespace:" not in text:  # parsing YAML takes longer than the request
            return "default"
        from minikctl.client import kubeconfig

        return kubeconfig.resolve(kubeconfig.load(self.home.kubeconfig)).namespace

    def _named_endpoint(self) -> Endpoint:
        from dataclasses import replace

        from minikctl.client import kubeconfig

        if self.settings.server and not (self.settings.context or self.settings.kubeconfig):
            return kubeconfig.Endpoint(self.settings.server, token=self.settings.token)
        if self.settings.kubeconfig:
            if not os.path.exists(self.settings.kubeconfig):
                raise errors.UsageError(f"error: stat {self.settings.kubeconfig}: no such file or directory")
            config = kubeconfig.load(self.settings.kubeconfig)
        else:
            config = kubeconfig.load_merged(kubeconfig.default_paths())
        found = kubeconfig.resolve(config, self.settings.context)
        if self.settings.token:
            found = replace(found, token=self.settings.token)
        return replace(found, server=self.settings.server) if self.settings.server else found
