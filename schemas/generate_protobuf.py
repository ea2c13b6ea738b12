"""Writes which protobuf field is which JSON field, from the types in stock kubectl.

Usage: ``python schemas/generate_protobuf.py [path of kubectl]``.  Kubernetes' clients send built-in kinds as
protobuf, and JSON schemas have no field numbers.  But the kubectl binary (a Go program, in the ``dev`` extra)
carries the tags of its struct fields: ``json:"nodeName,omitempty" protobuf:"bytes,10,opt,name=nodeName"``.
This reads them from the binary's type information: ELF on a 64-bit little-endian machine, not position
independent, as Go's ``reflect`` would read it (internal/abi: Type, StructType, UncommonType).

``<group>/<version>/protobuf.json`` maps type names to {number: [JSON name, type, flags]}.  A type is a
scalar's name, a type of the same file, ``<folder>#<name>`` for one of another file, ``[]T`` for a list,
``{}T`` for a map.  Flags: ``o`` left out when empty, ``p`` told apart from empty, ``i`` its fields belong to
the outer object.  Fields are in the order in which kubectl prints what it has decoded.
"""

from __future__ import annotations

import json
import re
import struct
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FOLDERS = {
    "k8s.io/api/admissionregistration/v1": "admissionregistration.k8s.io/v1",
    "k8s.io/api/apps/v1": "apps/v1",
    "k8s.io/api/authentication/v1": "authentication.k8s.io/v1",
    "k8s.io/api/authorization/v1": "authorization.k8s.io/v1",
    "k8s.io/api/autoscaling/v1": "autoscaling/v1",
    "k8s.io/api/autoscaling/v2": "autoscaling/v2",
    "k8s.io/api/batch/v1": "batch/v1",
    "k8s.io/api/certificates/v1": "certificates.k8s.io/v1",
    "k8s.io/api/coordination/v1": "coordination.k8s.io/v1",
    "k8s.io/api/core/v1": "core/v1",
    "k8s.io/api/discovery/v1": "discovery.k8s.io/v1",
    "k8s.io/api/events/v1": "events.k8s.io/v1",
    "k8s.io/api/extensions/v1beta1": "extensions/v1beta1",
    "k8s.io/api/flowcontrol/v1": "flowcontrol.apiserver.k8s.io/v1",
    "k8s.io/api/networking/v1": "networking.k8s.io/v1",
    "k8s.io/api/networking/v1beta1": "networking.k8s.io/v1beta1",
    "k8s.io/api/node/v1": "node.k8s.io/v1",
    "k8s.io/api/policy/v1": "policy/v1",
    "k8s.io/api/rbac/v1": "rbac.authorization.k8s.io/v1",
    "k8s.io/api/resource/v1": "resource.k8s.io/v1",
    "k8s.io/api/scheduling/v1": "scheduling.k8s.io/v1",
    "k8s.io/api/storage/v1": "storage.k8s.io/v1",
    "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1": "apiextensions.k8s.io/v1",
    "k8s.io/apimachinery/pkg/apis/meta/v1": "meta/v1",
    "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1": "apiregistration.k8s.io/v1",
}
CUSTOM = {
    "k8s.io/apimachinery/pkg/apis/meta/v1.Time": "time",
    "k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime": "micro-time",
    "k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1": "json",
    "k8s.io/apimachinery/pkg/apis/meta/v1.Duration": "skip",
    "k8s.io/apimachinery/pkg/api/resource.Quantity": "quantity",
    "k8s.io/apimachinery/pkg/util/intstr.IntOrString": "int-or-string",
    "k8s.io/apimachinery/pkg/runtime.RawExtension": "json",
}
BOOL, INT32, INT64, UINT8, FLOAT64 = 1, 5, 6, 8, 14
MAP, POINTER, SLICE, STRING, STRUCT = 21, 22, 23, 24, 25
SCALARS = {BOOL: "bool", INT32: "int", INT64: "int", FLOAT64: "double", STRING: "string"}


