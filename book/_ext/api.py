"""The reference of the package from its docstrings: a Sphinx extension for autodoc, and the lists of modules for its pages.

Docstrings here are plain text: they become readable pages, with the comment of each dataclass field, and links from a function
to the equations it implements.
"""

from __future__ import annotations

import re
from pathlib import Path

import equations
from sources import CORE, module_file, piece

# Needs Blender's Python, so it cannot be imported here.
ELSEWHERE = ("render.blender_job",)
SETTINGS = {
    "autodoc_inherit_docstrings": False,
    "autodoc_member_order": "bysource",
    "autodoc_preserve_defaults": True,  # as written, not what a value looks like
    "autodoc_typehints_format": "short",
}


def modules_of(words: str) -> list[str]:
    """Public modules of the package, without its name: those named, and all below those that are rooms (folders)."""
    found = []
    for word in words.split():
        folder = CORE.joinpath(*word.split("."))
        files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
        parts = [file.relative_to(CORE).with_suffix("").parts for file in files]
        names = [".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts]
        found += [name for name in names if not any(part.startswith("_") for part in name.split("."))]
    return [name for name in found if name not in ELSEWHERE and _has_content(name)]


def _has_content(module: str) -> bool:
    """Whether a module says or holds anything: rooms often have an empty __init__."""
    return bool(module_file(f"puppetmaster_core.{module}.x")[0].read_text(encoding="utf-8").strip())


def tops() -> list[str]:
    """What lies at the top of the package: modules and rooms."""
    found = [path for path in CORE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    return sorted(path.stem for path in found if not path.name.startswith("_"))


def modules_block(words: str) -> str:
    """A section for each module, for autodoc to fill."""
    return "\n\n".join(
        f"## {name}\n\n```{{eval-rst}}\n.. automodule:: puppetmaster_core.{name}\n   :members:\n   :undoc-members:\n"
        "   :ignore-module-all:\n```"
        for name in modules_of(words)
    )


def setup(app) -> dict:
    """Sphinx calls this for an extension."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.viewcode")
    app.connect("autodoc-process-docstring", describe)
    app.connect("config-inited", lambda app, config: config.__dict__.update(SETTINGS))
    return {"parallel_read_safe": True}


def describe(app, what: str, name: str, obj, options, lines: list[str]) -> None:
    """Replace the docstring of `name`, in place, by text that reStructuredText reads as what it says."""
    if what == "attribute":
        words = field_comment(name)
        lines[:] = [escaped(words), ""] if words else []
        return
    lines[:] = to_rst("\n".join(lines))
    if found := equations.of_function(name):
        names = ", ".join(f":ref:`{one.place} <{one.label}>`" for one in found)
        lines += [f"Implements {names}; the tests that check it are there.", ""]


def field_comment(name: str) -> str:
    """The comment behind `field: type` in the body of a class, and of the lines below it that go on with it."""
    owner, _, field = name.rpartition(".")
    try:
        source = piece(owner)
    except (LookupError, SyntaxError):
        return ""
    found = re.search(rf"^ +{re.escape(field)}: [^#\n]*# (.+)$", source, re.M)
    return found[1] if found else ""


def to_rst(text: str) -> list[str]:
    """Plain text to reStructuredText: paragraphs, indented examples as literal blocks, and `name: what it is` as a list."""
    lines: list[str] = []
    for paragraph in re.split(r"\n[ \t]*\n", text.strip("\n")):
        rows = paragraph.splitlines()
        if rows and all(row.startswith("    ") for row in rows):
            lines += ["::", "", *rows, ""]
            continue
        items: list[str] = []
        for row in rows:
            new = not items or (not row.startswith(" ") and re.match(r"[\w*][\w*, ]{0,40}: \S", row))
            if new:
                items.append(row.strip())
            else:
                items[-1] += " " + row.strip()
        marked = len(items) > 1
        for i, item in enumerate(items):
            listed = marked and re.match(r"[\w*][\w*, ]{0,40}: \S", item)
            lines += [("* " if listed else "") + escaped(item)]
            if i + 1 == len(items) or not listed or not re.match(r"[\w*][\w*, ]{0,40}: \S", items[i + 1]):
                lines.append("")
    return lines


def escaped(text: str) -> str:
    """Text in which nothing but `code` means more than it says."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a lone mark
        parts = [text.replace("`", "'")]
    plain = [re.sub(r"([\\*|_])", r"\\\1", part) if i % 2 == 0 else f"\0{part}\0" for i, part in enumerate(parts)]
    joined = "".join(plain)
    joined = re.sub(r"(?<=[^\s(\[])\0(?=[^\0]+\0)", "\\\\ \0", joined)  # code must stand apart from words
    joined = re.sub(r"\0\0", "", joined)
    return re.sub(r"\0([^\0]*)\0(?=\w)", "``\\1``\\\\ ", joined).replace("\0", "``")


def pages(root: Path) -> dict[str, str]:
    """What each page of the reference asks for, by the page's name; "*" is whatever no page names."""
    texts = {page.stem: page.read_text(encoding="utf-8") for page in sorted((root / "book" / "api").glob("*.md"))}
    words = {name: " ".join(re.findall(r"^```\{modules\} (.+)$", text, re.M)) for name, text in texts.items()}
    named = {word for line in words.values() for word in line.split()}
    rest = " ".join(top for top in tops() if top not in named)
    return {name: line.replace("*", rest) for name, line in words.items()}
