"""The network (§3): SVD's U-Net with drag modulation, drag tokens and all-to-first attention."""

from .conditioning import DragConditioning
from .modulation import Modulation
from .unet import DragUNet

__all__ = ["DragConditioning", "DragUNet", "Modulation"]
