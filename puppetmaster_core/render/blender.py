"""The quality renderer: Blender's Cycles, in its own environment, one subprocess an asset.

`make blender` installs it. The same `Rendering` comes back as from the fast rasteriser. Letters: N frames, V vertices.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from puppetmaster_core.assets.asset import AnimatedAsset
from puppetmaster_core.render.blender_scene import write_scene
from puppetmaster_core.render.camera import Camera
from puppetmaster_core.render.lights import DRAG_A_MOVE_LIGHTS, Lights
from puppetmaster_core.render.rendering import Rendering, check_positions

PYTHON_VARIABLE = "PUPPETMASTER_BLENDER_PYTHON"
_JOB = Path(__file__).with_name("blender_job.py")
_HERE = Path(__file__).resolve().parents[2] / ".venv-blender" / "bin" / "python"


class BlenderError(RuntimeError):
    """Blender is not there, failed, or took too long. `stderr`: all that it wrote there."""

    def __init__(self, message: str, stderr: str = ""):
        super().__init__(message)
        self.stderr = stderr


@dataclass(frozen=True)
class Cycles:
    """How Cycles draws colours; ids, depth and positions always come from one sample at each pixel's centre."""

    samples: int = 16  # paths a pixel; the released renderings have 128
    bounces: int = 1  # of diffuse light
    shadows: bool = True  # False: as the rasteriser lights, without shadows and without noise
    denoise: bool = False
    threads: int = 1


def blender_python() -> Path | None:
    """The interpreter that has bpy: $PUPPETMASTER_BLENDER_PYTHON, else the checkout's .venv-blender; None where there is none."""
    named = os.environ.get(PYTHON_VARIABLE)
    path = Path(named) if named else _HERE
    return path if path.exists() else None


def render_blender(asset: AnimatedAsset, positions: np.ndarray, cameras: list[Camera], size: int, *,
                   lights: Lights = DRAG_A_MOVE_LIGHTS, cycles: Cycles = Cycles(), time_limit: float = 600.0,
                   log: str | os.PathLike | None = None) -> list[Rendering]:
    """Draw `asset` with its vertices at `positions` (N, V, 3) from every camera, over white, in one Blender process.

    Plain lights become physical ones that look alike (`Lights.as_physical`). The process is killed after `time_limit`
    seconds. What Blender says, on both streams, goes to the file `log`. Raises BlenderError.
    """
    positions = check_positions(asset, positions)
    stored = run_job(asset, positions, cameras, size, lights=lights, cycles=cycles, time_limit=time_limit, log=log)
    names = ("frames", "alpha", "part_ids", "depth", "face", "barycentric")
    return [Rendering(*(stored[name][view] for name in names)) for view in range(len(cameras))]


def run_job(asset: AnimatedAsset, positions: np.ndarray, cameras: list[Camera], size: int, *,
            lights: Lights = DRAG_A_MOVE_LIGHTS, cycles: Cycles = Cycles(), time_limit: float = 600.0,
            log: str | os.PathLike | None = None) -> dict[str, np.ndarray]:
    """All passes, the views first: a Rendering's arrays and `world` (views, N, H, W, 3). Without samples, no colours."""
    python = blender_python()
    if python is None:
        raise BlenderError(f"no Python with Blender's module was found: run `make blender`, or name one in ${PYTHON_VARIABLE}")
    with tempfile.TemporaryDirectory(prefix="puppetmaster-blender-") as folder:
        scene, out = Path(folder) / "scene.npz", Path(folder) / "out.npz"
        write_scene(scene, asset, positions, cameras, lights, {"size": size, **asdict(cycles)})
        _run([str(python), str(_JOB), str(scene), str(out)], out, folder, time_limit, log)
        with np.load(out, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}


def _run(command: list[str], out: Path, folder: str, time_limit: float, log: str | os.PathLike | None) -> None:
    """Run Blender, keep what it says, and raise BlenderError unless `out` is there in time."""
    # A folder of its own for temporary files and settings: nothing of the user's is read, and everything goes with it.
    private = {"TMPDIR": folder, "HOME": folder, "BLENDER_USER_RESOURCES": folder, "PYTHONDONTWRITEBYTECODE": "1"}
    said, trouble = Path(folder) / "stdout", Path(folder) / "stderr"
    reason = None
    with open(said, "wb") as stdout, open(trouble, "wb") as stderr:
        try:
            code = subprocess.run(command, env={**os.environ, **private}, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                                  timeout=time_limit).returncode
            if code or not out.exists():
                reason = f"Blender ended with exit code {code}"
        except subprocess.TimeoutExpired:
            reason = f"Blender took longer than {time_limit:g} s and was stopped: allow more, or draw fewer frames or views"
        except OSError as error:
            reason = f"{command[0]} cannot be run ({error.strerror})"
    stderr = trouble.read_text(errors="replace")
    if log is not None:
        Path(log).write_text(f"stderr:\n{stderr}\nstdout:\n{said.read_text(errors='replace')}")
    if reason:
        last = stderr.strip().splitlines()[-1:] or ["nothing"]
        raise BlenderError(f"{reason}; its last word: {last[0][:300]}", stderr)
