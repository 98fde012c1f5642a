"""The outer shell of a file: .glb chunks or .gltf JSON, and the bytes its buffers and pictures lie in.

glTF 2.0, sections 3.6 (buffers) and 4 (GLB).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from puppetmaster_core.assets.gltf.document import short
from puppetmaster_core.assets.gltf.errors import AssetError, Limits, Report

_JSON, _BIN = 0x4E4F534A, 0x004E4942


@dataclass(frozen=True)
class Container:
    """A file taken apart: its JSON, its binary chunk (or None), its raw bytes, and the folder it may read from."""

    json: dict
    binary: memoryview | None
    raw: bytes
    folder: Path
    limits: Limits

    def fetch(self, uri: str, where: str) -> bytes:
        """The bytes a URI stands for: a data URI, or a file in the asset's own folder or below it.

        Raises AssetError for anything that leads elsewhere and FileNotFoundError (an OSError) where no file is.
        """
        if uri[:5].lower() == "data:":
            return _data_uri(uri, where)
        return read_bounded(self._beside(uri, where), self.limits, where)

    def _beside(self, uri: str, where: str) -> Path:
        """The file a relative URI names; path traversal, absolute paths, other hosts and links out are refused."""
        name = unquote_to_bytes(uri).decode("utf-8", "replace")
        parts = name.split("/")
        if not name or "\\" in name or ":" in parts[0] or name.startswith("/") or ".." in parts or not name.isprintable():
            raise AssetError(f"{where} wants {short(uri)}: only files in the asset's own folder are read, put it there")
        folder = self.folder.resolve()
        try:
            path = (folder / name).resolve()
        except (OSError, RuntimeError):  # a loop of links
            raise AssetError(f"{where} wants {short(uri)}, which cannot be followed: put the file there") from None
        if not path.is_relative_to(folder):
            raise AssetError(f"{where} wants {short(uri)}, a link out of the asset's folder: put the file itself there")
        return path


def open_container(path: str | Path, limits: Limits, report: Report) -> Container:
    """Read a .glb or .gltf file; which of the two it is, its first bytes say. Raises AssetError."""
    path = Path(path)
    try:
        raw = read_bounded(path, limits, "the asset")
    except OSError as error:
        raise AssetError(f"cannot be opened ({error.strerror or error}): give an existing .glb or .gltf file") from None
    if raw[:4] == b"glTF":
        text, binary = _chunks(raw, report)
    elif raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        text, binary = memoryview(raw), None
    else:
        pointer = raw.startswith(b"version https://git-lfs")
        hint = "this is a Git LFS pointer, fetch the file itself" if pointer else "convert it to glTF 2.0"
        raise AssetError(f"begins with {short(raw[:12])}, wanted b'glTF' (.glb) or '{{' (.gltf): {hint}")
    text = bytes(text)
    items = text.count(b",") + text.count(b"[") + text.count(b"{")
    if items > limits.json_items:
        raise AssetError(f"has JSON of {items:,} items, at most {limits.json_items:,} are read: raise Limits.json_items")
    return Container(_parse(text), binary, raw, path.parent, limits)


def read_bounded(path: Path, limits: Limits, where: str) -> bytes:
    """The bytes of an ordinary file that is not too large. Raises OSError, or AssetError."""
    if "\0" in str(path):
        raise AssetError(f"{where} has the name {short(str(path))}, which no file can have")
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise AssetError(f"{where} is {short(path.name)}, not an ordinary file: give a file")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > limits.file_bytes:
            raise AssetError(f"{where} has {size:,} bytes, at most {limits.file_bytes:,} are read: "
                             "reduce it, or raise Limits.file_bytes")
        return file.read(size)


def _chunks(raw: bytes, report: Report) -> tuple[memoryview, memoryview | None]:
    """The JSON chunk and the binary chunk of a .glb."""
    if len(raw) < 20:
        raise AssetError(f"has {len(raw)} bytes, a .glb at least 20: it is truncated, download it again")
    version, length = struct.unpack_from("<II", raw, 4)
    if version != 2:
        raise AssetError(f"is glTF version {version}, wanted 2: convert it")
    if length > len(raw):
        raise AssetError(f"says it has {length:,} bytes and has {len(raw):,}: it is truncated, download it again")
    if length < len(raw):
        report(f"{len(raw) - length:,} bytes after the end of the .glb were left out")
    view, at, found = memoryview(raw)[:length], 12, {}
    while at + 8 <= length:
        size, kind = struct.unpack_from("<II", view, at)
        if size > length - at - 8:
            raise AssetError(f"has a chunk of {size:,} bytes with {length - at - 8:,} left: it is truncated, download it again")
        found.setdefault(kind, view[at + 8:at + 8 + size])
        at += 8 + size + (-size % 4)
    if _JSON not in found:
        raise AssetError("is a .glb without a JSON chunk: it is damaged, export it again")
    return found[_JSON], found.get(_BIN)


def _parse(text: bytes) -> dict:
    try:
        parsed = json.loads(text.decode("utf-8-sig").rstrip("\0 \r\n\t"))
    except (ValueError, RecursionError) as error:  # ValueError: no UTF-8, no JSON, or a number of too many digits
        raise AssetError(f"has JSON that cannot be read ({short(str(error))[1:-1]}): it is damaged, export it again") from None
    if not isinstance(parsed, dict):
        raise AssetError(f"has JSON that is {short(parsed)}, wanted an object")
    asset = parsed.get("asset")
    version = asset.get("version") if isinstance(asset, dict) else None
    if not isinstance(version, str) or version.split(".")[0] != "2":
        raise AssetError(f"says it is glTF version {short(version)}, wanted 2: convert it to glTF 2.0")
    return parsed


def _data_uri(uri: str, where: str) -> bytes:
    head, comma, body = uri.partition(",")
    if not comma:
        raise AssetError(f"{where} has the data URI {short(uri)} without a comma: it is damaged, export it again")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode(unquote_to_bytes(body), validate=True)
    except (binascii.Error, ValueError):
        raise AssetError(f"{where} has a data URI that is not base64: it is damaged, export it again") from None
