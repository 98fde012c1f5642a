# %% [markdown]
# # Which animations are worth learning from
#
# Forty thousand of Objaverse's objects are animated. The paper trains on ten thousand of their animations and says that this
# is why it works (App. B.2). The others stand still, drift, spin, burst, or move as nothing does. Section 4 tells how they
# are found, in two paragraphs; the authors published the ids that were left, but neither code nor labels nor prompt. This
# chapter runs a curation of our own, stage by stage: a pre-filter, metrics of motion, a forest, and a judge that looks at
# pictures.
#
# **Time to run:** about half a minute on a laptop without a GPU. **You will see:** what is lost at which stage and why,
# animations that were kept and dropped, what the forest has learnt, what a judge is asked and answers, and what all of
# Objaverse would cost. **Scale:** objects of the
# procedural library, good ones and bad ones on purpose; nothing here was measured on Objaverse.

# %% tags=["parameters"]
assets = "library:all"  # or a folder of .glb files of your own
count = 47  # assets; the library has 39 good kinds and 8 bad ones
size = 96  # pixels a side of the pictures
output = ""  # folder of the run, kept; empty: one that goes with the notebook
official = ""  # folder with the paper's published id lists, where you have them

# %% [markdown]
# ## One command
#
# Every asset is read and measured in a process of its own, with a limit on time and memory, because files from the world
# crash and hang. The tables are the same whether the run was undisturbed or killed on the way.

# %%
import json
import subprocess
import sys
import tempfile
from pathlib import Path

scratch = tempfile.TemporaryDirectory()  # goes when the notebook is closed
folder = Path(output or f"{scratch.name}/curated")
command = [
    "curate",
    assets,
    "--count",
    str(count),
    "--output",
    str(folder),
    *(["--official", official] if official else []),
]
finished = subprocess.run(
    [sys.executable, "-m", "puppetmaster_core", *command],
    capture_output=True,
    text=True,
)
assert finished.returncode == 0, finished.stderr
print(f"puppetmaster {' '.join(command)}\n{finished.stdout}".replace(str(folder), "…"))

# %%
from lib import curation_figures as figures

report = json.loads((folder / "report.json").read_text())
figures.funnel_figure(report["funnel"])

# %% [markdown]
# The judge is still to come, and so is the last bar. This is the paper's funnel, in the round numbers it gives; with
# `official`, beneath it the lengths of the lists it published, which are shorter than the text says.

# %%
from puppetmaster_core.curation.objaverse import LISTS, read_ids

published = (
    {name: len(read_ids(Path(official, file))[0]) for name, file in LISTS.items()}
    if official
    else {}
)
figures.paper_funnel_figure(published)

# %% [markdown]
# GObjaverse sorts objects into ten categories, one of them *Poor-quality*. App. B.1 drops those before anything is looked at:
# `--categories category_annotation.json`. The library has no such objects, so nothing is lost there above. The same
# categories weigh the clips in training (App. C.1).
#
# ## Motion in numbers
#
# A thousand spots of an object's surface are followed through its animation: a *sequence of aligned point clouds*, as the
# paper has it. It lists the box around the whole clip, the largest box at any one time, and the mean and the largest
# displacement. It gives no formulas and no units. Ours divide lengths by the object's size, so that millimetres and
# kilometres are the same.

# %%
from lib.tables import table
from procedural_library import make_asset
from puppetmaster_core import motion_metrics
from puppetmaster_core.curation.metrics import MEANING, OURS, PAPER

kinds = ("door", "spin", "scaling", "teleport")
measured = {kind: motion_metrics(make_asset(kind, 1)) for kind in kinds}
table(
    ["the paper's", *kinds, "what it is"],
    [
        [name, *(measured[kind][name] for kind in kinds), MEANING[name]]
        for name in PAPER
    ],
)

