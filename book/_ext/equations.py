"""Equations, the functions that implement them and the tests that check them: one list, from which both ways are linked.

The page `book/equations.md` has the formulas, each under its label with a block {equation}; the reference of every function
here links back to the formula, and so does every chapter that derives or uses it. `problems` holds page, functions, tests and
chapters to this list.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from sources import module_file, piece, pieces

PAGE = Path("book/equations.md")
LINK = re.compile(r"\]\(\.\./book/equations\.md#(eq-[\w-]+)\)")  # a chapter's link to a formula
CORE = "puppetmaster_core."


@dataclass(frozen=True)
class Equation:
    """One formula of the paper, or one of ours."""

    label: str  # of the page's heading
    place: str  # in the paper, as the function or its module names it
    functions: tuple[str, ...]  # puppetmaster_core.…
    tests: tuple[str, ...]  # tests/FILE.py::NAME, each of which names one of the functions


def _equation(label: str, place: str, functions: str, tests: str) -> Equation:
    return Equation(label, place, tuple(CORE + name for name in functions.split()), tuple(tests.split()))


EQUATIONS = (
    _equation("eq-1", "Eq. 1", "diffusion.diffusion_loss diffusion.denoise",
              "test_diffusion.py::test_the_network_sees_inputs_of_unit_variance"),
    _equation("eq-2", "Eq. 2", "diffusion.diffusion_loss",
              "test_diffusion.py::test_a_network_that_predicts_v_loses_nothing "
              "test_diffusion.py::test_the_loss_is_the_error_of_v"),
    _equation("eq-preconditioning", "preconditioning", "diffusion.precondition diffusion.denoise",
              "test_diffusion.py::test_preconditioning_at_sigma_one"),
    _equation("eq-noise", "App. C.1", "diffusion.sample_sigmas", "test_diffusion.py::test_noise_levels_are_log_normal"),
    _equation("eq-encoding", "App. A", "encoding.encode_drags",
              "test_encoding.py::test_one_drag_by_hand test_encoding.py::test_matches_the_slow_reference_and_its_gradient"),
    _equation("eq-3", "Eq. 3", "model.modulation.modulate model.modulation.DragModulation",
              "test_drag_layers.py::test_modulation_is_equation_3 test_drag_layers.py::test_modulation_starts_at_zero"),
    _equation("eq-4", "Eq. 4", "model.attention.all_to_first model.attention.all_to_first_reference",
              "test_drag_layers.py::test_all_to_first_equals_its_slow_reference"),
    _equation("eq-dropout", "App. C.1", "diffusion.drop_drags", "test_diffusion.py::test_drags_are_dropped_item_by_item"),
    _equation("eq-guidance", "App. C.2", "diffusion.frame_guidance",
              "test_diffusion.py::test_guidance_grows_linearly_over_the_frames"),
    _equation("eq-sampling", "App. C.2", "sampling.sample",
              "test_pipeline.py::test_dpm_needs_fewer_steps_and_both_end_where_the_equation_does"),
    _equation("eq-chance", "§4", "clips.drag_sampling.displacement clips.drag_sampling.draw_drags",
              "test_drag_sampling.py::test_displacement_is_the_way_there_and_back "
              "test_drag_sampling.py::test_points_in_proportion_to_their_displacement"),
    _equation("eq-duplicates", "§4", "drags.Drags.without_near_duplicates",
              "test_drags.py::test_near_duplicates_by_hand test_drags.py::test_no_two_near_drags_are_left_and_none_is_made_up"),
    _equation("eq-motion-error", "§5.1", "evaluation.motion.motion_error", "test_motion.py::test_motion_error_by_hand"),
    _equation("eq-residual", "additions to the paper", "latents.pictures.LatentSpace.diffused",
              "test_latents.py::test_the_latent_space_has_an_inverse"),
    _equation("eq-anchor", "additions to the paper", "latents.pictures.still_weight latents.pictures.decode_anchored",
              "test_latents.py::test_what_changed_by_the_tolerance_is_not_still "
              "test_latents.py::test_a_still_video_is_the_given_picture_whatever_the_vae_loses"),
    _equation("eq-field", "Motion as latents", "latents.field.to_latents latents.field.from_latents",
              "test_motion_latents.py::test_latents_have_an_inverse_where_something_moves"),
    _equation("eq-guess", "Motion as latents", "latents.field.guess",
              "test_motion_latents.py::test_each_part_is_guessed_to_follow_its_drag_and_to_grow_or_turn_about_it"),
    _equation("eq-anchoring", "Ours, not the paper's", "latents.anchoring.anchored",
              "test_motion_latents.py::test_a_part_turns_whole_and_through_its_drag"),
    _equation("eq-snapping", "the guided filter", "latents.snap.snap",
              "test_motion_latents.py::test_a_mask_gets_the_edges_of_the_picture"),
    _equation("eq-splat", "Forward splatting", "latents.splat.splat",
              "test_motion_latents.py::test_whole_pixels_are_carried_exactly_and_the_nearer_is_seen"),
    _equation("eq-painting", "what they uncover", "latents.painter.Painter",
              "test_motion_latents.py::test_the_painter_leaves_alone_what_nothing_touches"),
)


def named(label: str) -> Equation:
    """The equation of a label. Raises LookupError."""
    found = next((one for one in EQUATIONS if one.label == label), None)
    if found is None:
        raise LookupError(f"no equation has the label {label!r}: add it to book/_ext/equations.py")
    return found


def of_function(dotted: str) -> list[Equation]:
    """The equations that a function of the package implements."""
    return [one for one in EQUATIONS if dotted in one.functions]


def text_of_test(root: Path, test: str) -> str | None:
    """The text of FILE.py::NAME in tests/, None where it is not there, after the helpers of its own file that it calls."""
    file, _, name = test.partition("::")
    path = root / "tests" / file
    known = pieces(path) if path.is_file() else {}
    if name not in known:
        return None
    helpers = [one for other, one in known.items()
               if not other.startswith("test_") and "." not in other and re.search(rf"\b{other}\(", known[name])]
    return "\n\n\n".join([*helpers, known[name]])


def block(label: str, root: Path) -> str:
    """What stands under a formula: links to the functions, the names of the tests, and the text of all of them."""
    equation = named(label)
    links = ", ".join(f"{{py:obj}}`{name}`" for name in equation.functions)
    tests = ", ".join(f"`tests/{test}`" for test in equation.tests)
    code = [textwrap.dedent(piece(name)) for name in equation.functions]
    code += [source for test in equation.tests if (source := text_of_test(root, test))]
    listings = "\n\n".join(f"```python\n{text}\n```" for text in code)
    chapters = ", ".join(f"[{title}](notebooks/{stem}.ipynb)" for stem, title in chapters_of(label, root))
    explained = f" In the chapters: {chapters}." if chapters else ""
    return f"Implemented by {links}. Checked by {tests}.{explained}\n\n````{{dropdown}} The code and its tests\n{listings}\n````"


def chapters_of(label: str, root: Path) -> list[tuple[str, str]]:
    """Name and title of every chapter that links to a formula, in order."""
    texts = ((path.stem, path.read_text(encoding="utf-8")) for path in sorted((root / "notebooks" / "src").glob("*.py")))
    return [(stem, re.search(r"^# # (.+)$", text, re.M)[1]) for stem, text in texts if label in LINK.findall(text)]


def problems(root: Path) -> list[str]:
    """Where the page, the package and the tests are not what the list says: broken links, a line each."""
    found, page = [], (root / PAGE).read_text(encoding="utf-8") if (root / PAGE).exists() else ""
    anchors, blocks = (re.findall(pattern, page, re.M) for pattern in (r"^\((eq-[\w-]+)\)=$", r"^```\{equation\} (\S+)$"))
    labels = [one.label for one in EQUATIONS]
    if page and not (anchors == blocks == labels):
        odd = sorted(set(anchors) ^ set(labels) | set(blocks) ^ set(labels)) or ["their order"]
        found.append(f"{PAGE} and the list of equations differ: {', '.join(odd)}")
    for one in EQUATIONS:
        found += [f"{one.label}: {line}" for line in _function_problems(one)]
        if (root / "tests").is_dir():
            found += [f"{one.label}: {line}" for line in _test_problems(one, root)]
    return found + _chapter_problems(root)


def _chapter_problems(root: Path) -> list[str]:
    """Cells of chapters with a displayed formula and no link to where it is checked, and links that lead nowhere."""
    found, labels = [], {one.label for one in EQUATIONS}
    for path in sorted((root / "notebooks" / "src").glob("*.py")):
        for cell in re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.M):
            links = LINK.findall(cell)
            if cell.startswith(" [markdown]") and "$$" in cell and not links:
                formula = " ".join(cell.split("$$")[1].replace("\n#", " ").split())
                found.append(f"{path.name}: {formula[:60]} … has no link to {PAGE}: add [Eq. n](../{PAGE}#eq-…)")
            found += [f"{path.name}: {PAGE} has no {label}" for label in links if label not in labels]
    return found


def _function_problems(equation: Equation) -> list[str]:
    found = []
    for name in equation.functions:
        try:
            one = piece(name)
        except LookupError as error:
            found.append(str(error))
            continue
        file, _ = module_file(name)
        if equation.place not in one and equation.place not in file.read_text(encoding="utf-8").split('"""')[1]:
            found.append(f"neither {name} nor its module's first lines name {equation.place}")
    return found


def _test_problems(equation: Equation, root: Path) -> list[str]:
    names = [name.rsplit(".", 1)[-1] for name in equation.functions]
    found = []
    for test in equation.tests:
        source = text_of_test(root, test)
        if source is None:
            found.append(f"tests/{test} is not there")
        elif not any(re.search(rf"\b{name}\b", source) for name in names):
            found.append(f"tests/{test} uses none of {', '.join(names)}")
    return found
