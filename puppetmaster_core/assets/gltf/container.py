"""The outer shell of a file: .glb chunks or .gltf JSON, and the bytes its buffers and pictures lie in.

glTF 2.0, sections 3.6 (buffers) and 4 (GLB).
"""

from __future__ import annotations

import base64
import json
import os
import posixpath
import struct
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from puppetmaster_core.assets.gltf.document import short
from puppetmaster_core.assets.gltf.errors import FILE, AssetError, Limits, Report, WholeFileError, damaged

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

        Raises AssetError for anything that leads elsewhere or is not there.
        """
        if uri[:5].lower() == "data:":
            return _data_uri(uri, where)
        try:
            data = read_bounded(self._beside(uri, where), self.limits, where)
        except OSError as error:
            raise AssetError(f"{where}: {short(uri)} cannot be read ({error.strerror}): put it beside the asset") from None
        if data.startswith(_LFS):
            raise AssetError(f"{where}: {short(uri)} is a Git LFS pointer: fetch the file itself (git lfs pull)")
        return data

    def _beside(self, uri: str, where: str) -> Path:
        """The file a relative URI names. What leads out, absolute paths, other hosts and links out are refused."""
        given = unquote_to_bytes(uri).decode("utf-8", "replace").replace("\\", "/")  # as exporters on Windows write it
        folder = self.folder.resolve()
        try:
            path = (folder / posixpath.normpath(given)).resolve()
            inside = given.isprintable() and ":" not in given.split("/")[0] and path.is_relative_to(folder) and path != folder
        except (OSError, RuntimeError, ValueError):  # a loop of links, a name that no file can have
            inside = False
        if not inside:
            raise WholeFileError(f"{where}: got {short(uri)}, expected a file in the asset's own folder: put it there")
        return path


def open_container(path: Path, limits: Limits, report: Report) -> Container:
    """Read a .glb or .gltf file; which of the two it is, its first bytes say. Raises AssetError."""
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
        raise AssetError(f"got a file that begins with {short(raw[:12])}, expected b'glTF' (.glb) or '{{' (.gltf): {hint}")
    text = bytes(text)
    limits.check("json_items", text.count(b",") + text.count(b"[") + text.count(b"{"), "items of JSON")
    return Container(_parse(text), binary, raw, path.parent, limits)


def read_bounded(path: Path, limits: Limits, where: str) -> bytes:
    """The bytes of an ordinary file that is not too large. Raises OSError, or AssetError."""
    if "\0" in str(path) or (path.exists() and not path.is_file()):  # opening a pipe would wait for ever
        raise AssetError(f"{where}: got {short(path.name)}, expected an ordinary file: give a file")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        limits.check("file_bytes", size, f"bytes of {where}")
        return file.read(size)


def _chunks(raw: bytes, report: Report) -> tuple[memoryview, memoryview | None]:
    """The JSON chunk and the binary chunk of a .glb."""
    if len(raw) < 20:
        raise _truncated(len(raw), "at least 20 bytes")
    version, length = struct.unpack_from("<II", raw, 4)
    if version != 2:
        raise AssetError(f"got glTF version {version}, expected 2: convert it to glTF 2.0")
    if length < len(raw):
        report(f"{len(raw) - length:,} bytes after the end of the .glb were left out", FILE)
    view, at, found, odd = memoryview(raw)[:length], 12, {}, False
    while at + 8 <= len(view):
        size, kind = struct.unpack_from("<II", view, at)
        if size > len(view) - at - 8:
            raise _truncated(len(raw), f"a chunk of {size:,} bytes at byte {at:,}")
        found.setdefault(kind, view[at + 8:at + 8 + size])
        odd |= size % 4 > 0
        at = _next_chunk(view, at + 8 + size)
    # A writer that leaves out the padding may still count it: up to three bytes a chunk.
    if length > len(raw) and not (odd and len(raw) == at and length - len(raw) <= 3 * len(found)):
        raise _truncated(len(raw), f"{length:,} bytes")
    if _JSON not in found:
        raise damaged("the .glb", "no JSON chunk", "one")
    if odd:
        report("has a chunk whose length is no multiple of 4: read as it stands", FILE)
    return found[_JSON], found.get(_BIN)


def _truncated(size: int, expected: str) -> AssetError:
    return AssetError(f"got a .glb of {size:,} bytes, expected {expected}: it is truncated, download it again")


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
    asset = parsed.get("asset") if isinstance(parsed, dict) else None
    version = asset.get("version") if isinstance(asset, dict) else None
    if not isinstance(version, str) or version.split(".")[0] != "2":
        raise AssetError(f"got glTF version {short(version)}, expected 2: convert it to glTF 2.0")
    return parsed


def _data_uri(uri: str, where: str) -> bytes:
    head, comma, body = uri.partition(",")
    if not comma:
        raise damaged(where, f"the data URI {short(uri)}", "one with a comma")
    if not head.strip().lower().endswith(";base64"):
        return unquote_to_bytes(body)
    body = unquote_to_bytes(body).translate(None, b" \t\r\n\f").rstrip(b"=")  # some break its lines, or leave out its end
    try:
        return base64.b64decode(body + b"=" * (-len(body) % 4), validate=True)
    except ValueError:
        raise damaged(where, "a data URI that is not base64", "base64") from None
