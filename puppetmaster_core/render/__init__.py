"""From an animated asset to pictures: cameras, lights, backgrounds, the fast rasteriser and Blender."""

from puppetmaster_core.render.backgrounds import make_background, over
from puppetmaster_core.render.blender import BlenderError, Cycles, blender_python, render_blender
from puppetmaster_core.render.camera import Camera, drag_a_move_camera
from puppetmaster_core.render.lights import DRAG_A_MOVE_LIGHTS, Lights, Sun, released_lights
from puppetmaster_core.render.raster import Rendering, render, visible
from puppetmaster_core.render.views import SETTINGS, Setting, released_camera

__all__ = ["DRAG_A_MOVE_LIGHTS", "SETTINGS", "BlenderError", "Camera", "Cycles", "Lights", "Rendering", "Setting", "Sun",
           "blender_python", "drag_a_move_camera", "make_background", "over", "released_camera", "released_lights",
           "render", "render_blender", "visible"]
