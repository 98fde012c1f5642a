"""The quality renderer: Blender's Cycles, in its own environment, one subprocess a clip. `make blender` installs it.

Blender is given our own vertices frame by frame, so that both renderers see the same geometry: its importer drops cubic tangents,
turns by nlerp and clamps morph weights. It draws the colours; what lies at each pixel's centre is the rasteriser's.
Letters: N frames, V vertices, F triangles, W vertices after those with several normals are told apart.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from puppetmaster_core.assets.asset import AnimatedAsset, Material, displayed, linear
from puppetmaster_core.render.camera import Camera
from puppetmaster_core.render.lights import DRAG_A_MOVE_LIGHTS, Lights
from puppetmaster_core.render.raster import Rendering, render

PYTHON_VARIABLE = "PUPPETMASTER_BLENDER_PYTHON"
SENSOR = 32.0  # mm; the lens then is Camera.focal · 32 mm, 35 mm by default
_JOB = Path(__file__).with_name("blender_job.py")
_HERE = Path(__file__).resolve().parents[2] / ".venv-blender" / "bin" / "python"
_FILTERS = {"linear": "Linear", "nearest": "Closest"}


class BlenderError(RuntimeError):
    """Blender is not there, failed, or took too long. `stderr`: all that it wrote there."""

    def __init__(self, message: str, stderr: str = ""):
        super().__init__(message)
        self.stderr = stderr


@dataclass(frozen=True)
class Cycles:
    """How Cycles draws colours."""

    samples: int = 16  # paths a pixel; the released renderings have 128
    bounces: int = 1  # of diffuse light
    shadows: bool = True  # False: as the rasteriser lights, without shadows and without noise


def blender_python() -> Path | None:
    """The interpreter that has bpy: $PUPPETMASTER_BLENDER_PYTHON, else the checkout's .venv-blender; None where there is none."""
    named = os.environ.get(PYTHON_VARIABLE)
    path = Path(named) if named else _HERE
    return path if path.exists() else None


def render_blender(asset: AnimatedAsset, positions: np.ndarray, camera: Camera, size: int, *, lights: Lights = DRAG_A_MOVE_LIGHTS,
                   cycles: Cycles = Cycles(), time_limit: float = 600.0) -> Rendering:
    """Draw `asset` with its vertices at `positions` (N, V, 3), over white, in a Blender process of its own.

    Plain lights become physical ones that look alike (`Lights.as_physical`). The process is killed after `time_limit`
    seconds. Raises BlenderError.
    """
    python = blender_python()
    if python is None:
        raise BlenderError(f"no Python with Blender's module was found: run `make blender`, or name one in ${PYTHON_VARIABLE}")
    rendering = render(asset, positions, camera, size, lights=lights)
    with tempfile.TemporaryDirectory(prefix="puppetmaster-blender-") as folder:
        scene, out = Path(folder) / "scene.npz", Path(folder) / "out.npy"
        _write_scene(scene, asset, positions, camera, lights, {"size": size, **asdict(cycles)})
        _run([str(python), str(_JOB), str(scene), str(out)], out, folder, time_limit)
        drawn = np.load(out, allow_pickle=False)
    return _over_white(rendering, drawn)


def _over_white(rendering: Rendering, color: np.ndarray) -> Rendering:
    """The rendering with Cycles' colours (N, H, W, 4): linear light, multiplied by alpha."""
    alpha = np.clip(color[..., 3:], 0, 1)
    shown = displayed(color[..., :3] / np.maximum(alpha, 1e-6))
    return replace(rendering, frames=np.rint(255 * (shown * alpha + 1 - alpha)).astype(np.uint8),
                   alpha=np.rint(255 * alpha[..., 0]).astype(np.uint8))


