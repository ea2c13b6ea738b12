"""Go templates over JSON data, as ``-o go-template`` takes them.

The language is that of https://pkg.go.dev/text/template; data are JSON's values, integers being int64.
"""

from __future__ import annotations

import json
from typing import Any

from minikctl import errors
from minikctl.cli.output.gotemplate import parser, runner
from minikctl.cli.output.gotemplate.lexer import BadTemplate as BadTemplate


def check(template: str) -> None:
    """Raise a ``UsageError`` in kubectl's words if the text is no template."""
    try:
        parser.parse(template)
    except BadTemplate as error:
        raise errors.UsageError(f"error: error parsing template {template}, {error}") from None


def render(template: str, data: Any, *, strict: bool = False) -> str:
    """Return the template's text; ``strict``: a missing key is a failure.

    Raises ``BadTemplate`` for a text that is no template; a template that cannot be carried out with these data
    is a ``UsageError`` in kubectl's words.
    """
    try:
        return runner.Run(parser.parse(template), strict=strict).text(data)
    except runner.Failed as error:
        shown = json.dumps(template, ensure_ascii=False)
        raise errors.UsageError(f"error: error executing template {shown}: {error}") from None
