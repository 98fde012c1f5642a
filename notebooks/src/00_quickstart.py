# %% [markdown]
# # Quickstart: drag a drawer, see it open
#
# You give the model a picture and a drag. It gives back fourteen frames in which the dragged part moves and the rest stays.
#
# **Time to run:** about 20 seconds on a laptop without a GPU. **You will see:** what a drag does to a drawer, what half of it
# does, and a door; which pixels the model moves, and where to; and you can draw drags of your own. **Scale:** `tiny`, trained
# from nothing on two CPU cores, a few hundred times smaller than the paper's network. A network of this size cannot learn to
# draw fourteen frames, so this one does not: it says where the picture's own pixels go, and paints only what they uncover.
# Parts stay sharp; what errs is which pixels are the part, or which way it goes. The model's card says how often.

# %% tags=["parameters"]
model = "tiny"  # a shipped model, a folder, or OWNER/NAME on the hub
picture_path = ""  # your own picture; empty: the one that comes along
drags_path = ""  # its drags, as JSON
seed = 0
steps = 0  # sampling steps; 0: the model's own number

# %% [markdown]
# ## A picture and a drag
#
# The picture is frame 1 of a procedural cabinet that was never trained on. A drag $d_k = (u_k, v_k^{1:N})$ says where a point is
# ($u_k$) and where it is in each of the $N$ frames. Two points are enough: the frames between are spaced evenly.

# %%
from importlib.resources import files
from pathlib import Path

from PIL import Image

from lib.figures import moving, strip, with_drags
from puppetmaster_core import Drags, PuppetMasterPipeline
from puppetmaster_core.pictures import open_picture

examples = Path(str(files("puppetmaster_core") / "examples"))
picture = open_picture(picture_path or examples / "cabinet.png")
drags = Drags.from_json(drags_path or examples / "cabinet.json")
Image.fromarray(with_drags(picture, drags))

# %% [markdown]
# ## The drag acts

# %%
pipe = PuppetMasterPipeline.from_pretrained(model)
pipe.set_progress_bar_config(disable=True)
video = pipe(picture, drags, seed=seed, steps=steps or None)
moving(video, alt="a cabinet whose drawer moves where the drag pulls it")

# %% [markdown]
# The dot is where the drag says the point should be. Frame by frame:

# %%
strip({"as dragged": video.frames})

# %% [markdown]
# ## Draw your own
#
# Press on a part of the picture, pull, and let go. *Points* draws a path click by click, *Pin* holds a point where it is. Then
# press *Generate*. Beside the picture: the maps that the network reads (App. A), how fast each drag runs along its path, and
# what came of it. While you pull, the picture follows. On a page of the book the model runs in your browser.

# %%
from puppetmaster_core.editor import DragEditor

editor = DragEditor(
    picture, drags, pipeline=pipe, presets={"the drawer": drags}, seed=seed
)
editor

# %% [markdown]
# What is drawn is `editor.drags`, the `Drags` that the pipeline takes, and every take is kept in `editor.takes`. A cell can press
# *Generate* too; here, before you have changed anything, with the drag that came along:

# %%
take = editor.generate(seed=seed + 1, steps=steps or None)
print(f"take {take.number}: seed {take.seed}, frames {take.video.frames.shape}")

# %% [markdown]
# ## The drag decides
#
# The same picture and the same noise, but the drag ends half-way, or stays where it starts. Nothing else is different, so
# whatever differs between the films comes from the drag.

# %%
origin = drags.points[:, :1]
half, still = (Drags(origin + share * (drags.points - origin)) for share in (0.5, 0.0))
shorter, unmoved = (
    pipe(picture, d, seed=seed, steps=steps or None) for d in (half, still)
)
moving(
    {"as dragged": video, "half-way": shorter, "held still": unmoved},
    size=200,
    alt="the same cabinet, dragged differently",
)

# %% [markdown]
# How much of the picture changes? Pixels that differ from frame 1 by more than 8 of 255 grey levels:

# %%
from puppetmaster_core.evaluation.metrics import moving_region

changed = {
    name: float(moving_region(v.frames)[-1].mean())
    for name, v in (
        ("as dragged", video),
        ("half-way", shorter),
        ("held still", unmoved),
    )
}
for name, share in changed.items():
    print(f"{name:11} {share:6.1%} of the last frame")

# %% [markdown]
# ## A door, turned by its edge
#
# Doors turn, so a point on them runs along an arc. The drag below is a straight line all the same, as people draw them and as
# the test clips of Drag-a-Move have them.

# %%
door, door_drags = (
    open_picture(examples / "door.png"),
    Drags.from_json(examples / "door.json"),
)
swing = pipe(door, door_drags, seed=seed, steps=steps or None)
moving(swing, alt="a cabinet whose door moves where the drag pulls it")

# %% [markdown]
# ## What the model said
#
# The paper's network draws every pixel of every frame. `tiny` answers another question: which pixels of frame 1 move, and where
# are they in each frame? `output_type="motion"` hands that out before anything is painted. On the left, the part that the drag
# lies on, as the model sees it; in the middle, where its pixels are in the last frame; on the right the same in colours,
# a direction a hue. [Chapter 6](06_training.ipynb) tells why.

# %%
import numpy as np

from lib.motion_figures import moved_parts
from puppetmaster_core.latents.protocol import MotionLatents

if isinstance(pipe.latents, MotionLatents):
    motion = pipe(picture, drags, seed=seed, steps=steps or None, output_type="motion")
    shown = moved_parts(np.asarray(picture), motion[0])
else:
    shown = f"{model} is told to draw pictures, as the paper's model is"
shown

# %% [markdown]
# The same beside the film, frame by frame: the hue says which way a pixel of frame 1 has gone, the strength how far.

# %%
if isinstance(pipe.latents, MotionLatents):
    shown = moving(video, motion=motion[0], alt="the cabinet, and how its pixels move")
shown

# %% [markdown]
# ## From the command line
#
# ```
# puppetmaster animate PICTURE.png --drags DRAGS.json --output OUT.gif
# ```
#
# ## Exercise
#
# Make two drags of one: the drawer's, and a second one that holds a point of the cabinet's side, at $x = 0.72$ and $y = 0.60$,
# where it is (a *pin*). Replace `None` and run the cell: it checks itself.

# %%
pinned = None
if pinned is None:
    print("not answered yet: replace None and run the cell again")
else:
    assert len(pinned) == 2, "two drags are wanted: the drawer's and the pin"
    assert np.allclose(pinned.points[0], drags.points[0]), (
        "the first drag should be the drawer's, as it was"
    )
    assert np.allclose(pinned.points[1], (0.72, 0.60)), (
        "the second drag should stay at (0.72, 0.60) in every frame"
    )
    print("right: a pin is a drag that ends where it starts")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# pin = np.repeat([[[0.72, 0.60]]], drags.frames, axis=1)  # (1, N, 2)
# pinned = Drags(np.concatenate([drags.points, pin]))
# ```
#
# `pipe(picture, pinned)` animates it; in the editor *Pin* does the same.
#
# </details>
