"""Every verb, the module that has it, and what it is for, so that help needs no verb's module."""

from __future__ import annotations

MODULES = {
    "annotate": "metadata",
    "api-resources": "api_resources",
    "api-versions": "api_resources",
    "apply": "apply",
    "cluster": "cluster",
    "cluster-info": "cluster_info",
    "completion": "completion",
    "config": "config",
    "create": "create",
    "delete": "delete",
    "describe": "describe",
    "edit": "edit",
    "events": "events",
    "exec": "exec_",
    "expose": "expose",
    "get": "get",
    "label": "metadata",
    "logs": "logs",
    "options": "version",
    "patch": "patch",
    "rollout": "rollout",
    "run": "run_",
    "scale": "scale",
    "version": "version",
    "wait": "wait",
    "__complete": "complete",
}
"""Each verb and the module that has it; a module's ``COMMANDS`` maps the verb to its ``Command``."""

SUMMARIES = {
    "annotate": "Update the annotations of objects",
    "api-resources": "Print the kinds that the server serves",
    "api-versions": 'Print the served API versions, in the form of "group/version"',
    "apply": "Make the cluster match manifests",
    "cluster": "Start, stop, inspect and delete local clusters",
    "cluster-info": "Display where the control plane answers",
    "completion": "Output shell completion code for bash, zsh or fish",
    "config": "Inspect and modify kubeconfig files",
    "create": "Create objects from files or from flags",
    "delete": "Delete objects by file, name or label",
    "describe": "Show details of objects, with their events",
    "edit": "Edit an object in your editor",
    "events": "List events",
    "exec": "Execute a command in a container",
    "expose": "Put a Service in front of pods",
    "get": "Display one or many objects",
    "label": "Update the labels of objects",
    "logs": "Print the logs of a container",
    "options": "Print the flags that every command takes",
    "patch": "Update fields of an object",
    "rollout": "Manage the rollout of a Deployment",
    "run": "Run an image as a pod",
    "scale": "Set how many replicas run",
    "version": "Print the client's and the server's version",
    "wait": "Wait for a condition on one or many objects",
}

GROUPS = (
    ("Basic Commands", ("apply", "get", "describe", "delete", "create", "run", "expose", "edit")),
    ("Deploy Commands", ("rollout", "scale")),
    ("Troubleshooting Commands", ("logs", "exec", "events", "wait")),
    ("Cluster Commands", ("cluster", "cluster-info", "api-resources", "api-versions")),
    ("Settings Commands", ("label", "annotate", "patch", "config", "completion", "options", "version")),
)
