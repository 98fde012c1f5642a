"""Links that open a notebook somewhere else: in Binder, and in Colab.

They lead to the committed files of the repository that the book is published from, so only a book built there has them.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

BRANCH = "main"
ALONE = ("14_toy.ipynb",)  # needs nothing but what Colab has


def repository(root: Path) -> str | None:
    """OWNER/NAME on GitHub: what GitHub Actions say, else where `origin` points; None where neither tells."""
    if named := os.environ.get("GITHUB_REPOSITORY"):
        return named
    asked = subprocess.run(["git", "-C", str(root), "remote", "get-url", "origin"], capture_output=True, text=True)
    found = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", asked.stdout.strip())
    return found[1] if found and not asked.returncode else None


def binder(where: str, name: str) -> str:
    """The address that opens notebooks/`name` in JupyterLab on Binder, built from `.binder`."""
    return f"https://mybinder.org/v2/gh/{where}/{BRANCH}?urlpath=lab/tree/notebooks/{name}"


def colab(where: str, name: str) -> str:
    """The address that opens notebooks/`name` in Colab."""
    return f"https://colab.research.google.com/github/{where}/blob/{BRANCH}/notebooks/{name}"


def prepare(where: str) -> tuple[str, ...]:
    """What Colab has to be told first: the checkout is the working folder, so its package and its results are what is found;
    and where the chapters' `lib` is, since the working folder is not theirs."""
    return (f"!git clone --depth 1 https://github.com/{where} puppets", "%cd puppets", "%pip install -q .[notebooks]",
            'import sys; sys.path.append("notebooks")')


def launch_line(where: str, name: str) -> str:
    """Both links, in Markdown; for Colab with the lines that fetch the package where a notebook needs it."""
    lines = ", ".join(f"`{line}`" for line in prepare(where))
    first = "" if name in ALONE else f" (there, run this first, line by line: {lines})"
    return f"Run it yourself: [in Binder]({binder(where, name)}) · [in Colab]({colab(where, name)}){first}."
