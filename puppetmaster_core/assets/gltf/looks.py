"""What changes how a glTF surface looks, and what becomes of it here: drawn, or noted. The one table that says which.

glTF 2.0, section 3.9, and Khronos' ratified extensions. The renderers draw matt surfaces (Lambert's law) under lights of their
own: what makes a surface shiny, clear or layered is noted where a file sets it to something that shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from puppetmaster_core.assets.gltf.document import number, short
from puppetmaster_core.assets.gltf.errors import EXTENSION, LOOK, AssetError, Report

DRAWN = True
# Of a material's own properties: drawn, or whether a value shows. A highlight of what is no metal (4 % of the light) is taken to
# show below a roughness of 0.5.
CORE = {
    "alphaMode": DRAWN, "alphaCutoff": DRAWN, "doubleSided": DRAWN, "emissiveFactor": DRAWN, "emissiveTexture": DRAWN,
    "baseColorFactor": DRAWN, "baseColorTexture": DRAWN, "normalTexture": None, "occlusionTexture": None,
    "metallicRoughnessTexture": None, "metallicFactor": lambda value: value > 0, "roughnessFactor": lambda value: value < 0.5,
}
# Of extensions: drawn, or the value of each property that shows nothing (its default, too, but for the older model's).
EXTENSIONS = {
    **dict.fromkeys((
        "KHR_materials_unlit", "KHR_materials_emissive_strength", "KHR_materials_variants",  # variants: the first materials
        "KHR_texture_transform", "KHR_texture_basisu", "EXT_texture_webp", "KHR_node_visibility", "EXT_mesh_gpu_instancing",
        "KHR_mesh_quantization", "KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression"), DRAWN),
    "KHR_lights_punctual": {}, "EXT_lights_image_based": {},
    "KHR_materials_anisotropy": {"anisotropyStrength": 0},
    "KHR_materials_clearcoat": {"clearcoatFactor": 0},
    "KHR_materials_diffuse_transmission": {"diffuseTransmissionFactor": 0},
    "KHR_materials_dispersion": {"dispersion": 0},
    "KHR_materials_ior": {"ior": 1.5},
    "KHR_materials_iridescence": {"iridescenceFactor": 0},
    "KHR_materials_sheen": {"sheenColorFactor": [0, 0, 0]},
    "KHR_materials_specular": {"specularFactor": 1, "specularColorFactor": [1, 1, 1]},
    "KHR_materials_transmission": {"transmissionFactor": 0},
    "KHR_materials_volume": {"thicknessFactor": 0},
    "KHR_materials_pbrSpecularGlossiness": {"specularFactor": [0, 0, 0]},  # its diffuse colour is drawn
}
DEFAULTS = {"KHR_materials_pbrSpecularGlossiness": [1, 1, 1]}
# Required or not, all is drawn without them, or the look alone is another.
HARMLESS = ("KHR_xmp", "KHR_audio", "MSFT_texture", "MSFT_lod", "KHR_materials_", "KHR_texture_", "EXT_texture_", "KHR_lights_",
            "EXT_lights_")


def check_extensions(file: dict, report: Report) -> None:
    """Note what the file uses and is not drawn; AssetError where a required extension changes shapes or motion."""
    required, used = ([str(name) for name in names] if isinstance(names := file.get(key), list) else []
                      for key in ("extensionsRequired", "extensionsUsed"))
    for name in required:
        if name not in EXTENSIONS and not name.startswith(HARMLESS):
            raise AssetError(f"requires {short(name)}, which is not supported: export it without")
    for name in used:
        if EXTENSIONS.get(name) == {}:
            report(f"uses {short(name)}, which is not drawn: the lights are those of the rendering", LOOK)
        elif name not in EXTENSIONS:
            report(f"uses {short(name)}, which is not supported: left out", EXTENSION)


def undrawn(material: dict, name: str, report: Report) -> Iterator[str]:
    """What a checked material sets that shows and is not drawn. Raises AssetError."""
    for key, value in {**material, **material["pbrMetallicRoughness"]}.items():
        shows = CORE.get(key, DRAWN)
        if value is not None and shows is not DRAWN and (shows is None or shows(number(0.0).check(value, name, report))):
            yield key
    for extension, said in material["extensions"].items():
        nothing = EXTENSIONS.get(extension)
        if said is not None and nothing is not DRAWN and (not nothing or not isinstance(said, dict) or any(
                said.get(key, DEFAULTS.get(extension, value)) != value for key, value in nothing.items())):
            yield extension[:100]
