"""The widgets' JavaScript: plain ES modules in `js/`, handed to the browser as one.

A notebook gives a widget's module to the page as text, where `import "./path.js"` would find nothing. So a module and what
it imports are written one after the other, without the words import and export. Nothing else is changed.
"""

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("js")
IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.M)
NAMES = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.M)


class BundleError(Exception):
    """Modules that cannot be one."""


@cache
def script(name: str, folder: Path = FOLDER) -> str:
    """The text of NAME.js in `folder` and of all it imports, as one ES module. Raises BundleError where two define one name."""
    texts = {part: (folder / f"{part}.js").read_text(encoding="utf-8") for part in _parts(name, folder, [])}
    owner: dict[str, str] = {}
    for part, text in texts.items():
        for defined in NAMES.findall(text):
            if owner.setdefault(defined, part) != part:
                raise BundleError(f"{defined} is defined in {owner[defined]}.js and {part}.js, expected in one: rename it")
    joined = "\n".join(IMPORT.sub("", text) for text in texts.values())
    return re.sub(r"^export (?!default)", "", joined, flags=re.M)


@cache
def style(name: str) -> str:
    """The style sheet NAME.css after the one that all share."""
    return "\n".join((FOLDER / f"{part}.css").read_text(encoding="utf-8") for part in ("shared", name))


def _parts(name: str, folder: Path, found: list[str]) -> list[str]:
    """What a module needs, directly or not, and then itself: each once, and after what it needs."""
    for needed in IMPORT.findall((folder / f"{name}.js").read_text(encoding="utf-8")):
        if needed not in found:
            _parts(needed, folder, found)
    found.append(name)
    return found
