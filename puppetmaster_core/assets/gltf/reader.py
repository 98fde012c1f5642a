"""From a file to a GltfAsset: the parts are read in order and laid end to end.

A sub-model (§4) is a node of the scene that has a mesh: what Blender's importer, and so the released renderer, makes one
object of. Its primitives differ only in material.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

import numpy as np

from puppetmaster_core.assets.asset import AnimationClip
from puppetmaster_core.assets.gltf.accessors import Accessors
from puppetmaster_core.assets.gltf.animation import Animation, read_animations
from puppetmaster_core.assets.gltf.asset import GltfAsset, Influences, Morph
from puppetmaster_core.assets.gltf.container import Container, open_container
from puppetmaster_core.assets.gltf.document import Document, numbers, printable
from puppetmaster_core.assets.gltf.errors import KINDS, PART, USUAL, VALUES, AssetError, Budget, DamagedError, Limits, Report
from puppetmaster_core.assets.gltf.images import Images
from puppetmaster_core.assets.gltf.looks import check_extensions
from puppetmaster_core.assets.gltf.materials import Materials
from puppetmaster_core.assets.gltf.nodes import NodeTree, drawn_nodes, read_nodes
from puppetmaster_core.assets.gltf.parts import Part, PartReader, Skin, mirrored_nodes
from puppetmaster_core.assets.gltf.surface import SurfaceBuilder


def load_asset(path: str | os.PathLike, limits: Limits = USUAL) -> GltfAsset:
    """Read an animated asset from a .glb or .gltf file (glTF 2.0); what the file is, its first bytes say.

    Sub-models are the scene's nodes with a mesh, clips its animations in file order, materials their base colours and
    textures. `.vertices(clip, t)` gives (V, 3) float64 positions in the file's own units, +y up; `.rest()` the pose without
    animation; `.report` lists defects that were mended, such as NaN skin weights or missing textures.

    Raises AssetError (a ValueError) whose one line names the file and the cause: a file that is damaged, that needs an
    extension which is not supported, or that asks for more memory than `limits` allow.
    """
    try:
        return _read(Path(path), limits)
    except AssetError as error:
        advice = ": the file is damaged, export it again" if isinstance(error, DamagedError) else ""
        raise AssetError(f"{printable(str(path)[-200:])}: {error}{advice}") from None


def _read(path: Path, limits: Limits) -> GltfAsset:
    report = Report()
    container = open_container(path, limits, report)
    check_extensions(container.json, report)
    document = Document(container.json, report)
    limits.check("nodes", len(document.json["nodes"]), "nodes")
    accessors = Accessors(document, container, Budget(limits))
    tree = read_nodes(document, report)
    parts, names = PartReader(accessors, report).read(drawn_nodes(document, tree, report))
    targets = {p.node: len(p.primitive.targets) for p in parts if p.primitive.targets is not None}
    animations = read_animations(accessors, targets, report)
    if report.first_loss and animations and not _anything_moves(parts, tree, animations):
        raise report.first_loss
    clips = [AnimationClip(animation.name, animation.duration) for animation in animations]
    about = {**_about(path, container), "submodels": names, "clips": clips, "animations": animations}
    asset = _joined(accessors, parts, tree, about, report)
    lost = ~np.isfinite(asset.rest()).all(1)  # found now, not in the middle of a clip
    if lost.any():
        parts = _without(parts, lost, report)
        asset = _joined(accessors, parts, tree, about, report)
    asset.report, asset.notes = report.lines, [kind for kind in KINDS if kind in report.kinds]
    return asset


def _joined(accessors: Accessors, parts: list[Part], tree: NodeTree, about: dict, report: Report) -> GltfAsset:
    """The asset of these parts, laid end to end."""
    materials = Materials(Images(accessors, report), report)
    surfaces, mirrored = SurfaceBuilder(materials, accessors.budget, report), mirrored_nodes(tree)
    for first, part in zip(_starts(parts), parts, strict=True):
        surfaces.add(part, first, part.mirrored(mirrored))
    materials.note_undrawn()
    rigid, skins, influences = _influences(parts)
    return GltfAsset(**surfaces.finish(), **about, tree=tree, positions=np.concatenate([p.positions for p in parts]), rigid=rigid,
                     skins=skins, influences=influences, morphs=_morphs(accessors.document, parts, report))


def _anything_moves(parts: list[Part], tree: NodeTree, animations: list[Animation]) -> bool:
    moving = tree.inherited([node for animation in animations for node in animation.nodes])
    bent = {int(tracks.nodes[0]) for animation in animations for tracks in animation.weights}
    return any(moving[p.node if p.skin is None else p.skin.joints].any()
               or (p.node in bent and p.primitive.targets is not None) for p in parts)


def _without(parts: list[Part], lost: np.ndarray, report: Report) -> list[Part]:
    """The parts of which no vertex is lost (V,). Raises AssetError where there is none."""
    kept = []
    for part, own in zip(parts, np.split(lost, _starts(parts)[1:]), strict=True):
        if own.any():
            report(f"{part.where} on node {part.node} lies at places that are not finite: left out", PART)
        else:
            kept.append(part)
    if not kept:
        raise DamagedError("the rest pose puts vertices at places that are not finite")
    return kept


def _starts(parts: list[Part]) -> np.ndarray:
    """The first vertex of every part."""
    return np.concatenate([[0], np.cumsum([len(p.primitive.positions) for p in parts])[:-1]])


def _influences(parts: list[Part]) -> tuple[np.ndarray, list[Skin], list[Influences]]:
    """What moves every vertex: its node, or its skin's joints."""
    rigid = sorted({p.node for p in parts if p.skin is None})
    row, first_row, skins, groups = {node: i for i, node in enumerate(rigid)}, {}, [], {}
    height = len(rigid)
    for start, part in zip(_starts(parts), parts, strict=True):
        primitive, skin, count = part.primitive, part.skin, len(part.primitive.positions)
        if skin is None:
            rows, weights = np.full((count, 1), row[part.node]), None
        else:
            if id(skin) not in first_row:
                skins.append(skin)
                first_row[id(skin)], height = height, height + len(skin.joints)
            rows = first_row[id(skin)] + np.where(primitive.joints >= len(skin.joints), 0, primitive.joints)
            weights = primitive.weights
        groups.setdefault((rows.shape[1], weights is None), []).append((np.arange(start, start + count), rows, weights))
    influences = []
    for (_, alone), members in groups.items():
        own, rows, weights = zip(*members, strict=True)
        where = slice(None) if len(groups) == 1 else np.concatenate(own)
        influences.append(Influences(where, np.concatenate(rows), None if alone else np.concatenate(weights)))
    return np.array(rigid, np.int64), skins, influences