# %% [markdown]
# Look at the door and the spin: both have boxes that hardly grow and spots that travel. These numbers do not say that the one
# opens and the other turns as a whole. So we add metrics of our own. The *rigid residual* is what is left when the best rigid
# motion of the whole object is taken away: nothing, for a spin.

# %%
table(
    ["ours", *kinds, "what it is"],
    [[name, *(measured[kind][name] for kind in kinds), MEANING[name]] for name in OURS],
)

# %% [markdown]
# ## The forest
#
# The authors labelled some animations by hand and fitted a random forest. Nobody has published labels, so ours come from
# where the truth is known: good animations, and the same objects spoilt on purpose. The figures are of objects of which
# nothing was known: for each fold of them, trees, calibration and threshold come from the other folds. What we chose by hand
# (the metrics, the number of trees) we chose with all of them in view.

# %%
from puppetmaster_core.curation.forest import Forest

forest = Forest.load()
for source, of_kind in forest.about["labels"].items():
    print(
        f"labels from {source}: "
        + ", ".join(f"{n} {kind}" for kind, n in of_kind.items())
    )
figures.forest_figure(forest)

# %%
ours, papers = (
    forest.about[f"figures{which}"]
    for which in (", objects not seen", " with the paper's metrics alone")
)
print(
    f"area under the ROC curve: {ours['auc']:.4f} with all metrics, "
    f"{papers['auc']:.4f} with the paper's alone"
)
kept, settled = "kept at 95 % of the good", "kept at the threshold"
print(figures.labels_line(forest.about))
table(
    [
        "kind",
        "kept where 95 % of the good are",
        "the same, the paper's metrics alone",
        "kept at a threshold chosen without it",
    ],
    [
        [
            kind,
            f"{ours[kept][kind]:.1%}",
            f"{papers[kept][kind]:.1%}",
            f"{ours[settled][kind]:.1%}",
        ]
        for kind in ours[kept]
    ],
)

# %% [markdown]
# Mind what this does not say. The bad ones are of eight kinds that we thought of; real bad animations have others, and a
# forest that has not seen them will let some through. Whoever has Objaverse can label some (below) and fit again, with one
# command:
#
# ```
# puppetmaster forest --labels labels.csv --table curated/animations.parquet --output forest
# ```
#
# ## Kept and dropped
#
# Four moments of each, from the front.

# %%
import numpy as np
from PIL import Image

from puppetmaster_core.clips.sources import find_source
from puppetmaster_core.curation.pictures import quarters, strip
from puppetmaster_core.curation.tables import read_rows

rows = read_rows(folder / "animations.parquet")
source = find_source(assets, count)


def pictures_of(row):
    return quarters(source.open(row["number"]), row["animation"], size)


def strips(verdict, most=4):
    some = [row for row in rows if row["verdict"] == verdict][:most]
    for row in some:
        print(f"{row['asset']}: {row['reason']}")
    return Image.fromarray(np.concatenate([strip(pictures_of(row)) for row in some]))


strips("animation")

# %%
strips("dropped")

# %% [markdown]
# Every decision has a card: what the forest thinks, and which metrics pushed it there. A metric's push is how much the share
# of good examples changes where the trees ask for it.

# %%
sure = [row for row in rows if row["probability"] is not None]
least_sure = min(sure, key=lambda row: abs(row["probability"] - forest.threshold))
figures.decision_card(least_sure, pictures_of(least_sure), forest)

# %% [markdown]
# ## Label some yourself
#
# Each animation and the ends of its four quarters: keep it, drop it, or are you unsure? (The buttons need the notebook.)
# Answers go into a CSV file, and the next session goes on where this one stopped. A second rater takes the same file under
# another name; `labeller.agreement("name")` says how far two agree.

# %%
from lib.labeller import Labeller
from puppetmaster_core.curation.pictures import front_camera
from puppetmaster_core.curation.verdicts import animation_id
from puppetmaster_core.render import render


