"""What is in an asset, as a table of plain values: for people, and for programs as JSON.

Letters: V vertices.
"""

from __future__ import annotations

import numpy as np

from puppetmaster_core.assets.gltf.asset import GltfAsset

TIMES = 14  # at which a clip's motion is measured: the frames of a training clip


def describe(asset: GltfAsset) -> dict:
    """Counts, sub-models, materials, clips and defects of an asset, ready for JSON. Lengths are in the file's units.

    A clip's `motion` is the longest way any vertex gets from where it starts, as a share of the rest pose's diagonal.
    """
    rest = asset.rest()[np.unique(asset.faces)]
    low, high = rest.min(0), rest.max(0)
    diagonal = float(np.linalg.norm(high - low))
    return {
        "category": asset.category,
        "provenance": {k: v for k, v in asset.provenance.items() if k != "extras"},
        "vertices": len(asset.positions),
        "triangles": len(asset.faces),
        "bounds": [low.tolist(), high.tolist()],
        "submodels": [{"name": name, "triangles": int((asset.submodel == s).sum())} for s, name in enumerate(asset.submodels)],
        "materials": [_material(material) for material in asset.materials],
        "clips": [_clip(asset, c, diagonal) for c in range(len(asset.clips))],
        "report": list(asset.report),
    }


def _material(material) -> dict:
    size = None if material.texture is None else [material.texture.shape[1], material.texture.shape[0]]
    return {"color": [round(c, 4) for c in material.color], "texture": size, "alpha": material.alpha_mode}


def _clip(asset: GltfAsset, index: int, diagonal: float) -> dict:
    animation = asset.animations[index]
    kinds = [kind for kind, used in (("nodes", animation.moves and len(asset.rigid)), ("skin", animation.moves and asset.skins),
                                     ("morph", animation.weights)) if used]
    first = asset.vertices(index, 0.0)
    farthest = max(float(np.linalg.norm(asset.vertices(index, t) - first, axis=1).max())
                   for t in asset.sample_times(index, TIMES)) if animation.duration > 0 else 0.0
    return {"name": animation.name, "seconds": round(animation.duration, 6), "kinds": kinds,
            "interpolation": animation.modes, "motion": round(farthest / diagonal, 6) if diagonal > 0 else None}
