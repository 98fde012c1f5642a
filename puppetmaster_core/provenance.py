"""Where a result comes from."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from puppetmaster_core import __version__

CHECKOUT = Path(__file__).resolve().parents[1]


def commit() -> str | None:
    """The checkout's commit, with "+" when there are changes on top; None outside a checkout, or without git."""
    try:
        top, head = _git("rev-parse", "--show-toplevel", "HEAD").splitlines()
        if Path(top).resolve() != CHECKOUT:  # installed into somebody else's checkout
            return None
        return head + ("+" if _git("status", "--porcelain").strip() else "")
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def versions(*packages: str) -> dict[str, str]:
    """Of this package, of Python, and of the packages named."""
    own = {"puppetmaster_core": __version__, "python": platform.python_version()}
    return own | {name: version(name) for name in packages}


def _git(*words: str) -> str:
    return subprocess.run(["git", "-C", str(CHECKOUT), *words], capture_output=True, text=True, check=True).stdout
