"""An asset as Blender is given it: our own vertices frame by frame, so that both renderers see exactly the same geometry.

Nothing goes through an importer: Blender's drops cubic tangents, turns by nlerp and clamps morph weights.
Letters: N frames, V vertices, F triangles, W vertices after those with several normals are told apart, C cameras.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from puppetmaster_core.assets.asset import AnimatedAsset, Material
from puppetmaster_core.render.camera import Camera
from puppetmaster_core.render.lights import Lights

_FILTERS = {"linear": "Linear", "nearest": "Closest"}
SENSOR = 32.0  # mm; the lens then is Camera.focal · 32 mm, 35 mm by default


def write_scene(path: Path, asset: AnimatedAsset, positions: np.ndarray, cameras: list[Camera], lights: Lights,
                settings: dict) -> None:
    """Write what `blender_job.py` draws, for vertices (N, V, 3), into one .npz without pickle."""
    corners, source = _corners(asset)
    images = {f"texture_{m}": image for m, material in enumerate(asset.materials) if (image := _image(material)) is not None}
    images |= {f"emission_{m}": _image(Material((1, 1, 1), material.emission_texture))
               for m, material in enumerate(asset.materials) if material.emission_texture is not None}
    lights = lights.as_physical()
    suns = [{"towards": list(towards), "strength": sun.strength}
            for towards, sun in zip(lights.directions().tolist(), lights.suns, strict=True)]
    meta = {
        "materials": [{"color": linear(np.array(m.color)).tolist(), "alpha": m.alpha, "mode": m.alpha_mode,
                       "cutoff": m.alpha_cutoff, "interpolation": _FILTERS[m.filtering], "wrap": m.wrap,
                       "emission": (0, 0, 0) if m.unlit else m.emission, "emission_interpolation": _FILTERS[m.emission_filtering],
                       "emission_wrap": m.emission_wrap, "unlit": m.unlit, "one_sided": not m.double_sided}
                      for m in asset.materials],
        "cameras": [{"matrix": _matrix(c), "lens": c.focal * SENSOR, "sensor": SENSOR, "distance": c.distance} for c in cameras],
        "suns": suns, "ambient": lights.ambient, "tinted": asset.colors is not None, **settings,
    }
    emission_uv = asset.uv if asset.emission_uv is None else asset.emission_uv
    uv, emission_uv = (array.astype(np.float32) * (1, -1) + (0, 1) for array in (asset.uv, emission_uv))  # Blender's v runs up
    colors = np.ones((len(asset.faces), 3, 4)) if asset.colors is None else asset.colors
    np.savez(path, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8), vertices=positions[:, source].astype(np.float32),
             corners=corners.astype(np.int32), uv=uv.astype(np.float32), emission_uv=emission_uv.astype(np.float32),
             colors=colors.astype(np.float32), material=asset.material.astype(np.int32),
             submodel=asset.submodel.astype(np.int32), smooth=_smooth(asset)[:, 0] >= 0, **images)


def linear(shown: np.ndarray) -> np.ndarray:
    """Displayed shares as linear light (IEC 61966-2-1)."""
    return np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)


def _smooth(asset: AnimatedAsset) -> np.ndarray:
    return np.full((len(asset.faces), 3), -1) if asset.smooth is None else asset.smooth


def _corners(asset: AnimatedAsset) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (F, 3) of W vertices, and the vertex of V that each is: corners share one where they share a normal."""
    smooth = _smooth(asset)
    keys = np.where(smooth >= 0, smooth, smooth.max(initial=-1) + 1 + asset.faces)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return inverse.reshape(-1, 3), asset.faces.ravel()[first]


def _image(material: Material) -> np.ndarray | None:
    """Colour × texture as linear light, alpha × the texture's alpha: (h, w, 4) float32, or None without a texture."""
    if material.texture is None:
        return None
    share = material.texture.astype(np.float32) / 255
    color = linear(share[..., :3] * np.array(material.color, np.float32))
    alpha = share[..., 3:] if share.shape[2] == 4 else np.ones_like(share[..., :1])
    return np.concatenate([color, alpha * material.alpha], axis=2).astype(np.float32)


def _matrix(camera: Camera) -> list[list[float]]:
    """Camera to world (4, 4): Blender's cameras look along -z, y up."""
    right, down, forward = camera.rotation
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2], matrix[:3, 3] = right, -down, -forward, camera.position
    return matrix.tolist()