def film_of(row, frames=14):
    asset = source.open(row["number"])
    positions = np.stack(
        [
            asset.vertices(row["animation"], t)
            for t in asset.sample_times(row["animation"], frames)
        ]
    )
    return render(asset, positions, front_camera(positions), size).frames


labeller = Labeller(
    {animation_id(row): lambda row=row: film_of(row) for row in rows},
    folder / "labels.csv",
    rater="me",
)
labeller

# %% [markdown]
# ## The judge
#
# Metrics do not see that a knee bends backwards. The paper shows four pictures of an animation to GPT-4V and asks whether the
# motion is realistic; that took 16,000 animations to 10,000 and cost about $500. Any server that speaks chat completions will
# do here, `puppetmaster curate … --judge`, or a vision-language model on your own machine, `--judge-model FOLDER`. The
# paper's prompt was not published, ours is this:

# %%
from puppetmaster_core.curation.judge import PROMPT, VERSION

print(f"[{VERSION}]\n\n{PROMPT}")

# %% [markdown]
# If the environment names a server (`PUPPETMASTER_JUDGE_URL`, `_MODEL`, `_KEY`), the next cell asks it about everything that
# the forest kept. If not, a *stand-in* on this machine answers. It is no model: it follows a rule (does anything change from
# picture to picture?), and its verdicts are worth nothing. But it is asked as a model would be, it is busy at first, and one of
# its answers is of no use. The command goes on in the folder above, so nothing is measured again.

# %%
import os
from contextlib import nullcontext

from lib.stand_in_judge import stand_in_judge
from puppetmaster_core.curation.judge import URL

with nullcontext({}) if os.environ.get(URL) else stand_in_judge() as server:
    asking = [*command, "--judge", "--price", "2.5,10", "--budget", "5"]
    asked = subprocess.run(
        [sys.executable, "-m", "puppetmaster_core", *asking],
        env={**os.environ, **server},
        capture_output=True,
        text=True,
    )
assert asked.returncode == 0, asked.stderr
report = json.loads((folder / "report.json").read_text())
print(asked.stdout.replace(str(folder), "…"))
figures.transcript(folder)

# %% [markdown]
# An answer is bought once: it is kept by pictures, prompt and model, and a run that is started again asks only what is new.
# One that is no JSON costs its animation, which stays where the forest put it. From all animations to `HQ`:

# %%
figures.funnel_figure(report["funnel"])

# %% [markdown]
# ## What forty thousand would cost
#
# A core's seconds drawn from those just measured, each asset on the first core that is free; pictures for the share that the
# paper's forest kept, and tokens as the answers above used them. Files from Objaverse are larger than ours and wait for disk and
# download, so take this for the least. The prices are assumptions: set your own.

# %%
import time

from lib.costs import answers_cost, seconds_an_asset, simulate

rows, assets_rows = (
    read_rows(folder / "animations.parquet"),
    read_rows(folder / "assets.parquet"),
)
a_core_hour = 0.05  # dollars
a_million = (2.5, 10.0)  # dollars for a million tokens, in and out
kept_share = 16_000 / 40_000  # of the paper's animations, that its forest kept
an_answer = answers_cost(report["judge"], *a_million)
began = time.process_time()
for row in rows[:5]:
    quarters(source.open(row["number"]), row["animation"])
drawing = (time.process_time() - began) / 5
measuring = seconds_an_asset(assets_rows, rows)
plans = [
    simulate(
        [s + kept_share * drawing for s in measuring],
        40_000,
        cores,
        dollars_a_core_hour=a_core_hour,
        kept=kept_share,
        dollars_an_answer=an_answer,
    )
    for cores in (2, 16, 128)
]
print(
    f"an asset took a core {np.mean(measuring):.3f} s to measure, its pictures "
    f"{drawing:.3f} s"
)
print(
    f"an answer took {an_answer:.4f} dollars at these prices; the paper's took about "
    f"{500 / 16_000:.4f}"
)
table(
    ["cores", "hours", "core hours", "cores, $", "judge, $", "together, $"],
    [
        [
            plan.cores,
            plan.hours,
            plan.core_hours,
            plan.dollars_cores,
            plan.dollars_judge,
            plan.dollars,
        ]
        for plan in plans
    ],
)

