"""How an answer looks: plain objects, tables, metadata only; chosen by the Accept header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from minikctl import errors
from minikctl.apiserver import cache, listing
from minikctl.apiserver.versions import serve
from minikctl.model import tables
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object

META_VERSION = "meta.k8s.io/v1"
Shape = Literal["plain", "table", "partial"]


@dataclass(frozen=True)
class Form:
    """A shape and a media type."""

    shape: Shape = "plain"
    media: str = "application/json"
    include: tables.Include = "Metadata"


PLAIN = Form()
_SHAPES: dict[str, Shape] = {
    "Table": "table",
    "PartialObjectMetadata": "partial",
    "PartialObjectMetadataList": "partial",
}


def choose(accept: str, include: str = "", *, tabular: bool = True) -> Form:
    """Return the first form that the Accept header names and that is spoken here; 406 for none.

    Not ``tabular`` are answers that no table can show, such as reviews.
    """
    if not accept or accept == "*/*" or accept == "application/json":
        return PLAIN
    included = _include(include)
    for clause in accept.split(","):
        media, *parts = (part.strip() for part in clause.split(";"))
        parameters = dict(part.split("=", 1) for part in parts if "=" in part)
        form = _form(media.lower(), parameters, included)
        if form is not None and (tabular or form.shape != "table"):
            return form
    raise errors.StatusError(
        406,
        "NotAcceptable",
        "only the following media types are accepted: application/json, application/yaml",
    )


def _form(media: str, parameters: dict[str, str], include: tables.Include) -> Form | None:
    if media in ("*/*", "application/*"):
        return PLAIN
    if media not in ("application/json", "application/yaml"):
        return None
    wanted = parameters.get("as")
    if wanted is None:
        return Form("plain", media)
    known = parameters.get("g") == "meta.k8s.io" and parameters.get("v") == "v1"
    if not known or wanted not in _SHAPES:
        return None
    return Form(_SHAPES[wanted], media, include)


def _include(text: str) -> tables.Include:
    match text:
        case "" | "Metadata":
            return "Metadata"
        case "Object":
            return "Object"
        case "None":
            return "None"
    raise errors.bad_request(f'unrecognized includeObject value: "{text}"')


def encode_object(form: Form, kind: Kind, obj: Object, now: datetime) -> bytes:
    """Return one object in that form."""
    if form.shape == "table":
        table = tables.render(kind, [obj], now, form.include)
        table["metadata"] = _kept(obj, "resourceVersion")
        return dump(form, table)
    if form.shape == "partial":
        return dump(form, partial(obj))
    return dump(form, obj)


def encode_entry(form: Form, kind: Kind, entry: cache.Entry, now: datetime) -> bytes:
    """Return one stored object in that form, its JSON reused where it can be."""
    served = serve(kind, entry.object)
    if form == PLAIN and served is entry.object:
        return entry.json
    return encode_object(form, kind, served, now)


def encode_list(form: Form, kind: Kind, page: listing.Page, now: datetime) -> bytes:
    """Return a list in that form."""
    meta: dict[str, Any] = {"resourceVersion": str(page.revision)}
    if page.continuation:
        meta["continue"] = page.continuation
    if page.remaining is not None:
        meta["remainingItemCount"] = page.remaining
    if form == PLAIN:
        return _plain_list(kind, page.entries, meta, now)
    items = [serve(kind, entry.object) for entry in page.entries]
    if form.shape == "table":
        return dump(form, {**tables.render(kind, items, now, form.include), "metadata": meta})
    if form.shape == "partial":
        head = {"kind": "PartialObjectMetadataList", "apiVersion": META_VERSION, "metadata": meta}
        return dump(form, {**head, "items": [partial(each) for each in items]})
    head = {"kind": kind.list_kind, "apiVersion": kind.api_version, "metadata": meta}
    return dump(form, {**head, "items": items})


def _plain_list(kind: Kind, entries: Sequence[cache.Entry], meta: dict[str, Any], now: datetime) -> bytes:
    head = orjson.dumps({"kind": kind.list_kind, "apiVersion": kind.api_version, "metadata": meta})
    items = b",".join([encode_entry(PLAIN, kind, entry, now) for entry in entries])
    return b"".join((head[:-1], b',"items":[', items, b"]}"))


def partial(obj: Object) -> Object:
    """Return the object's PartialObjectMetadata."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": META_VERSION,
        "metadata": obj.get("metadata") or {},
    }


def _kept(obj: Object, *fields: str) -> dict[str, Any]:
    meta = obj.get("metadata") or {}
    return {field: meta[field] for field in fields if field in meta}


def dump(form: Form, body: Any) -> bytes:
    """Return the bytes of a body in the form's media type."""
    if form.media == "application/yaml":
        import yaml  # rarely asked for

        text: str = yaml.dump(body, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=True)
        return text.encode()
    return orjson.dumps(body)