class Binary:
    """A Go program: its memory as the linker laid it out, and where its types are."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        sections = dict(self._sections())
        self._ranges = [(addr, offset, size) for addr, offset, size in sections.values() if addr]
        self.base = sections[".rodata"][0]
        address, offset, size = sections[".typelink"]
        del address
        self.links = struct.unpack_from(f"<{size // 4}i", self._data, offset)

    def _sections(self) -> Any:
        start = struct.unpack_from("<Q", self._data, 0x28)[0]
        size, count, names = struct.unpack_from("<HHH", self._data, 0x3A)
        found = [struct.unpack_from("<IIQQQQ", self._data, start + index * size) for index in range(count)]
        strings = found[names][4]
        for name, kind, _, address, offset, length in found:
            text = self._data[strings + name : self._data.index(b"\0", strings + name)].decode()
            if kind != 8:
                yield text, (address, offset, length)

    def offset(self, address: int) -> int:
        """Return where in the file an address is."""
        for start, offset, size in self._ranges:
            if start <= address < start + size:
                return offset + address - start
        raise ValueError(f"no section has address {address:#x}")

    def read(self, layout: str, address: int) -> tuple[Any, ...]:
        """Return the values at an address."""
        return struct.unpack_from(layout, self._data, self.offset(address))

    def name(self, address: int) -> tuple[str, str]:
        """Return a Go name and its tag."""
        at = self.offset(address)
        flags = self._data[at]
        text, at = self._text(at + 1)
        return text, self._text(at)[0] if flags & 2 else ""

    def _text(self, at: int) -> tuple[str, int]:
        length, shift = 0, 0
        while True:
            byte = self._data[at]
            at += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return self._data[at : at + length].decode(), at + length


class Type:
    """A Go type as the program describes it."""

    def __init__(self, binary: Binary, address: int) -> None:
        self._binary = binary
        self.address = address
        _, _, _, flags, _, _, kind, _, _, text, _ = binary.read("<QQIBBBBQQii", address)
        self.kind = kind & 31
        self._flags = flags
        name = binary.name(binary.base + text)[0]
        self.name = name[1:] if flags & 2 else name

    def element(self, at: int = 48) -> Type:
        """Return what a pointer, slice or map is of."""
        return Type(self._binary, self._binary.read("<Q", self.address + at)[0])

    def full_name(self) -> str:
        """Return ``k8s.io/api/core/v1.Pod`` for a struct with a name."""
        if not self._flags & 1:
            return ""
        path = self._binary.read("<i", self.address + 80)[0]
        return f"{self._binary.name(self._binary.base + path)[0]}.{self.name.rpartition('.')[2]}"

    def fields(self) -> list[tuple[str, str, Type]]:
        """Return (name, tag, type) of each field of a struct."""
        start, count = self._binary.read("<QQ", self.address + 56)
        found = []
        for index in range(count):
            name, type_, _ = self._binary.read("<QQQ", start + 24 * index)
            found.append((*self._binary.name(name), Type(self._binary, type_)))
        return found


def structs(binary: Binary) -> dict[str, Type]:
    """Return every named struct of the wanted packages to which the program has pointers."""
    found = {}
    for link in binary.links:
        pointer = Type(binary, binary.base + link)
        if pointer.kind != POINTER:
            continue
        target = pointer.element()
        if target.kind == STRUCT:
            name = target.full_name()
            if name.rpartition(".")[0] in FOLDERS and name not in CUSTOM:
                found[name] = target
    return found


def type_text(type_: Type, folder: str) -> str:
    """Return how the table writes a field's type."""
    match type_.kind:
        case kind if kind in SCALARS:
            return SCALARS[kind]
        case 22:
            return type_text(type_.element(), folder)
        case 23:
            inner = type_.element()
            return "bytes" if inner.kind == UINT8 else f"[]{type_text(inner, folder)}"
        case 21:
            return f"{{}}{type_text(type_.element(56), folder)}"
        case 25:
            name = type_.full_name()
            if name in CUSTOM:
                return CUSTOM[name]
            package, _, short = name.rpartition(".")
            if package not in FOLDERS:
                return "skip"
            return short if FOLDERS[package] == folder else f"{FOLDERS[package]}#{short}"
    return "skip"


def table(type_: Type, folder: str) -> dict[str, list[str]]:
    """Return {number: [JSON name, type, flags]} of one struct, in the order of its fields."""
    found = {}
    for _, tag, inner in type_.fields():
        tags = dict(re.findall(r'(\w+):"([^"]*)"', tag))
        if "json" not in tags or tags.get("protobuf", "-") == "-":
            continue
        name, *options = tags["json"].split(",")
        flags = ("o" if "omitempty" in options or "omitzero" in options else "") + (
            "p" if inner.kind == POINTER else ""
        )
        if not name:
            flags += "i"
        found[tags["protobuf"].split(",")[1]] = [name, type_text(inner, folder), flags]
    return found


def main() -> None:
    """Write the tables."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(sys.executable).with_name("kubectl")
    tables: dict[str, dict[str, Any]] = {}
    for name, type_ in sorted(structs(Binary(path)).items()):
        package, _, short = name.rpartition(".")
        folder = FOLDERS[package]
        fields = table(type_, folder)
        if not short.endswith("ApplyConfiguration"):
            tables.setdefault(folder, {})[short] = fields
    for folder, types in tables.items():
        file = HERE / folder / "protobuf.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(types[name])}" for name in sorted(types))
        file.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
