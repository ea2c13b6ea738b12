"""Tokens in volumes: asked for when the volume is written, and again before they expire."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Protocol

from minikctl import errors
from minikctl.model import objects
from minikctl.model.actions.node import FilesVolume, TokenFile, VolumeFile
from minikctl.model.objects import Object
from minikctl.node.failures import NodeFailure

RENEWED_AFTER = 0.8
"""The part of its life after which a token is renewed, as a kubelet does."""
LONGEST = timedelta(hours=24)
"""No token is used for longer."""


class Tokens(Protocol):
    """Issues tokens of ServiceAccounts."""

    def request(self, namespace: str, name: str, body: Object) -> Object:
        """Return the TokenRequest with its status; a ``StatusError`` refuses it."""
        ...


def filled(
    volume: FilesVolume, pod: Object, tokens: Tokens, now: datetime
) -> tuple[FilesVolume, datetime | None]:
    """Return the volume with fresh tokens in place, and when they are to be renewed (None: it has none)."""
    files = list(volume.files)
    due: datetime | None = None
    for wanted in volume.tokens:
        try:
            answer = objects.status(tokens.request(*_request(pod, wanted)))
        except errors.StatusError as error:
            raise NodeFailure("FailedMount", f"failed to fetch token: {error}") from error
        files.append(VolumeFile(wanted.path, answer["token"].encode(), wanted.mode, wanted.uid))
        until = objects.parse_time(answer["expirationTimestamp"]) or now
        renewal = now + min((until - now) * RENEWED_AFTER, LONGEST)
        due = renewal if due is None else min(due, renewal)
    return dataclasses.replace(volume, files=tuple(files)), due


def _request(pod: Object, wanted: TokenFile) -> tuple[str, str, Object]:
    bound = {"apiVersion": "v1", "kind": "Pod", "name": objects.name(pod), "uid": objects.uid(pod)}
    spec = {"expirationSeconds": wanted.seconds, "boundObjectRef": bound}
    if wanted.audience:
        spec["audiences"] = [wanted.audience]
    return (
        objects.namespace(pod),
        str(objects.spec(pod).get("serviceAccountName") or "default"),
        {"spec": spec},
    )
