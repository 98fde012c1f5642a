"""Pieces of source text by name, read without importing: a function, a class, or a test."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from puppetmaster_core.provenance import CHECKOUT

CORE = CHECKOUT / "puppetmaster_core"


def module_file(dotted: str) -> tuple[Path, str]:
    """The file of puppetmaster_core.module.name, and `name` (Class.method, for a method). Raises LookupError."""
    parts = dotted.split(".")[1:]
    for length in range(len(parts), 0, -1):
        path = CORE.joinpath(*parts[:length])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file, ".".join(parts[length:])
    raise LookupError(f"no module has {dotted}")


@cache
def pieces(file: Path) -> dict[str, str]:
    """Every function and class of a file, methods as Class.method, from the first decorator to the last line."""
    text = file.read_text(encoding="utf-8")
    return dict(_pieces(ast.parse(text).body, text.splitlines(), ""))


def piece(dotted: str) -> str:
    """The piece puppetmaster_core.module.name. Raises LookupError."""
    file, name = module_file(dotted)
    found = pieces(file).get(name)
    if found is None:
        raise LookupError(f"{file.name} has no {name!r}")
    return found


def _pieces(body, lines: list[str], prefix: str):
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
            yield prefix + node.name, "\n".join(lines[first : node.end_lineno])
            if isinstance(node, ast.ClassDef):
                yield from _pieces(node.body, lines, f"{prefix}{node.name}.")
