"""The book's numbers: drawn from the ledger, by pages, by notebooks; what is typed by hand is found."""

from pathlib import Path

import nbformat
import pytest

from ledger_roles import fill, fill_pages, problems, typed_figures
from puppetmaster_core.evaluation.ledger import Claim, LedgerError, checkout_ledger, claims_table, ledger, write_ledger

ROOT = Path(__file__).resolve().parents[1]
CLAIMS = ledger([
    Claim("a.psnr", "clips: PSNR", "dB", paper=24.41, place="Table 1", ours=25.0, low=24.5, high=25.5, scale="mini", clips=51,
          commit="0123456789", device="cpu", seconds=61.0, command="puppetmaster evaluate"),
    Claim("a.gain", "gain | net", "dB", bar=0.0, ours=-0.5, low=-1.0, high=0.5),
    Claim("b.psnr", "not yet", "dB", paper=1.5),
])


def test_roles_are_filled_from_the_ledger():
    assert fill("ours {claim}`a.psnr`, theirs {paper}`a.psnr`.", CLAIMS) == "ours 25.00 dB [24.50, 25.50], theirs 24.41 dB."
    assert fill("nothing to do", CLAIMS) == "nothing to do"
    with pytest.raises(LedgerError, match=r"no claim 'a\.psrn' in the ledger, did you mean 'a\.psnr'\?"):
        fill("{claim}`a.psrn`", CLAIMS)


def test_blocks_become_tables():
    text = fill("before\n\n```{claims} run a.\n```\n\nafter", CLAIMS)
    assert text.startswith("before\n\n| claim |") and text.endswith("|\n\nafter")
    line = next(line for line in text.splitlines() if "Table 1" in line)
    assert "| 24.41 dB | 25.00 dB [24.50, 25.50] | yes |" in line
    assert "`puppetmaster evaluate` · `01234567` · cpu · 61 s" in line and "| mini | 51 |" in line
    assert "gain \\| net" in text and "unclear (wanted: at least 0.00 dB)" in text and "not yet" not in text
    assert "not yet" in fill("```{claims} not run\n```", CLAIMS) and "clips: PSNR" not in fill("```{claims} not run\n```", CLAIMS)
    assert fill("```{claims} not run a.\n```", CLAIMS) == "None yet."
    assert claims_table(claims=CLAIMS).count("\n") == 1 + len(CLAIMS)


@pytest.mark.parametrize("line", ["It reaches 25.00 dB.", "a gain of 5 dB", "off by 12.2 px", "right in 75.6% of parts",
                                  "PSNR of 24.1", "| tiny | 25.00 dB |"])
def test_a_typed_figure_is_found(line):
    assert typed_figures(f"words\n{line}\nwords") == [line]


@pytest.mark.parametrize("line", ["{claim}`a.psnr`", "pictures of 256 px", "2 % of the width", "`psnr > 24.1 dB`", "1.0.4",
                                  "$\\sigma = 0.7$ dB", "{share:6.1%}", "3.3 % <!-- not a result: counted -->",
                                  "[page](a_25.0dB.md)", "```\nPSNR 24.1\n```", "§4.2 and 0.5 s"])
def test_what_is_no_result_is_left_alone(line):
    assert typed_figures(line) == []


def test_pages_and_notebooks_are_filled_where_the_book_is_bound(tmp_path):
    write_ledger(CLAIMS, (tmp_path / "results").mkdir() or tmp_path / "results" / "ledger.json")
    pages = tmp_path / "pages"
    (pages / "notebooks").mkdir(parents=True)
    (pages / "a.md").write_text("{claim}`a.psnr`\n")
    cells = [nbformat.v4.new_markdown_cell("{paper}`b.psnr`"), nbformat.v4.new_code_cell("'{paper}`b.psnr`'")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), pages / "notebooks" / "n.ipynb")
    fill_pages(pages, tmp_path)
    assert (pages / "a.md").read_text() == "25.00 dB [24.50, 25.50]\n"
    filled = nbformat.read(pages / "notebooks" / "n.ipynb", as_version=4).cells
    assert [cell.source for cell in filled] == ["1.5 dB", "'{paper}`b.psnr`'"]


def test_a_book_with_typed_figures_has_problems(tmp_path):
    for folder in ("results", "book", "notebooks/src"):
        (tmp_path / folder).mkdir(parents=True)
    assert problems(tmp_path) == []  # no results, and nothing drawn from them
    write_ledger(CLAIMS, tmp_path / "results" / "ledger.json")
    (tmp_path / "book" / "p.md").write_text("25.00 dB\n{claim}`c.psnr`")
    (tmp_path / "notebooks" / "src" / "n.py").write_text("# %% [markdown]\n# It is 25.00 dB.\n")
    assert [line.split(":")[0] for line in problems(tmp_path)] == [
        "book/p.md", "book/p.md prints a figure that is not drawn from the ledger",
        "notebooks/src/n.py prints a figure that is not drawn from the ledger"]


def test_every_number_of_this_book_is_in_its_ledger():
    assert problems(ROOT) == []


def test_every_claim_of_this_checkout_can_be_printed():
    printed = claims_table(claims=checkout_ledger())
    assert printed.count("\n") == 1 + len(checkout_ledger())
