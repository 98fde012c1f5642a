"""The judge on this machine: real classes of transformers with a few thousand weights, made here, without a network."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
from tiny_eyes import NO, YES, save_idefics3, save_qwen2_vl, teach

from puppetmaster_core.cli import main
from puppetmaster_core.curation.judge import PROMPT, JudgeError
from puppetmaster_core.curation.judging import Judging, Price
from puppetmaster_core.curation.local_judge import LocalJudge, inputs_for
from puppetmaster_core.curation.pictures import to_png


def pictures(*levels):
    return [to_png(np.full((24, 24, 3), level, np.uint8)) for level in levels]


BRIGHT, DARK = pictures(255, 250, 255, 240), pictures(0, 10, 0, 5)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A folder with a model that calls bright pictures realistic and dark ones not."""
    folder = tmp_path_factory.mktemp("eyes") / "tiny-eyes"
    folder.mkdir()
    save_idefics3(folder)
    judge = LocalJudge.load(folder, "cpu")
    teach(judge, [(BRIGHT, YES), (DARK, NO)])
    judge.network.save_pretrained(folder)
    return folder


def test_the_pictures_decide_and_the_answer_is_parsed_as_a_servers(fitted):
    judge = LocalJudge.load(fitted, "cpu")
    reply = judge.ask(BRIGHT)
    assert (reply.answer.realistic, reply.answer.reason) == (True, "a lid opens")
    assert judge.ask(DARK).answer.realistic is False
    assert reply.tokens_out == 2 and reply.tries == 1
    assert reply.tokens_in == inputs_for(judge.processor, BRIGHT)["input_ids"].shape[1] > len(PROMPT)


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is here")
def test_a_processor_that_wants_torchvision_is_one_line(tmp_path):
    """Qwen2-VL's, which reads videos too."""
    save_qwen2_vl(tmp_path)
    with pytest.raises(JudgeError, match=r"no vision-language model can be had from there .*[Tt]orchvision") as caught:
        LocalJudge.load(tmp_path, "cpu")
    assert "\n" not in str(caught.value)


def test_answers_are_kept_by_the_models_files(fitted, tmp_path):
    """The same folder again asks nothing; other weights under the same name are another judge."""
    judge = LocalJudge.load(fitted, "cpu")
    strip = tmp_path / "000000-000.png"
    strip.write_bytes(to_png(np.full((24, 96, 3), 255, np.uint8)))
    judging = Judging(tmp_path, judge, Price(1, 1))
    judging.ask([strip])
    again = LocalJudge.load(fitted, "cpu")
    assert again.model == judge.model and judge.model.startswith("tiny-eyes@")
    assert judging.answer(strip)["realistic"] is True and judging.bill()["answers"] == 1
    object.__setattr__(again, "network", None)  # cannot be asked
    Judging(tmp_path, again).ask([strip])
    other = tmp_path / "tiny-eyes"
    other.mkdir()
    save_idefics3(other, seed=5)
    assert LocalJudge.load(other, "cpu").model.partition("@")[0] == "tiny-eyes"
    assert Judging(tmp_path, LocalJudge.load(other, "cpu")).answer(strip) is None


@pytest.mark.parametrize(("damage", "line"), [
    (lambda folder: (folder / "model.safetensors").write_bytes(b"no tensors"), "no vision-language model"),
    (lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"), "no vision-language model"),
    (lambda folder: (folder / "config.json").write_text('{"model_type": "llama"}'), "no vision-language model"),
    (lambda folder: (folder / "chat_template.jinja").unlink(), "no chat template"),
], ids=["damaged", "a pickle", "blind", "no template"])
def test_models_that_cannot_be_used_are_one_line(tmp_path, damage, line):
    save_idefics3(tmp_path)
    damage(tmp_path)
    with pytest.raises(JudgeError, match=line) as caught:
        LocalJudge.load(tmp_path, "cpu")
    assert "\n" not in str(caught.value)


def test_the_command_asks_the_model_of_a_folder(fitted, tmp_path, capsys):
    """Pictures of our furniture are mostly white: realistic. Nothing is asked twice."""
    words = ["curate", "library:furniture", "--count", "2", "--output", str(tmp_path / "run"), "--judge-model", str(fitted),
             "--workers", "1", "--json"]
    assert main(words) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["judge"]["model"].startswith("tiny-eyes@") and report["judge"]["answers"] == 2
    assert report["funnel"]["judge"]["in"] == 2 and report["funnel"]["judge"]["no usable answer"] == 0
    answers = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run" / "answers").iterdir()}
    assert main(words) == 0
    assert answers == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run" / "answers").iterdir()}
