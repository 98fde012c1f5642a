"""The JSON of a glTF file. Every item is checked once, against the fields of its kind, where it is first asked for."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from puppetmaster_core.assets.gltf.errors import Report, damaged

REQUIRED = object()
_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother = 2, 80, 60


class Field(NamedTuple):
    """How the value of a key is checked; absent or null it is the default, and None stays None."""

    check: Callable  # (value, its name, report) -> the value to go on with; raises AssetError
    default: object = REQUIRED


def checked(item: dict, fields: dict[str, Field], where: str, report: Report) -> dict:
    """`item` with its `fields` checked and their defaults filled in; other keys stay as they are. Raises AssetError."""
    found = dict(item)
    for key, (check, default) in fields.items():
        value = item.get(key)
        value = default if value is None else value
        if value is REQUIRED:
            raise damaged(f"{key} of {where}", "nothing", "a value")
        found[key] = None if value is None else check(value, f"{key} of {where}", report)
    return found


def short(value) -> str:
    """A value from the file, short enough for one line."""
    written = _REPR.repr(value)
    return written if len(written) <= 90 else f"{written[:90]}…"


def one_line(value, most: int = 200) -> str:
    """Text from outside as one printable line of at most `most` characters; "" for what is no text."""
    return "".join(c if c.isprintable() else " " for c in value[:most]).strip() if isinstance(value, str) else ""


def whole(default=REQUIRED, least: int = 0, most: int = 2**53) -> Field:
    """A whole number from `least` to `most`."""
    def check(value, name, report):
        value = int(value) if isinstance(value, float) and value.is_integer() else value  # some exporters write 3.0
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise damaged(name, short(value), f"a whole number from {least} to {most}")
        return value
    return Field(check, default)


def indices(value, name: str, report: Report) -> list[int]:
    if not isinstance(value, list):
        raise damaged(name, short(value), "a list of indices")
    return [INDEX.check(v, name, report) for v in value]


def text(value, name: str, report: Report) -> str:
    if not isinstance(value, str):
        raise damaged(name, short(value), "text")
    return value


def one_of(*known) -> Callable:
    def check(value, name, report):
        if isinstance(value, (dict, list)) or value not in known:
            raise damaged(name, short(value), f"one of {list(known)}")
        return value
    return check


def objects(value, name: str, report: Report) -> list[dict]:
    """A list of JSON objects, each to be checked by itself: one that is damaged costs itself."""
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        raise damaged(name, short(value), "a list of objects")
    return value


def nested(fields: dict[str, Field], default=None) -> Field:
    """A JSON object with fields of its own."""
    def check(value, name, report):
        if not isinstance(value, dict):
            raise damaged(name, short(value), "an object")
        return checked(value, fields, name, report)
    return Field(check, default)


def extensions(**fields: Field) -> Field:
    return nested(fields, {})


def numbers(*default: float) -> Field:
    """As many numbers as `default` has, float64; where one is not finite, those of `default`, which is reported."""
    def check(value, name, report):
        if value is default:
            return np.array(default, np.float64)
        if not isinstance(value, list) or len(value) != len(default) or not all(map(_is_number, value)):
            raise damaged(name, short(value), f"{len(default)} numbers")
        array = np.array([_as_float(v) for v in value])
        if not np.isfinite(array).all():
            report(f"{name} is not finite: taken as {list(default)}")
            return np.array(default, np.float64)
        return array
    return Field(check, default)


def number(default: float) -> Field:
    """A number; `default` where it is not finite, which is reported."""
    array = numbers(default)
    return Field(lambda value, name, report: float(array.check([value], name, report)[0]), default)


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _as_float(value) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


INDEX, NAME, OFFSET = whole(None), Field(lambda value, name, report: one_line(value), ""), whole(0)


class Document:
    """The parsed JSON; `get(kind, index)` looks up "the accessor of this index" and the like."""

    def __init__(self, json: dict, file: dict[str, Field], fields: dict[str, dict[str, Field]], report: Report):
        self.fields, self.report, self.found = fields, report, {}
        self.json = checked(json, {**file, **{kind: Field(objects, []) for kind in fields}}, "the file", report)

    def get(self, kind: str, index: int, where: str) -> dict:
        """Item `index` of list `kind`, checked; AssetError naming `where` if there is none."""
        if (kind, index) not in self.found:
            items = self.json[kind]
            if index >= len(items):
                raise damaged(where, f"{kind}[{index}]", f"one of the {len(items)} in the file")
            name = "mesh" if kind == "meshes" else kind[:-1]
            self.found[kind, index] = checked(items[index], self.fields[kind], f"{name} {index}", self.report)
        return self.found[kind, index]
