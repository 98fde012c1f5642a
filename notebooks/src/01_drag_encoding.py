# %% [markdown]
# # Drags as pictures: the encoding
#
# A network of convolutions reads pictures. A drag is a list of coordinates. Between the two stands $\operatorname{enc}(\cdot,
# s)$ of Section 3.2 and Appendix A, which writes a drag into maps of any resolution $s$, and loses nothing of it on the way.
# This chapter derives it, draws it for each level of the U-Net, and goes to the edges, where the paper is silent. [The
# formula](../book/equations.md#eq-encoding), with its code and its tests, is on the page of equations.
#
# **Time to run:** about 10 seconds on a laptop without a GPU. **You will see:** which cells a drag marks and what stands in
# them, the drag read back out of the maps, where the authors' code differs from their appendix, and your own drag encoded while
# you draw. **Scale:** no network takes part; the grids are those of the paper's network (32 to 4 cells a side) on a picture of
# ours.

# %% tags=["parameters"]
picture_path = ""  # your own picture; empty: the one that comes along
drags_path = ""  # its drags, as JSON
# cells a side: the levels of SVD's U-Net for a picture of 256 × 256
sizes = [32, 16, 8, 4]
frame = 7  # of 14, for the figures

# %% [markdown]
# ## What has to be written down
#
# A drag $d_k = (u_k, v_k^{1:N})$ starts at $u_k$ and is at $v_k^n$ in frame $n$; so $u_k = v_k^1$. To move a part in frame $n$
# the network should know three places: where the drag **starts** ($u_k$), where it **is** ($v_k^n$), and where it will **end**
# ($v_k^N$). The last one tells every frame about the future: a door that is ajar in frame 3 moves differently if it ends wide
# open.

# %%
from importlib.resources import files
from pathlib import Path

import torch
from PIL import Image

from lib import network_figures as figures
from lib.figures import with_drags
from puppetmaster_core import Drags
from puppetmaster_core.encoding import cells, encode_drags
from puppetmaster_core.pictures import open_picture

examples = Path(str(files("puppetmaster_core") / "examples"))
picture = open_picture(picture_path or examples / "cabinet.png")
drags = Drags.from_json(drags_path or examples / "cabinet.json")
u, v_n, v_end = drags.points[0, 0], drags.points[0, frame - 1], drags.points[0, -1]
for name, (x, y) in (("u", u), (f"v^{frame}", v_n), (f"v^{drags.frames}", v_end)):
    print(f"{name:5} x = {x:.4f}, y = {y:.4f} of the picture's side")
Image.fromarray(with_drags(picture, drags))

# %% [markdown]
# ## From a coordinate to a cell and an offset
#
# Lay a grid of $s \times s$ cells over the picture. A place $(h, w)$, in pixels of a picture of height $H$ and width $W$, falls
# into one cell:
#
# $$ \Big( \Big\lfloor \frac{s \cdot h}{H} \Big\rfloor,\; \Big\lfloor \frac{s \cdot w}{W} \Big\rfloor \Big). $$
#
# One could put a 1 there and be done, as heat maps do. But at $s = 8$ a cell is 32 pixels wide, and a drag of 20 pixels would
# often start and end in the same cell: to such a map it would be no drag at all. So App. A writes what the rounding drops, the
# offset inside the cell:
#
# $$ \Big( \frac{s \cdot h}{H} - \Big\lfloor \frac{s \cdot h}{H} \Big\rfloor,\;
# \frac{s \cdot w}{W} - \Big\lfloor \frac{s \cdot w}{W} \Big\rfloor \Big) \in [0, 1)^2. $$
#
# ([App. A](../book/equations.md#eq-encoding), with what checks it.) All other cells hold $-1$, which no offset is. That makes
# two channels a place and six a drag. By hand, for $u$ at $s = 8$:

# %%
s = 8
(row, col), (down, right) = cells(torch.tensor(u), s)
print(f"s·y = {s * u[1]:.4f}: row {row:.0f}, offset {down:.4f}")
print(f"s·x = {s * u[0]:.4f}: column {col:.0f}, offset {right:.4f}")

# %% [markdown]
# This is all of it, for every drag, frame and level at once. No loop: a cell is the drag's where its row and its column are
# equal to the drag's, and that is a comparison that broadcasts. Channels of drags that are not there fill up to $c \cdot
# K_{\max} = 6 \cdot 5$.

