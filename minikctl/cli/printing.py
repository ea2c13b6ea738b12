"""The flags that say how objects are printed, declared once for all commands that print any."""

from __future__ import annotations

from minikctl.cli.flags import Options, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from minikctl.cli.output.printers import Printer
    from minikctl.cli.session import Session

FORMATS = "yaml json name kyaml jsonpath= jsonpath-as-json= jsonpath-file= go-template= go-template-file= "


class Printing(Options):
    """How objects are printed."""

    TYPED = False
    """Whether kubectl decodes what this prints, so that JSON has its fields in the order of their types."""

    output: str = flag(
        "--output",
        "-o",
        default="",
        help="yaml, json, kyaml, name, jsonpath=…, jsonpath-as-json=…, jsonpath-file=…, go-template=…, go-template-file=….",
        complete=FORMATS.strip(),
    )
    template: str = flag("--template", default="", help="The template, or its file, of -o go-template.")
    managed_fields: bool = flag("--show-managed-fields", default=False, help="Keep metadata.managedFields.")
    missing_keys: bool = flag(
        "--allow-missing-template-keys", default=True, help="A key that a template misses gives nothing."
    )


def printer(
    options: Printing, names: Callable[[dict[str, Any]], str], *, columns: bool = False
) -> Printer | None:
    """Return what prints objects in the chosen format; None for none (and ``wide``), which is the command's own.

    ``columns``: the command has tables too, so custom columns are among its formats.
    """
    if options.output in ("", "wide") and not options.template:
        return None
    from minikctl.cli.output import printers

    if options.TYPED and options.output in ("json", "kyaml"):
        return printers.typed(options.output, managed_fields=options.managed_fields)
    return printers.of(
        options.output,
        names,
        managed_fields=options.managed_fields,
        template=options.template,
        strict=not options.missing_keys,
        columns="" if not columns else "bare" if getattr(options, "no_headers", False) else "headed",
    )


def certain(options: Printing, fallback: str) -> Printer:
    """Return what prints objects in the chosen format, or in ``fallback`` when none is chosen."""
    found = printer(options, named(""))
    if found is None:
        found = printer(type(options)(**{**options.as_dict(), "output": fallback}), named(""))
    assert found is not None, "the fallback is a format"
    return found


def write(text: bytes, session: Session) -> None:
    """Write bytes to the output as they are, at once."""
    out = getattr(session.io.out, "buffer", None)
    if out is None:
        session.io.out.write(text.decode(errors="replace"))
        return
    out.write(text)
    out.flush()


def named(title: str) -> Callable[[dict[str, Any]], str]:
    """Return what names the one object that is printed."""
    return lambda _: title


def kind_names(pairs: Sequence[tuple[str, str, str]]) -> Callable[[dict[str, Any]], str]:
    """Return what names objects for ``-o name``; pairs are (apiVersion, kind, title)."""
    titles = {(version, kind): title for version, kind, title in pairs}

    def name(obj: dict[str, Any]) -> str:
        key = (str(obj.get("apiVersion")), str(obj.get("kind")))
        return f"{titles.get(key, key[1].lower())}/{(obj.get('metadata') or {}).get('name', '')}"

    return name
