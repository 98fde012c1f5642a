"""The JSON of a glTF file, read with suspicion: every index, count and number is checked where it is taken out."""

from __future__ import annotations

import math
import reprlib

import numpy as np

from puppetmaster_core.assets.gltf.errors import AssetError

_REQUIRED = object()
_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother = 2, 80, 60


class Document:
    """The parsed JSON; `get(kind, index)` looks up "the accessor of this index" and the like."""

    def __init__(self, json: dict):
        self.json = json
        self.lists = {}

    def all(self, kind: str) -> list[dict]:
        """The list `kind` ("nodes", "accessors", …) of the file, [] if it has none."""
        if kind not in self.lists:
            self.lists[kind] = objects(self.json, kind, "the file")
        return self.lists[kind]

    def get(self, kind: str, index: int, where: str) -> dict:
        """Item `index` of list `kind`; AssetError naming `where` if there is none."""
        present = self.all(kind)
        if not 0 <= index < len(present):
            raise AssetError(f"{where} asks for {kind}[{index}], the file has {len(present)} of them: "
                             "it is damaged, export it again")
        return present[index]


def short(value) -> str:
    """A value from the file, short enough for one line."""
    written = _REPR.repr(value)
    return written if len(written) <= 90 else f"{written[:90]}…"


def objects(holder: dict, key: str, where: str) -> list[dict]:
    """The list of JSON objects under `key`, [] if absent."""
    value = holder.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        raise AssetError(f"{key} of {where} is {short(value)}, wanted a list of objects")
    return value


def mapping(holder: dict, key: str, where: str) -> dict:
    """The JSON object under `key`, {} if absent."""
    value = holder.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise AssetError(f"{key} of {where} is {short(value)}, wanted an object")
    return value


def integer(holder: dict, key: str, where: str, *, default=_REQUIRED, least: int = 0, most: int = 2**53) -> int:
    """The whole number under `key`, from `least` to `most`; without a default it must be there."""
    value = holder.get(key, default)
    if value is default and default is not _REQUIRED:
        return default
    if isinstance(value, float) and value.is_integer():  # some exporters write 3.0
        value = int(value)
    if value is _REQUIRED or isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        came = "missing" if value is _REQUIRED else short(value)
        raise AssetError(f"{key} of {where} is {came}, wanted a whole number from {least} to {most}")
    return value


def indices(holder: dict, key: str, where: str) -> list[int]:
    """The list of indices under `key`, [] if absent."""
    value = holder.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise AssetError(f"{key} of {where} is {short(value)}, wanted a list of indices")
    return [integer({key: v}, key, where) for v in value]


def text(holder: dict, key: str, where: str, default: str = "") -> str:
    """The string under `key`."""
    value = holder.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise AssetError(f"{key} of {where} is {short(value)}, wanted text")
    return value


def label(holder: dict, default: str) -> str:
    """The name of a node, clip or material: one line of at most 200 characters, whatever the file says."""
    return one_line(holder.get("name"), 200) or default


def one_line(value, most: int) -> str:
    """Text from outside as one printable line of at most `most` characters; "" for what is no text."""
    return "".join(c if c.isprintable() else " " for c in value[:most]).strip() if isinstance(value, str) else ""


def numbers(holder: dict, key: str, where: str, default, report) -> np.ndarray:
    """The list of numbers under `key` as float64, as many as `default` has.

    Numbers that are not finite become those of `default`, and the report says so.
    """
    default = np.asarray(default, np.float64)
    value = holder.get(key)
    if value is None:
        return default.copy()
    if not isinstance(value, list) or len(value) != len(default) or not all(map(_is_number, value)):
        raise AssetError(f"{key} of {where} is {short(value)}, wanted {len(default)} numbers")
    array = np.array([_as_float(v) for v in value])
    if not np.isfinite(array).all():
        report(f"{key} of {where} is not finite: taken as {default.tolist()}")
        return default.copy()
    return array


def number(holder: dict, key: str, where: str, default: float, report) -> float:
    """The number under `key`, `default` if it is absent or not finite."""
    return float(numbers({key: [holder[key]]} if holder.get(key) is not None else {}, key, where, [default], report)[0])


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _as_float(value) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
