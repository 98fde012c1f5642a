"""From a file to a GltfAsset: the parts are read in order and laid end to end.

A sub-model (§4) is a node of the scene that has a mesh: what Blender's importer, and so the released renderer, makes one
object of. Its primitives differ only in material.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from puppetmaster_core.assets.asset import AnimationClip
from puppetmaster_core.assets.gltf.accessors import Accessors
from puppetmaster_core.assets.gltf.animation import Animation, read_animations
from puppetmaster_core.assets.gltf.asset import GltfAsset, Hung, Morph, Skin
from puppetmaster_core.assets.gltf.container import Container, open_container
from puppetmaster_core.assets.gltf.document import Document, integer, mapping, numbers, one_line, short
from puppetmaster_core.assets.gltf.errors import EXTENSION, KINDS, LOOK, PART, USUAL, VALUES, AssetError, Budget, Limits, Report
from puppetmaster_core.assets.gltf.images import Images
from puppetmaster_core.assets.gltf.looks import EXTENSIONS, FILE_EXTENSIONS, NOTED, readable
from puppetmaster_core.assets.gltf.materials import Materials
from puppetmaster_core.assets.gltf.nodes import NodeTree, drawn_nodes, read_nodes
from puppetmaster_core.assets.gltf.parts import Part, PartReader
from puppetmaster_core.assets.gltf.primitives import Primitive
from puppetmaster_core.assets.gltf.surface import Surfaces
from puppetmaster_core.assets.gltf.winding import mirrored


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
    tree, reader = read_nodes(document, report), PartReader(document, accessors, limits, report)
    parts, names = reader.read(drawn_nodes(document, tree, report))
    targets = {p.node: len(p.primitive.targets) for p in parts if p.primitive.targets is not None}
    animations = read_animations(document, accessors, targets, report)
    _check_motion(parts, reader.skins, tree, animations, report)
    extras = container.json["asset"].get("extras")
    about = {"category": one_line(_said(extras).get("category"), 200) or "Other",
             "provenance": _provenance(path, container, extras), "submodels": names,
             "clips": [AnimationClip(a.name, a.duration) for a in animations], "tree": tree, "animations": animations}
    asset = _joined(document, accessors, parts, reader.skins, about, report)
    lost = asset.overflowing()  # found now, not in the middle of a clip
    if lost.any():
        parts = _finite(parts, lost, report)
        asset = _joined(document, accessors, parts, reader.skins, about, report)
    asset.report, asset.notes = report.lines, [kind for kind in KINDS if kind in report.kinds]
    return asset


def _joined(document: Document, accessors: Accessors, parts: list[Part], skins: dict, about: dict, report: Report) -> GltfAsset:
    """The asset of these parts, laid end to end."""
    anchors, used, hung = _hang(parts, skins)
    materials = Materials(document, Images(document, accessors, report), report)
    surfaces = Surfaces(materials, accessors.budget, report)
    skins = {s: skins[s] for s in {part.skin for part in parts} - {None}}
    turned = zip(*mirrored(parts, skins, about["tree"], about["animations"], report), strict=True)
    for first, part, (clockwise, both) in zip(_starts(parts), parts, turned, strict=True):
        surfaces.add(part.primitive, part.submodel, first, part.where, (0, 2, 1) if clockwise else (0, 1, 2), both)
    materials.note_undrawn()
    return GltfAsset(**surfaces.finish(), **about, positions=np.concatenate([p.positions for p in parts]), anchors=anchors,
                     skins=used, hung=hung, morphs=_morphs(document, parts, report))


def _check_motion(parts: list[Part], skins: dict, tree: NodeTree, animations: list[Animation], report: Report) -> None:
    """Refuse a file of which so much is left out that nothing moves any more."""
    if report.first_loss is None or not animations:
        return
    moving = np.zeros(len(tree.parent), bool)
    moving[[node for animation in animations for node in animation.nodes]] = True
    for level in tree.levels[1:]:
        moving[level] |= moving[tree.parent[level]]
    bent = {int(tracks.nodes[0]) for animation in animations for tracks in animation.weights}
    if not any(moving[p.node if p.skin is None else skins[p.skin].joints].any()
               or (p.node in bent and p.primitive.targets is not None) for p in parts):
        raise report.first_loss


def _finite(parts: list[Part], lost: np.ndarray, report: Report) -> list[Part]:
    """The parts of which no vertex is lost (V,). Raises AssetError where there is none."""
    kept = []
    for part, own in zip(parts, np.split(lost, _starts(parts)[1:]), strict=True):
        if own.any():
            report(f"{part.where} on node {part.node} lies at places that are not finite: left out", PART)
        else:
            kept.append(part)
    if not kept:
        raise AssetError("the rest pose puts vertices at places that are not finite: it is damaged, export it again")
    return kept


def _check_extensions(file: dict, report: Report) -> None:
    required = file.get("extensionsRequired") or []
    if not isinstance(required, list):
        raise AssetError(f"extensionsRequired is {short(required)}, wanted a list")
    for name in map(str, required):
        if not readable(name):
            raise AssetError(f"requires {short(name)}, which is not supported: export it without")
    used = file.get("extensionsUsed")
    for name in used if isinstance(used, list) else []:
        if isinstance(name, str) and FILE_EXTENSIONS.get(name) == (NOTED,):
            report(f"uses {short(name)}, which is not drawn: the lights are those of the rendering", LOOK)
        elif isinstance(name, str) and name not in FILE_EXTENSIONS and name not in EXTENSIONS:
            report(f"uses {short(name)}, which is not supported: left out", EXTENSION)


def _starts(parts: list[Part]) -> np.ndarray:
    """The first vertex of every part."""
    return np.concatenate([[0], np.cumsum([len(p.primitive.positions) for p in parts])[:-1]])


def _hang(parts: list[Part], skins: dict) -> tuple[np.ndarray, list[Skin], list[Hung]]:
    """What every vertex hangs on: its node, or its skin's joints."""
    anchors = sorted({p.node for p in parts if p.skin is None})
    row, first_row, used, groups = {node: i for i, node in enumerate(anchors)}, {}, [], {}
    height = len(anchors)
    for start, part in zip(_starts(parts), parts, strict=True):
        count = len(part.primitive.positions)
        if part.skin is None:
            rows, weights = np.full((count, 1), row[part.node]), None
        else:
            skin = skins[part.skin]
            if part.skin not in first_row:
                used.append(skin)
                first_row[part.skin], height = height, height + len(skin.joints)
            rows, weights = _joint_rows(part.primitive, first_row[part.skin], len(skin.joints)), part.primitive.weights
        groups.setdefault((rows.shape[1], weights is None), []).append((np.arange(start, start + count), rows, weights))
    hung = []
    for (_, rigid), members in groups.items():
        own, rows, weights = zip(*members, strict=True)
        where = slice(None) if len(groups) == 1 else np.concatenate(own)
        hung.append(Hung(where, np.concatenate(rows), None if rigid else np.concatenate(weights)))
    return np.array(anchors, np.int64), used, hung


def _joint_rows(primitive: Primitive, first: int, joints: int) -> np.ndarray:
    return first + np.where(primitive.joints >= joints, 0, primitive.joints)


def _morphs(document: Document, parts: list[Part], report: Report) -> list[Morph]:
    morphs = []
    for start, part in zip(_starts(parts), parts, strict=True):
        targets = part.targets
        if targets is not None:
            node, weights = document.all("nodes")[part.node], np.zeros(len(targets))
            mesh = document.get("meshes", integer(node, "mesh", part.where), part.where)
            holder = node if node.get("weights") is not None else mesh
            with report.leaving_out(f"weights of {part.where}", VALUES):
                weights = numbers(holder, "weights", part.where, weights, report)
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
