"""Reasons of refusal in Kubernetes' words: one constructor per reason of ``metav1.StatusCause``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from minikctl.model.kind import Cause


def child(path: str, name: str) -> str:
    """Return the path of a field below ``path``."""
    return f"{path}.{name}" if path else name


def shown(value: Any) -> str:
    """Return a value as causes show it: JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _cause(reason: str, field: str, message: str, detail: str = "") -> Cause:
    return {"reason": reason, "message": f"{message}: {detail}" if detail else message, "field": field}


def invalid(field: str, value: Any, detail: str) -> Cause:
    """The value breaks a rule."""
    return _cause("FieldValueInvalid", field, f"Invalid value: {shown(value)}", detail)


def named(field: str, name: str, detail: str) -> Cause:
    """The value, which has a name of its own, breaks a rule."""
    return _cause("FieldValueInvalid", field, f"Invalid value: {name}", detail)


def required(field: str, detail: str = "") -> Cause:
    """The value is absent or empty."""
    return _cause("FieldValueRequired", field, "Required value", detail)


def unsupported(field: str, value: Any, known: Iterable[str], *, in_order: bool = False) -> Cause:
    """The value is not one of those that are known; ``in_order`` lists them as they are given."""
    listed = ", ".join(shown(each) for each in (known if in_order else sorted(known)))
    return _cause(
        "FieldValueNotSupported", field, f"Unsupported value: {shown(value)}", f"supported values: {listed}"
    )


def duplicate(field: str, value: Any) -> Cause:
    """The value occurs twice where it may occur once."""
    return _cause("FieldValueDuplicate", field, f"Duplicate value: {shown(value)}")


def repeated(field: str) -> Cause:
    """The value, which is not shown, occurs twice where it may occur once."""
    return _cause("FieldValueDuplicate", field, "Duplicate value")


def not_found(field: str, value: Any) -> Cause:
    """The value names something that is not there."""
    return _cause("FieldValueNotFound", field, f"Not found: {shown(value)}")


def forbidden(field: str, detail: str) -> Cause:
    """The field may not be set, or not be changed."""
    return _cause("FieldValueForbidden", field, "Forbidden", detail)


def too_long(field: str, limit: int) -> Cause:
    """The value has too many bytes."""
    return _cause("FieldValueTooLong", field, "Too long", f"may not be more than {limit} bytes")


def too_many(field: str, size: int, limit: int) -> Cause:
    """The list or map has too many entries."""
    noun = "item" if limit == 1 else "items"
    return _cause("FieldValueTooMany", field, f"Too many: {size}", f"must have at most {limit} {noun}")


def valued(reason: str, field: str, value: Any, detail: str) -> Cause:
    """The value breaks a rule whose cause has another reason than that of ``invalid``."""
    return _cause(reason, field, f"Invalid value: {shown(value)}", detail)


def unlisted(field: str, value: Any, known: Iterable[Any]) -> Cause:
    """The value is not one of those that are known, which are named in their own order."""
    listed = ", ".join(shown(each if isinstance(each, str) else shown(each)) for each in known)
    return _cause(
        "FieldValueNotSupported", field, f"Unsupported value: {shown(value)}", f"supported values: {listed}"
    )


def broken(field: str, detail: str) -> Cause:
    """A rule about several values at once is broken."""
    return _cause("FieldValueInvalid", field, "Invalid value", detail)


def wrong_type(field: str, value: Any, wanted: str) -> Cause:
    """The value has another JSON type."""
    return _cause(
        "FieldValueTypeInvalid", field, f"Invalid value: {shown(value)}", f"must be of type {wanted}"
    )