def _run(command: list[str], out: Path, folder: str, time_limit: float) -> None:
    """Run Blender. Raises BlenderError, with the last line it said, where it does not write `out`."""
    # A folder of its own for temporary files and settings: nothing of the user's is read, and everything goes with it.
    private = {"TMPDIR": folder, "HOME": folder, "BLENDER_USER_RESOURCES": folder, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, env={**os.environ, **private}, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=time_limit)
        said = done.stderr
        reason = f"Blender ended with exit code {done.returncode}" if done.returncode or not out.exists() else None
    except subprocess.TimeoutExpired as error:
        said = error.stderr or b""
        reason = f"Blender took longer than {time_limit:g} s and was stopped: allow more, or draw fewer frames"
    except OSError as error:
        said, reason = b"", f"{command[0]} cannot be run ({error.strerror})"
    if reason:
        stderr = said.decode(errors="replace")
        last = stderr.strip().splitlines()[-1:] or ["nothing"]
        raise BlenderError(f"{reason}; its last word: {last[0][:300]}", stderr)


def _write_scene(path: Path, asset: AnimatedAsset, positions: np.ndarray, camera: Camera, lights: Lights, settings: dict) -> None:
    """Write what `blender_job.py` draws, for vertices (N, V, 3), into one .npz without pickle."""
    corners, source, smooth = _corners(asset)
    lights = lights.as_physical()
    meta = {
        "materials": [{"color": linear(np.array(m.color)).tolist(), "alpha": m.alpha, "mode": m.alpha_mode,
                       "cutoff": m.alpha_cutoff, "interpolation": _FILTERS[m.filtering], "wrap": m.wrap,
                       "emission": (0, 0, 0) if m.unlit else m.emission, "emission_interpolation": _FILTERS[m.emission_filtering],
                       "emission_wrap": m.emission_wrap, "unlit": m.unlit, "one_sided": not m.double_sided}
                      for m in asset.materials],
        "camera": {"matrix": _matrix(camera), "lens": camera.focal * SENSOR, "sensor": SENSOR, "distance": camera.distance},
        "suns": [{"towards": towards, "strength": sun.strength}
                 for towards, sun in zip(lights.directions().tolist(), lights.suns, strict=True)],
        "ambient": lights.ambient, "tinted": asset.colors is not None, **settings}
    images = {f"texture_{i}": _image(m, m.texture) for i, m in enumerate(asset.materials) if m.texture is not None}
    images |= {f"emission_{i}": _image(Material((1, 1, 1)), m.emission_texture) for i, m in enumerate(asset.materials)
               if m.emission_texture is not None}
    colors = np.ones((len(asset.faces), 3, 4)) if asset.colors is None else asset.colors
    emission_uv = asset.uv if asset.emission_uv is None else asset.emission_uv
    uv, emission_uv = ((uv * (1, -1) + (0, 1)).astype(np.float32) for uv in (asset.uv, emission_uv))  # Blender's v runs up
    np.savez(path, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8), vertices=positions[:, source].astype(np.float32),
             corners=corners.astype(np.int32), uv=uv, emission_uv=emission_uv, colors=colors.astype(np.float32),
             material=asset.material.astype(np.int32), smooth=smooth, **images)


def _corners(asset: AnimatedAsset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangles (F, 3) of W vertices, the vertex of V that each is, and which triangles are smooth.

    Corners share a vertex where they share a normal; sub-models share none.
    """
    smooth = np.full((len(asset.faces), 3), -1) if asset.smooth is None else asset.smooth
    keys = np.where(smooth >= 0, smooth, smooth.max(initial=-1) + 1 + asset.faces)
    keys = keys + asset.submodel[:, None] * (keys.max(initial=0) + 1)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return inverse.reshape(-1, 3), asset.faces.ravel()[first], smooth[:, 0] >= 0


def _image(material: Material, texture: np.ndarray) -> np.ndarray:
    """Colour × texture as linear light, alpha × the texture's alpha: (h, w, 4) float32."""
    share = texture.astype(np.float32) / 255
    color = linear(share[..., :3] * np.array(material.color, np.float32))
    alpha = share[..., 3:] if share.shape[2] == 4 else np.ones_like(share[..., :1])
    return np.concatenate([color, alpha * material.alpha], axis=2).astype(np.float32)


def _matrix(camera: Camera) -> list[list[float]]:
    """Camera to world (4, 4): Blender's cameras look along -z, y up."""
    right, down, forward = camera.rotation
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2], matrix[:3, 3] = right, -down, -forward, camera.position
    return matrix.tolist()
