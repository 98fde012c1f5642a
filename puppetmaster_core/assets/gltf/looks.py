"""What changes how a glTF surface looks, and what becomes of it here: drawn, or noted. The one table that says which.

glTF 2.0, section 3.9, and Khronos' ratified extensions. The renderers draw matt surfaces (Lambert's law) under lights of their
own: what makes a surface shiny, clear or layered is noted where a file sets it to something that shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from puppetmaster_core.assets.gltf.document import mapping, number
from puppetmaster_core.assets.gltf.errors import Report

DRAWN, NOTED = "drawn", "noted"

# Of a material, by the object it lies in ("" = the material itself): what becomes of a property, and, if noted, from where on it
# shows. A highlight of what is no metal (4 % of the light) is taken to show below a roughness of 0.5.
CORE = {
    "": {"alphaMode": (DRAWN,), "alphaCutoff": (DRAWN,), "doubleSided": (DRAWN,), "emissiveFactor": (DRAWN,),
         "emissiveTexture": (DRAWN,), "normalTexture": (NOTED,), "occlusionTexture": (NOTED,)},
    "pbrMetallicRoughness": {"baseColorFactor": (DRAWN,), "baseColorTexture": (DRAWN,), "metallicRoughnessTexture": (NOTED,),
                             "metallicFactor": (NOTED, lambda value: value > 0),
                             "roughnessFactor": (NOTED, lambda value: value < 0.5)},
}
# Of a material's extensions: drawn, or noted where a named property differs from the value that shows nothing. That is its
# default, too, but for the older model's, which comes third.
EXTENSIONS = {
    "KHR_materials_unlit": (DRAWN,),
    "KHR_materials_emissive_strength": (DRAWN,),
    "KHR_materials_variants": (DRAWN,),  # as the file stands: with its first materials
    "KHR_materials_anisotropy": (NOTED, {"anisotropyStrength": 0}),
    "KHR_materials_clearcoat": (NOTED, {"clearcoatFactor": 0}),
    "KHR_materials_diffuse_transmission": (NOTED, {"diffuseTransmissionFactor": 0}),
    "KHR_materials_dispersion": (NOTED, {"dispersion": 0}),
    "KHR_materials_ior": (NOTED, {"ior": 1.5}),
    "KHR_materials_iridescence": (NOTED, {"iridescenceFactor": 0}),
    "KHR_materials_sheen": (NOTED, {"sheenColorFactor": [0, 0, 0]}),
    "KHR_materials_specular": (NOTED, {"specularFactor": 1, "specularColorFactor": [1, 1, 1]}),
    "KHR_materials_transmission": (NOTED, {"transmissionFactor": 0}),
    "KHR_materials_volume": (NOTED, {"thicknessFactor": 0}),
    "KHR_materials_pbrSpecularGlossiness": (NOTED, {"specularFactor": [0, 0, 0]}, [1, 1, 1]),  # its diffuse colour is drawn
}
# Of the whole file, where it uses them.
FILE_EXTENSIONS = {
    "KHR_texture_transform": (DRAWN,), "KHR_texture_basisu": (DRAWN,), "EXT_texture_webp": (DRAWN,),
    "KHR_node_visibility": (DRAWN,), "EXT_mesh_gpu_instancing": (DRAWN,), "KHR_mesh_quantization": (DRAWN,),
    "KHR_draco_mesh_compression": (DRAWN,), "EXT_meshopt_compression": (DRAWN,), "KHR_meshopt_compression": (DRAWN,),
    "KHR_materials_variants": (DRAWN,),
    "KHR_lights_punctual": (NOTED,), "EXT_lights_image_based": (NOTED,),
}
HARMLESS = ("KHR_xmp", "KHR_audio", "MSFT_texture", "MSFT_lod", "EXT_texture_avif")  # required or not: all is drawn without


def readable(name: str) -> bool:
    """Whether a file that requires extension `name` can be drawn without wrong shapes or motion."""
    return name in FILE_EXTENSIONS or name.startswith((*HARMLESS, "KHR_materials_", "KHR_texture_", "EXT_texture_", "KHR_lights_",
                                                       "EXT_lights_"))


def undrawn(material: dict, name: str, report: Report) -> Iterator[str]:
    """What a material of the file sets that shows and is not drawn. Raises AssetError."""
    for holder, known in CORE.items():
        said = mapping(material, holder, name) if holder else material
        for key, (fate, *shows) in known.items():
            if fate == NOTED and said.get(key) is not None and (not shows or shows[0](number(said, key, name, 0.0, report))):
                yield key
    extensions = mapping(material, "extensions", name)
    for extension in extensions:
        fate, *nothing = EXTENSIONS.get(extension, (NOTED,))
        if fate == NOTED and (not nothing or _shows(mapping(extensions, extension, name), *nothing)):
            yield extension[:100]


def _shows(said: dict, nothing: dict, default=None) -> bool:
    return any(said.get(key, value if default is None else default) != value for key, value in nothing.items())
