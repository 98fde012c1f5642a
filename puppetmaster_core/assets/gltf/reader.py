"""From a file to a GltfAsset: the parts are read in order and laid end to end.

A sub-model (§4) is a node of the scene that has a mesh: what Blender's importer, and so the released renderer, makes one
object of. Its primitives differ only in material.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from puppetmaster_core.assets.asset import AnimationClip
from puppetmaster_core.assets.gltf.accessors import Accessors
from puppetmaster_core.assets.gltf.animation import read_animations
from puppetmaster_core.assets.gltf.asset import GltfAsset, Hung, Morph, Skin
from puppetmaster_core.assets.gltf.container import Container, open_container
from puppetmaster_core.assets.gltf.document import Document, indices, integer, label, mapping, numbers, objects, one_line, short
from puppetmaster_core.assets.gltf.errors import USUAL, AssetError, Budget, Limits, Report
from puppetmaster_core.assets.gltf.images import Images
from puppetmaster_core.assets.gltf.materials import Materials
from puppetmaster_core.assets.gltf.nodes import drawn_nodes, read_nodes
from puppetmaster_core.assets.gltf.primitives import Primitive, PrimitiveReader
from puppetmaster_core.assets.gltf.surface import Surfaces

# What is read, and what changes neither shape nor motion and can be left out; any other required extension is refused.
READ = {"KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression", "KHR_mesh_quantization",
        "KHR_texture_transform", "KHR_materials_pbrSpecularGlossiness", "EXT_texture_webp", "KHR_texture_basisu"}
HARMLESS = ("KHR_materials_", "KHR_lights", "EXT_lights", "KHR_xmp", "KHR_texture", "EXT_texture", "MSFT_texture", "KHR_audio")


@dataclass(frozen=True)
class Part:
    """One primitive on one node."""

    node: int
    submodel: int
    primitive: Primitive
    where: str


def read_gltf(path: str | Path, limits: Limits = USUAL) -> GltfAsset:
    """The asset in a .glb or .gltf file. Raises AssetError (a ValueError) with one line that names file and cause."""
    try:
        return _read(Path(path), limits)
    except AssetError as error:
        raise AssetError(f"{one_line(str(path)[-200:], 200)}: {error}") from None


def _read(path: Path, limits: Limits) -> GltfAsset:
    report = Report()
    container = open_container(path, limits, report)
    document = Document(container.json)
    _check_extensions(container.json, report)
    if len(document.all("nodes")) > limits.nodes:
        raise AssetError(f"has {len(document.all('nodes')):,} nodes, at most {limits.nodes:,} are read: raise Limits.nodes")
    accessors = Accessors(document, container, Budget(limits))
    tree = read_nodes(document, report)
    drawn = drawn_nodes(document, tree)
    parts, names = _parts(document, accessors, drawn, limits, report)
    targets = {p.node: len(p.primitive.targets) for p in parts if p.primitive.targets is not None}
    animations = read_animations(document, accessors, targets, report)
    anchors, skins, hung = _hang(document, accessors, parts, report)
    surfaces = Surfaces(Materials(document, Images(document, accessors, report), report), accessors.budget, report)
    for first, part in zip(_starts(parts), parts, strict=True):
        surfaces.add(part.primitive, part.submodel, first, part.where)
    extras = container.json["asset"].get("extras")
    asset = GltfAsset(
        **surfaces.finish(), submodels=names, clips=[AnimationClip(a.name, a.duration) for a in animations],
        category=one_line(_said(extras).get("category"), 200) or "Other",
        provenance=_provenance(path, container, extras), report=report.lines, tree=tree,
        animations=animations, positions=np.concatenate([p.primitive.positions for p in parts]), anchors=anchors,
        skins=skins, hung=hung, morphs=_morphs(document, parts, report),
    )
    asset.rest()  # overflows are found now, not in the middle of a clip
    return asset


def _check_extensions(file: dict, report: Report) -> None:
    required = file.get("extensionsRequired") or []
    if not isinstance(required, list):
        raise AssetError(f"extensionsRequired is {short(required)}, wanted a list")
    for name in map(str, required):
        if name not in READ and not name.startswith(HARMLESS):
            raise AssetError(f"requires {short(name)}, which is not supported: export it without")
    used = file.get("extensionsUsed")
    for name in used if isinstance(used, list) else []:
        if isinstance(name, str) and name not in READ and not name.startswith(HARMLESS):
            report(f"uses {short(name)}, which is not supported: left out")


def _parts(document, accessors, drawn, limits, report) -> tuple[list[Part], list[str]]:
    """Every primitive of every drawn node, and the sub-models' names. Counts are checked before anything is made."""
    parts, names, cache, vertices, triangles = [], [], {}, 0, 0
    for node in drawn:
        item = document.all("nodes")[node]
        index = integer(item, "mesh", f"node {node}")
        mesh, before = document.get("meshes", index, f"node {node}"), len(parts)
        for p, primitive in enumerate(objects(mesh, "primitives", f"mesh {index}")):
            where = f"primitive {p} of mesh {index}"
            if (index, p) not in cache:
                cache[index, p] = PrimitiveReader(accessors, primitive, where, report).read()
            found = cache[index, p]
            if found is None or not len(found.faces):
                continue
            vertices, triangles = vertices + len(found.positions), triangles + len(found.faces)
            if vertices > limits.vertices or triangles > limits.triangles:
                raise AssetError(f"draws more than {limits.vertices:,} vertices or {limits.triangles:,} triangles: "
                                 "simplify the meshes, or raise Limits.vertices and Limits.triangles")
            accessors.budget.charge(len(found.positions) * 100 + len(found.faces) * 80, where)
            parts.append(Part(node, len(names), found, where))
        if len(parts) > before:
            names.append(label(item, label(mesh, f"node {node}")))
    if not parts:
        raise AssetError("shows no triangles: give a file with a mesh in its scene")
    return parts, names