# %%
import inspect

print(inspect.getsource(encode_drags))

# %% [markdown]
# ## One drag at every level
#
# Look along a row: six maps, and one cell in each that is not empty (ringed; its number stands above the map). Look down a
# column: the same place on finer and coarser grids. The cell says roughly where, the offset says exactly where, and the coarser
# the grid, the more of the answer the offset carries. In the drag that comes along, $v^7$ and $v^{14}$ share a cell at $s = 8$
# and $s = 4$, and still differ in their numbers.

# %%
figures.encoding_levels(picture, drags, sizes, frame)

# %% [markdown]
# And over time, at $s = 8$, each drag in its colour. Look for the row that changes: $u$ and $v^N$ are told to every frame
# alike, and $v^n$ walks from the one to the other.

# %%
figures.encoding_frames(drags, 8)

# %% [markdown]
# ## Nothing is lost
#
# Cell plus offset, divided by $s$, is the place again. So every level holds the drag to the precision of its numbers:

# %%
for s in sizes:
    (row, col), (down, right) = cells(torch.tensor(drags.points), s)
    back = torch.stack([col + right, row + down], dim=-1) / s
    error = (back - torch.tensor(drags.points)).abs().max().item()
    code = encode_drags(drags, s)
    assert code.shape == (drags.frames, 30, s, s) and error < 1e-6
    # channels in which something is written, in each frame
    marked = (code != -1).flatten(2).any(-1).sum(1)
    assert (marked == 6 * len(drags)).all()
    print(
        f"s = {s:2}: maps {tuple(code.shape)}, read back to {error:.0e} of the "
        "picture's side"
    )

# %% [markdown]
# Two drags cannot overwrite each other either, nor can $u$ overwrite $v^n$: each place has channels of its own. The price is
# that drags are numbered. The network has to learn five times that a drag is a drag, and more than $K_{\max}$ do not fit:

# %%
from puppetmaster_core.drags import DragError

crowd = torch.rand(12, drags.frames, 2)
try:
    encode_drags(crowd, 8)
except DragError as error:
    print(error)

# %% [markdown]
# ## Two conventions
#
# The authors' code does not do what their appendix says. It takes $\operatorname{round}(s x - \tfrac12)$ for the cell, half to
# even, and writes offsets as $(x, y)$. A checkpoint reads only the convention that it was trained with, so both are here, by
# name. Look at the marks on the borders of cells: everywhere else the two agree; on a border the paper takes the cell behind
# it, and the released code the even one of the two, where the offset may be a full 1.

# %%
figures.cells_and_offsets()

# %% [markdown]
# How often does that matter? A drag drawn by hand seldom meets a border. A drag at whole pixels does so at one pixel in eight
# for $s = 32$ at 256 × 256, in each direction, and half of these borders are the even cell's.

# %%
pixel = torch.arange(257) / 256
grid = torch.stack([pixel, torch.full_like(pixel, 0.5 + 1 / 512)], dim=-1)
for s in sizes:
    (_, paper), _ = cells(grid, s, "paper")
    (_, released), _ = cells(grid, s, "released")
    print(
        f"s = {s:2}: {(paper != released).sum():2} of {len(pixel)} pixel borders fall "
        "into different cells"
    )
    assert (paper != released).sum() == s // 2

# %% [markdown]
# The other difference always matters: the two channels of a place change roles. The same drag, in the released convention. Look
# at the titles: the numbers of each pair have changed places.

# %%
figures.encoding_levels(picture, drags, sizes[:2], frame, convention="released")

# %% [markdown]
# ## What is lost at the edges
#
# In the paper every place lies on the picture. Yet a drawer can be pulled out of the frame, and of the public test drags of
# Drag-a-Move a few end outside. $\lfloor s h / H \rfloor$ is then no row of the map. Here a place outside goes to the nearest
# cell, and its offset leaves $[0, 1]$: the number still says how far outside it is. Look at the figure above, right and left of
# the grey band: the cell stays and the offset goes on.
#
# One thing is lost. A place exactly one cell above or left of the grid has the offset $-1$, which means *nothing here*.

