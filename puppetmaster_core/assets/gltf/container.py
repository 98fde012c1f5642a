"""The outer shell of a file: .glb chunks or .gltf JSON, and the bytes its buffers and pictures lie in.

glTF 2.0, sections 3.6 (buffers) and 4 (GLB).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import posixpath
import struct
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from puppetmaster_core.assets.gltf.document import short
from puppetmaster_core.assets.gltf.errors import FILE, AssetError, Limits, Report, WholeFileError

_JSON, _BIN = 0x4E4F534A, 0x004E4942
_LFS = b"version https://git-lfs"  # how Git LFS's stand-ins for large files begin


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
        data = read_bounded(self._beside(uri, where), self.limits, where)
        if data.startswith(_LFS):
            raise AssetError(f"{where} is {short(uri)}, a Git LFS pointer: fetch the file itself (git lfs pull)")
        return data

    def _beside(self, uri: str, where: str) -> Path:
        """The file a relative URI names, its steps up and down taken away.

        What leads out, absolute paths, other hosts and links out are refused.
        """
        given = unquote_to_bytes(uri).decode("utf-8", "replace").replace("\\", "/")  # as exporters on Windows write it
        name = posixpath.normpath(given) if given else ""
        if not name or ":" in given.split("/")[0] or name.startswith("/") or name.split("/")[0] == ".." or not name.isprintable():
            raise WholeFileError(f"{where} wants {short(uri)}: only files in the asset's own folder are read, put it there")
        folder = self.folder.resolve()
        try:
            path = (folder / name).resolve()
        except (OSError, RuntimeError):  # a loop of links
            raise WholeFileError(f"{where} wants {short(uri)}, which cannot be followed: put the file there") from None
        if not path.is_relative_to(folder):
            raise WholeFileError(f"{where} wants {short(uri)}, a link out of the asset's folder: put the file itself there")
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
        hint = "this is a Git LFS pointer, fetch the file itself" if raw.startswith(_LFS) else "convert it to glTF 2.0"
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
            raise WholeFileError(f"{where} has {size:,} bytes, at most {limits.file_bytes:,} are read: "
                              "reduce it, or raise Limits.file_bytes")
        return file.read(size)


def _chunks(raw: bytes, report: Report) -> tuple[memoryview, memoryview | None]:
    """The JSON chunk and the binary chunk of a .glb."""
    if len(raw) < 20:
        raise AssetError(f"has {len(raw)} bytes, a .glb at least 20: it is truncated, download it again")
    version, length = struct.unpack_from("<II", raw, 4)
    if version != 2:
        raise AssetError(f"is glTF version {version}, wanted 2: convert it")
    if length < len(raw):
        report(f"{len(raw) - length:,} bytes after the end of the .glb were left out", FILE)
    view, at, found, odd = memoryview(raw)[:length], 12, {}, False
    while at + 8 <= len(view):
        size, kind = struct.unpack_from("<II", view, at)
        if size > len(view) - at - 8:
            if length > len(raw):
                break
            left = len(view) - at - 8
            raise AssetError(f"has a chunk of {size:,} bytes with {left:,} left: it is truncated, download it again")
        found.setdefault(kind, view[at + 8:at + 8 + size])
        odd |= size % 4 > 0
        at = _next_chunk(view, at + 8 + size)
    # A writer that leaves out the padding may still count it: up to three bytes a chunk.
    if length > len(raw) and not (odd and len(raw) == at and length - len(raw) <= 3 * len(found)):
        raise AssetError(f"says it has {length:,} bytes and has {len(raw):,}: it is truncated, download it again")
    if _JSON not in found:
        raise AssetError("is a .glb without a JSON chunk: it is damaged, export it again")
    if odd:
        report("has a chunk whose length is no multiple of 4: read as it stands", FILE)
    return found[_JSON], found.get(_BIN)


def _next_chunk(view: memoryview, end: int) -> int:
    """Where the chunk after one that ends at `end` begins: at the next multiple of 4, or at once where padding was forgotten."""
    padded = end + -end % 4
    for at in (padded, end):
        if at + 8 <= len(view):
            size, kind = struct.unpack_from("<II", view, at)
            if kind in (_JSON, _BIN) and size <= len(view) - at - 8:
                return at
    return end if end + 4 > len(view) else padded


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
    if not head.strip().lower().endswith(";base64"):
        return unquote_to_bytes(body)
    body = unquote_to_bytes(body).translate(None, b" \t\r\n\f").rstrip(b"=")  # some break its lines, or leave out its end
    try:
        return base64.b64decode(body + b"=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise AssetError(f"{where} has a data URI that is not base64: it is damaged, export it again") from None