def _starts(parts: list[Part]) -> np.ndarray:
    """The first vertex of every part."""
    return np.concatenate([[0], np.cumsum([len(p.primitive.positions) for p in parts])[:-1]])


def _hang(document, accessors, parts, report) -> tuple[np.ndarray, list[Skin], list[Hung]]:
    """What every vertex hangs on: its node, or its skin's joints."""
    skin_of = {p.node: integer(document.all("nodes")[p.node], "skin", f"node {p.node}", default=None) for p in parts}
    skinned = [p.primitive.joints is not None and skin_of[p.node] is not None for p in parts]
    anchors = sorted({p.node for p, is_skinned in zip(parts, skinned, strict=True) if not is_skinned})
    row, first_row, skins, groups = {node: i for i, node in enumerate(anchors)}, {}, [], {}
    height = len(anchors)
    for start, part, is_skinned in zip(_starts(parts), parts, skinned, strict=True):
        count = len(part.primitive.positions)
        if not is_skinned:
            rows, weights = np.full((count, 1), row[part.node]), None
        else:
            s = skin_of[part.node]
            if s not in first_row:
                skins.append(_skin(document, accessors, s, report))
                first_row[s], height = (height, len(skins[-1].joints)), height + len(skins[-1].joints)
            rows, weights = _joint_rows(part.primitive, *first_row[s], part.where), part.primitive.weights
        groups.setdefault((rows.shape[1], weights is None), []).append((np.arange(start, start + count), rows, weights))
    hung = []
    for (_, rigid), members in groups.items():
        own, rows, weights = zip(*members, strict=True)
        where = slice(None) if len(groups) == 1 else np.concatenate(own)
        hung.append(Hung(where, np.concatenate(rows), None if rigid else np.concatenate(weights)))
    return np.array(anchors, np.int64), skins, hung


def _joint_rows(primitive: Primitive, first: int, joints: int, where: str) -> np.ndarray:
    bad = (primitive.joints >= joints) & (primitive.weights > 0)
    if bad.any():
        raise AssetError(f"{where} hangs on joint {primitive.joints[bad].max()} of a skin of {joints}: "
                         "it is damaged, export it again")
    return first + np.where(primitive.joints >= joints, 0, primitive.joints)


def _skin(document: Document, accessors: Accessors, index: int, report: Report) -> Skin:
    name = f"skin {index}"
    skin = document.get("skins", index, "a node")
    joints = indices(skin, "joints", name)
    if not joints:
        raise AssetError(f"{name} has no joints: it is damaged, export it again")
    for joint in joints:
        document.get("nodes", joint, name)
    accessors.budget.charge(len(joints) * 128, name)
    inverse = np.tile(np.eye(4), (len(joints), 1, 1))
    if skin.get("inverseBindMatrices") is not None:
        given = accessors.numbers(integer(skin, "inverseBindMatrices", name), name, "MAT4").reshape(-1, 4, 4).transpose(0, 2, 1)
        if len(given) < len(joints):
            raise AssetError(f"{name} has {len(given)} inverse bind matrices for {len(joints)} joints: export it again")
        inverse = given[:len(joints)].copy()
    bad = ~np.isfinite(inverse).all((1, 2))
    if bad.any():
        report(f"{name} has {int(bad.sum())} inverse bind matrices that are not finite: taken as identities")
        inverse[bad] = np.eye(4)
    return Skin(np.array(joints), inverse)


def _morphs(document: Document, parts: list[Part], report: Report) -> list[Morph]:
    morphs = []
    for start, part in zip(_starts(parts), parts, strict=True):
        targets = part.primitive.targets
        if targets is not None:
            node = document.all("nodes")[part.node]
            mesh = document.get("meshes", integer(node, "mesh", part.where), part.where)
            holder = node if node.get("weights") is not None else mesh
            weights = numbers(holder, "weights", part.where, np.zeros(len(targets)), report)
            morphs.append(Morph(slice(start, start + len(part.primitive.positions)), part.node, targets, weights))
    return morphs


def _said(extras) -> dict:
    """What a file's `asset.extras` says of itself; our own library keeps that under "puppetmaster"."""
    if not isinstance(extras, dict):
        return {}
    own = extras.get("puppetmaster")
    return {**extras, **own} if isinstance(own, dict) else extras


def _provenance(path: Path, container: Container, extras) -> dict:
    """Where the asset comes from: the file's name and SHA-256, and what it says about itself."""
    provenance = {"source": path.name, "sha256": hashlib.sha256(container.raw).hexdigest()}
    asset, said = mapping(container.json, "asset", "the file"), _said(extras)
    licence = said.get("licence") or said.get("license")
    for key, value in (("generator", asset.get("generator")), ("copyright", asset.get("copyright")), ("licence", licence)):
        if line := one_line(value, 1000):
            provenance[key] = line
    try:
        if said and len(json.dumps(extras)) < 10_000:
            provenance["extras"] = extras
    except RecursionError:  # nested so deep that it could be read but not written again
        pass
    return provenance