# %%
for x in (-0.05, -1 / 8, -0.2, 1.1):
    leaving = Drags([[(0.3, 0.5)] * 13 + [(x, 0.5)]])
    code = encode_drags(leaving, 8)[-1, 4:6]  # v^N in the last frame: h, then w
    print(
        f"x = {x:6.3f}: the w channel of v^N holds "
        f"{sorted({round(n, 3) for n in code[1].flatten().tolist()})}"
    )

# %% [markdown]
# At $x = -1/8$ only the $-1$ of the empty cells is left in that channel. (The $h$ channel still marks the cell, so the network
# could work it out.)
#
# The released code loses a little more. It keeps drags as four numbers a frame and takes four zeros for *no drag*, so a drag
# that rests in the picture's corner is gone. `split_released` reads that format as the authors' code does:

# %%
from puppetmaster_core.encoding import split_released

stored = torch.zeros(14, 5, 4)  # x_u, y_u, x_v, y_v of five drags in 14 frames
# meant: a drag that holds the corner where it is
stored[:, 0] = torch.tensor([0.0, 0.0, 0.0, 0.0])
stored[:, 1] = torch.tensor([0.0, 0.0, 0.5, 0.5])  # one that begins there
_, present = split_released(stored)
print("present:", present.any(0).tolist())
assert present.any(0).tolist() == [False, True, False, False, False]

# %% [markdown]
# ## Now you
#
# Draw: pull a point, bend its path with *Points*, or hold it with *Pin*. The panel beside the picture computes the maps in your
# browser, from a second implementation of the same formula that a test holds to this one. The figure below it follows in the
# notebook: it is drawn anew whenever you let go.

# %%
from lib.probes import follow
from puppetmaster_core.editor import DragEditor

editor = DragEditor(picture, drags)
editor

# %%
shown = follow(
    editor,
    "record",
    lambda: figures.encoding_levels(picture, editor.drags, sizes[1:3], frame),
)

# %% [markdown]
# A cell can draw, too. Here the path gets a bend half-way while its ends stay. What changes in the maps? Only $v^n$'s two
# channels, and only in the frames between: $u$ and $v^N$ know nothing of the way.

# %%
middle = (u + v_end) / 2 + (0.0, 0.12)  # lower in the picture
before = encode_drags(editor.drags, 8)
editor.drags = Drags.from_pixels(
    [[u * picture.size, middle * picture.size, v_end * picture.size]], picture.size
).resample(14)
after = encode_drags(editor.drags, 8)
changed = (before != after).flatten(2).any(-1)  # (14 frames, 30 channels)
print("channels that changed:", changed.any(0).nonzero().flatten().tolist())
print("frames in which:", (changed.any(1).nonzero().flatten() + 1).tolist())
assert (
    set(changed.any(0).nonzero().flatten().tolist()) <= {2, 3}
    and not changed[0].any()
    and not changed[-1].any()
)
figures.encoding_frames(editor.drags, 8)

# %% [markdown]
# ## Exercise 1: by hand
#
# A point at $x = 0.30$, $y = 0.80$ of the picture, on a grid of $s = 16$. Give row, column, offset down and offset right.

# %%
from lib import exercises

answer = None  # (row, column, offset down, offset right)
print(exercises.cell_and_offset((0.30, 0.80), 16, answer))

# %% [markdown]
# <details><summary>Solution</summary>
#
# $16 \cdot 0.80 = 12.8$ is row 12 and 0.8 of a cell down; $16 \cdot 0.30 = 4.8$ is column 4 and 0.8 of a cell right:
# `answer = (12, 4, 0.8, 0.8)`.
#
# </details>
#
# ## Exercise 2: read a drag back
#
# Write the inverse. Your function gets the maps of one drag, a tensor of shape ($N$, 6, $s$, $s$), in the paper's convention,
# and $s$. It returns the drag's points, ($N$, 2), $x$ first, from 0 to 1. All points lie on the picture.

# %%
my_reading = None  # def my_reading(maps, s): …
print(exercises.read_back(my_reading))

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def my_reading(maps, s):
#     now = maps[:, 2:4]  # v^n: h, then w
#     cell = (now[:, 0] != -1).flatten(1).int().argmax(1)  # the one that is not empty
#     row, col = cell // s, cell % s
#     down, right = now.flatten(2).gather(2, cell[:, None, None].expand(-1, 2, 1))[..., 0].T
#     return torch.stack([col + right, row + down], dim=1) / s
# ```
#
# </details>
