"""ConfigMaps and Secrets."""

from __future__ import annotations

import base64
from typing import Any

from minikctl.cli.output.describing import common
from minikctl.cli.output.describing.sheet import Sheet

Object = dict[str, Any]


def config_map(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a ConfigMap with its data."""
    common.head(sheet, obj)
    sheet.row(0, "\nData\n====")
    for key, value in sorted((obj.get("data") or {}).items()):
        sheet.row(0, f"{key}:\n----")
        # Tabs in the data are no columns.
        sheet.lines += [[line.replace("\t", "        ")] for line in value.split("\n")]
        sheet.row(0, "")
    sheet.row(0, "\nBinaryData\n====")
    for key, value in sorted((obj.get("binaryData") or {}).items()):
        sheet.row(0, f"{key}: {len(base64.b64decode(value))} bytes")
    sheet.row(0, "")
    common.events(sheet, obj, reader)


def secret(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a Secret without its data."""
    common.head(sheet, obj)
    sheet.row(0, "\nType:", obj.get("type", ""))
    sheet.row(0, "\nData\n====")
    for key, value in sorted((obj.get("data") or {}).items()):
        content = base64.b64decode(value)
        if key == "token" and obj.get("type") == "kubernetes.io/service-account-token":
            sheet.row(0, f"{key}:", content.decode(errors="replace"))
        else:
            sheet.row(0, f"{key}:", f"{len(content)} bytes")