# %% [markdown]
# Past one machine, Ray shares the work out (`--engine ray`, with its address in `RAY_ADDRESS`), or each machine takes its share of one
# folder (`--rank 3 --world-size 16`).
#
# ## What was lost
#
# A curation that hides its losses cannot be mended. Files that could not be read are in the report with their cause;
# animations that were dropped keep their row and their reason. Here they are counted by the metric that is named first.

# %%
from collections import Counter

dropped = [row for row in rows if row["verdict"] == "dropped"]
lost = Counter(
    row["reason"].partition(" is ")[0].rpartition(" ")[0]
    for row in dropped
    if row["stage"] == "forest"
)
reasons = ", ".join(f"{n} for {why}" for why, n in lost.most_common())
print(f"{len(report['failures'])} assets failed; the forest dropped: {reasons}")
for row in dropped:
    if row["stage"] == "judge":
        print(f"the judge dropped {row['asset']}: {row['judge_reason']}")
for row in rows:
    if row["judge_error"]:
        print(f"no usable answer about {row['asset']}: {row['judge_error']}")
for name, overlap in report.get("published lists", {}).items():
    print(f"{name}: {overlap}")
assert sum(lost.values()) + sum(row["stage"] == "judge" for row in dropped) == len(
    dropped
)

# %% [markdown]
# Two runs over Objaverse can differ in all of this, ours and the paper's. With `--official DIR`, the command compares its lists
# with the published ones, for the objects it has looked at: how many of ours are in theirs, how many of theirs we missed.
#
# ## Less is more
#
# Is it worth it? Table 3 of the paper compares a model trained on the 16,000 with one trained on the 10,000, and the second wins
# by {paper}`table3.curation`. The next cell makes two training mixtures of equal size out of the run above, as if every animation
# were one clip: equally many clips of every group, with and without curation. (The stand-in's verdicts are left out of it.)

# %%
from puppetmaster_core.curation.less_is_more import two_arms

keys = [(row["asset"], row["name"]) for row in rows]
verdicts = {
    key: "animation" if row["stage"] == "judge" else row["verdict"]
    for key, row in zip(keys, rows, strict=True)
}
arms = two_arms(keys, [row["group"] for row in rows], verdicts)
table(
    [
        "mixture",
        "clips",
        "of which curation drops",
        *arms["curated"].groups,
    ],
    [
        [
            name,
            len(arm.clips),
            f"{arm.dropped_share:.0%}",
            *arm.groups.values(),
        ]
        for name, arm in arms.items()
    ],
)

# %% [markdown]
# With clips on disk, the command links them into two folders that `train` reads:
#
# ```
# puppetmaster render library:all --count 8000 --output clips/all
# puppetmaster curate library:all --count 8000 --output curated --arms clips/all
# puppetmaster train --scale tiny --data curated/arms/curated --output runs/curated       (and the same with uncurated)
# ```
#
# ## Exercise: a rule of your own
#
# Who needs a forest? Write a function that takes an animation's metrics (a mapping from names to numbers) and says whether to
# keep it. It has to drop what is static, tiny, gliding, spinning, scaling, exploding, jumping or trembling, and keep nine of
# ten good ones.

# %%
from lib import exercises
from procedural_library import GROUPS

my_rule = None  # def my_rule(m): return …
print(exercises.try_rule(my_rule, rows, GROUPS["bad"]))

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def my_rule(m):
#     moves = m["affine_residual"] > 0.005  # more than one motion of the whole
#     calm = m["jerk"] < 1 and m["jump"] < 0.005
#     return moves and calm and m["growth"] < 1.9 and m["mean_displacement"] < 0.2
# ```
#
# It works on these few. The more animations you look at, the more exceptions it needs: that is what the forest is for.
#
# </details>
