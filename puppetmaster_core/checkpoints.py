"""Models on disk: where a name leads, and what a model's folder says.

A model is a folder in diffusers' layout. This module imports neither PyTorch nor diffusers, which takes seconds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from pathlib import Path

from puppetmaster_core.files import one_line, whole_folder

SHIPPED = Path(__file__).parent / "weights"
ON_HUB = {"svd": "stabilityai/stable-video-diffusion-img2vid"}  # names of models that are downloaded
SVD_CLASS = "StableVideoDiffusionPipeline"
INDEX = "model_index.json"
VARIANT = re.compile(r"\.([^.-]+)(?:-\d+-of-\d+)?\.safetensors$")  # of NAME.fp16.safetensors, whole or in parts
# Plain settings of the pipeline and the network: of which kind, from where to where.
SETTINGS = {
    "size": (int, 1, 65_536), "frames": (int, 2, 10_000), "max_drags": (int, 1, 10_000),
    "latent_scale": (Real, 0, 1e6), "residual": (bool, False, True), "anchor": (Real, 0, 2), "null_picture": (bool, False, True),
    "fps": (Real, 1, 1000), "motion_bucket": (Real, 0, 1e6), "noise_augmentation": (Real, 0, 1e3),
}
PLAIN = (*SETTINGS.keys() - {"max_drags"}, "steps", "min_guidance", "max_guidance", "qualities")  # of the pipeline; the last
# four say how it samples, which `sampling.Sampling` checks
KINDS = {int: "a whole number", Real: "a number", bool: "true or false,"}


class ModelError(ValueError):
    """A model that cannot be used. The message is one line: what it got, what it expected, what to do."""


def shipped_models() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(index.parent.name for index in SHIPPED.glob(f"*/{INDEX}"))


def find_model(name_or_path) -> Path | str:
    """The folder of a shipped model or of a path, or the hub's id (OWNER/NAME) as it came. Raises ModelError."""
    name = str(name_or_path)
    if name in shipped_models():
        return SHIPPED / name
    if os.path.isdir(name):  # unlike Path.is_dir, False for a name too long for any folder
        return Path(name)
    if name in ON_HUB:
        return ON_HUB[name]
    shipped = ", ".join(shipped_models()) or "none yet"
    wanted = f"expected a shipped model ({shipped}), a folder, or OWNER/NAME on the Hugging Face hub (svd is short for one)"
    if os.path.exists(name):
        raise ModelError(f"model {name!r} is a file, {wanted}: give the folder that holds {INDEX}")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", name):
        raise ModelError(f"no model {name!r}, {wanted}: check the name")
    return name


def fetch_model(name_or_path, download: Callable[[str], str]) -> Path:
    """The folder of a model, from the hub if it is not here. Raises ModelError."""
    folder = find_model(name_or_path)
    if isinstance(folder, Path):
        return folder
    try:
        with quiet():
            return Path(download(folder))
    except Exception as error:  # whatever the hub's client raises: no network, no such model, no permission, …
        raise ModelError(f"no folder {folder!r} here, and the hub did not give that model ({one_line(error)}): check the name "
                         "and the network") from error


def read_model_index(folder: Path) -> dict:
    """model_index.json of a model's folder: its classes by component, its plain settings. Raises ModelError."""
    return _read(folder / INDEX)


def read_config(folder: Path, component: str) -> dict:
    """The constructor arguments of one component. Raises ModelError."""
    return _read(folder / component / "config.json")


def _read(path: Path) -> dict:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        check_settings(record)
    except ModelError as error:
        raise ModelError(f"{path}: {error}, or get the model again") from None
    except (OSError, ValueError, RecursionError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or "no JSON object"
        raise ModelError(f"{path}: cannot be read ({reason}), expected the settings of a whole model: check the path, or get it "
                         "again") from None
    return record


def check_settings(record: Mapping) -> None:
    """Raise ModelError for a setting among `record` that is not of its kind, or out of its range."""
    for name, (kind, least, most) in SETTINGS.items():
        value = record.get(name, least)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool) or not least <= value <= most:
            raise ModelError(f"got {name}={value!r}, expected {KINDS[kind]} from {least:,} to {most:,}: correct it")


def variant_of(folder: Path, preferred: str | None = None) -> str | None:
    """The variant of a component's weights that is read: the preferred one where it is there, else None (plain), fp16, or any.

    Each component is asked: people convert one and leave the others as they were.
    """
    there = [found[1] if (found := VARIANT.search(path.name)) else None for path in sorted(folder.glob("*.safetensors"))]
    return next((variant for variant in (preferred, None, "fp16", *there) if variant in there), preferred)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to save a model to, which becomes `folder` at the end, or nothing after an error.

    A model that was there goes, but not the files beside it, such as its card. No path of this machine stays in it.
    """
    taken = any(folder.iterdir()) and not (folder / INDEX).is_file() if folder.is_dir() else folder.exists()
    if taken:
        raise ModelError(f"{folder}: something else is there, expected a new folder or one with a model: choose another name")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder) as partial:
        yield partial
        for path in partial.rglob("*.json"):
            record = json.loads(path.read_text(encoding="utf-8"))
            if record.pop("_name_or_path", None) is not None:
                path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        mode = (partial / INDEX).stat().st_mode
        for path in partial.rglob("*.safetensors"):
            path.chmod(mode)  # safetensors writes files that only their owner may read
        for path in folder.iterdir() if folder.exists() else ():
            if path.is_file() and not (partial / path.name).exists():
                shutil.copy2(path, partial)


@contextmanager
def loading(folder: Path) -> Iterator[None]:
    """What diffusers and transformers raise in here becomes a ModelError, and what they print is not shown."""
    try:
        with quiet():
            yield
    except ModelError:
        raise
    except Exception as error:  # settings of wrong kinds reach every line of the libraries
        raise ModelError(f"{folder}: cannot be loaded ({one_line(error)}), expected a whole model of this version, in "
                         "safetensors: get it again") from error


@contextmanager
def quiet() -> Iterator[None]:
    """diffusers and transformers without warnings and bars: what they warn of here is checked, and said in one line."""
    from diffusers.utils import logging as diffusers_log
    from transformers.utils import logging as transformers_log

    logs = (diffusers_log, transformers_log)
    levels, bars = [log.get_verbosity() for log in logs], [log.is_progress_bar_enabled() for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, level, bar in zip(logs, levels, bars, strict=True):
            log.set_verbosity(level)
            if bar:
                log.enable_progress_bar()
