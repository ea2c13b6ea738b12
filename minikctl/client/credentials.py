"""Credential plugins of kubeconfig users: a program that prints an ExecCredential."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from minikctl import errors
from minikctl.client.endpoint import Endpoint

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


def obtain(endpoint: Endpoint, plugin: Mapping[str, Any], cluster: Mapping[str, Any]) -> Endpoint:
    """Return the endpoint with the credentials that the plugin prints; ``UsageError`` says why it cannot."""
    version = plugin.get("apiVersion")
    if version not in VERSIONS:
        raise errors.UsageError(f"error: exec plugin: invalid apiVersion {json.dumps(version)}")
    printed = _run(plugin, version, cluster if plugin.get("provideClusterInfo") else None)
    try:
        found = json.loads(printed)
        kind, given, status = found["kind"], found["apiVersion"], found["status"] or {}
    except (ValueError, TypeError, KeyError) as error:
        raise errors.UsageError(f"error: getting credentials: decoding stdout: {error}") from error
    if kind != "ExecCredential" or given != version:
        message = f"plugin returned {kind} of version {given}, expected ExecCredential of {version}"
        raise errors.UsageError(
            f"error: getting credentials: exec plugin is configured differently: {message}"
        )
    certificate, key = status.get("clientCertificateData") or "", status.get("clientKeyData") or ""
    if not status.get("token") and not (certificate and key):
        raise errors.UsageError(
            "error: getting credentials: exec plugin didn't return a token or cert/key pair"
        )
    return endpoint.replaced(
        token=status.get("token") or endpoint.token,
        cert_data=certificate.encode() or endpoint.cert_data,
        key_data=key.encode() or endpoint.key_data,
    )


def _run(plugin: Mapping[str, Any], version: str, cluster: Mapping[str, Any] | None) -> bytes:
    mode = plugin.get("interactiveMode") or "IfAvailable"
    interactive = mode != "Never" and sys.stdin.isatty()
    if mode == "Always" and not interactive:
        raise errors.UsageError("error: getting credentials: standard input is not a terminal")
    environment = dict(os.environ)
    environment.update({entry["name"]: entry["value"] for entry in plugin.get("env") or ()})
    environment["KUBERNETES_EXEC_INFO"] = _info(version, interactive, cluster)
    try:
        done = subprocess.run(
            [plugin["command"], *(plugin.get("args") or ())],
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=environment,
            check=True,
        )
    except FileNotFoundError as error:
        hint = f"\n\n{plugin['installHint']}" if plugin.get("installHint") else ""
        message = f"exec: executable {plugin['command']} not found{hint}"
        raise errors.UsageError(f"error: getting credentials: {message}") from error
    except subprocess.CalledProcessError as error:
        message = f"exec: executable {plugin['command']} failed with exit code {error.returncode}"
        raise errors.UsageError(f"error: getting credentials: {message}") from error
    except OSError as error:
        raise errors.UsageError(f"error: getting credentials: exec: {error}") from error
    return done.stdout


def _info(version: str, interactive: bool, cluster: Mapping[str, Any] | None) -> str:
    spec: dict[str, Any] = {"interactive": interactive}
    if cluster is not None:
        data = cluster.get("certificate-authority-data")
        if not data and cluster.get("certificate-authority"):
            with open(cluster["certificate-authority"], "rb") as source:
                data = base64.b64encode(source.read()).decode()
        described = {
            "server": cluster["server"],
            "tls-server-name": cluster.get("tls-server-name"),
            "insecure-skip-tls-verify": cluster.get("insecure-skip-tls-verify"),
            "certificate-authority-data": data,
        }
        spec["cluster"] = {name: value for name, value in described.items() if value}
    return json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": spec})