def _morphs(document: Document, parts: list[Part], report: Report) -> list[Morph]:
    morphs = []
    for start, part in zip(_starts(parts), parts, strict=True):
        targets = part.targets
        if targets is not None:
            node, weights = document.get("nodes", part.node, part.where), np.zeros(len(targets))
            mesh = document.get("meshes", node["mesh"], part.where)
            given = mesh.get("weights") if node.get("weights") is None else node["weights"]
            with report.leaving_out(f"weights of {part.where}", VALUES):
                weights = weights if given is None else numbers(*weights).check(given, f"weights of {part.where}", report)
            morphs.append(Morph(slice(start, start + len(part.primitive.positions)), part.node, targets, weights))
    return morphs


def _about(path: Path, container: Container) -> dict:
    """Category and provenance: the file's name and SHA-256, and what it says about itself, made fit for an index.

    What the procedural library writes into a file of its own is in `asset.extras` under "puppetmaster".
    """
    asset = container.json["asset"]
    extras = asset["extras"] if isinstance(asset.get("extras"), dict) else {}
    label = extras["puppetmaster"] if isinstance(extras.get("puppetmaster"), dict) else {}
    said = {**extras, **label}
    texts = {"source": label.get("source"), "generator": asset.get("generator"), "copyright": asset.get("copyright"),
             "licence": said.get("licence") or said.get("license"), **{key: label.get(key) for key in ("kind", "shape")}}
    numbers = {key: label.get(key) for key in ("generation", "seed", "good")}
    provenance = {"source": path.name, "sha256": hashlib.sha256(container.raw).hexdigest()}
    provenance |= {key: line for key, value in texts.items() if (line := printable(value, 1000))}
    provenance |= {key: number for key, number in numbers.items() if isinstance(number, int) and abs(number) < 2**63}
    with suppress(RecursionError):  # nested so deep that it could be read but not written again
        if extras and len(json.dumps(extras)) < 10_000:
            provenance["extras"] = extras
    return {"category": printable(said.get("category")) or "Other", "provenance": provenance}
