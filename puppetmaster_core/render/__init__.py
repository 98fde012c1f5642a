"""From an animated asset to pictures: cameras, lights and the fast rasteriser."""

from puppetmaster_core.render.camera import Camera, drag_a_move_camera
from puppetmaster_core.render.raster import Rendering, render

__all__ = ["Camera", "Rendering", "drag_a_move_camera", "render"]
