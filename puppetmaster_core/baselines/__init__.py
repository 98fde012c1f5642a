"""The compared methods' mechanisms (§5.2), each as a few lines around the same `DragUNet`: the mechanism, never the method.

What is alike: the backbone without its own drag layers, data, steps, seeds. What differs: how the network is told of the drags.
None has a frozen pre-trained network or LoRA layers around it here, as the methods have: all weights train.
"""

from puppetmaster_core.baselines.copied_features import CopiedFeatures, SoftCopies
from puppetmaster_core.baselines.entity_maps import EntityMaps
from puppetmaster_core.baselines.flow_branch import FlowBranch
from puppetmaster_core.baselines.single_frames import SingleFrames
from puppetmaster_core.baselines.trajectory_maps import TrajectoryMaps

MECHANISMS = {
    "trajectory maps": TrajectoryMaps,  # DragNUWA's
    "entity maps": EntityMaps,  # DragAnything's
    "flow branch": FlowBranch,  # Image Conductor's
    "single frames": SingleFrames,  # DragAPart's
    "copied features": CopiedFeatures,  # Wan-Move's
    "soft copies": SoftCopies,  # ATI's
}

__all__ = ["MECHANISMS", "CopiedFeatures", "EntityMaps", "FlowBranch", "SingleFrames", "SoftCopies", "TrajectoryMaps"]
