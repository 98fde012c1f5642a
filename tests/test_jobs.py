"""Shards of work: done or not, never half; one kill costs one shard; a folder belongs to one plan; the same over Ray."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from puppetmaster_core.files import write_json
from puppetmaster_core.jobs import JobError, alone, is_done, parts, run_shards, settle


@dataclass(frozen=True)
class Squares:
    """Ten numbers in shards of four; a shard is two files, its squares and its failures."""

    folder: Path
    bad: tuple[int, ...] = ()  # numbers that fail
    slow: tuple[int, ...] = ()  # numbers that never end

    def items(self, shard):
        return parts(10, 4)[shard]

    def do(self, number):
        if number in self.bad:
            raise ValueError(f"{number} is bad")
        if number in self.slow:
            time.sleep(600)
        return number**2

    def failed(self, outcome):
        return outcome.error

    def files(self, shard):
        return self.folder / f"squares-{shard}.json", self.folder / f"failures-{shard}.json"

    def write(self, shard, records):
        squares, failures = self.files(shard)
        write_json(squares, [record for record in records if isinstance(record, int)])
        write_json(failures, [record for record in records if isinstance(record, str)])


def contents(folder):
    return {path.name: json.loads(path.read_text()) for path in folder.iterdir()}


WHOLE = {"squares-0.json": [0, 1, 4, 9], "squares-1.json": [16, 25, 36, 49], "squares-2.json": [64, 81],
         **{f"failures-{shard}.json": [] for shard in range(3)}}


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_item_once_and_files_in_the_items_order(tmp_path, workers):
    outcomes = list(run_shards(Squares(tmp_path), range(3), workers=workers))
    assert sorted(outcome.job for outcome in outcomes) == list(range(10)) and contents(tmp_path) == WHOLE


def test_what_fails_or_hangs_costs_itself_and_is_on_record(tmp_path):
    list(run_shards(Squares(tmp_path, bad=(1,), slow=(6,)), range(3), workers=2, time_limit=2.0))
    assert contents(tmp_path) == WHOLE | {"squares-0.json": [0, 4, 9], "failures-0.json": ["1 is bad"],
                                          "squares-1.json": [16, 25, 49], "failures-1.json": ["took longer than 2 s"]}


@pytest.mark.parametrize("stopped_at", range(1, 10))
def test_a_run_that_is_stopped_anywhere_loses_the_shard_in_hand_and_no_more(tmp_path, stopped_at):
    job = Squares(tmp_path)
    stream = run_shards(job, range(3), workers=0)
    for _ in range(stopped_at):
        next(stream)
    stream.close()
    missing = [shard for shard in range(3) if not is_done(job, shard)]
    assert missing == list(range((stopped_at - 1) // 4, 3))
    assert len(list(run_shards(job, missing, workers=0))) == sum(len(job.items(shard)) for shard in missing)
    assert contents(tmp_path) == WHOLE


def test_a_kill_between_a_shards_files_leaves_it_to_be_done(tmp_path, monkeypatch):
    """Also of one that was done before: the old file that says so must not be taken for the new one's."""
    job = Squares(tmp_path)
    list(run_shards(job, range(3), workers=0))
    monkeypatch.setattr("test_jobs.write_json", lambda path, value: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        list(run_shards(job, [1], workers=0))
    monkeypatch.undo()
    (tmp_path / ".squares-1.json.7-0.partial").write_text("half")
    assert [is_done(job, shard) for shard in range(3)] == [True, False, True]
    list(run_shards(job, [1], workers=0))
    assert contents(tmp_path) == WHOLE


def test_a_folder_belongs_to_one_plan_and_one_process(tmp_path):
    plan = {"names": ["a", "b"], "how": {"size": 16}}
    for _ in range(2):
        settle(tmp_path / "run", plan)
    for other, line in (({**plan, "how": {"size": 32}}, "got size 32, was made with 16"),
                        ({**plan, "names": ["a", "c"]}, "was made from other files under names")):
        with pytest.raises(JobError, match=line):
            settle(tmp_path / "run", other)
    with alone(tmp_path / "run" / "plan.json"), pytest.raises(JobError, match="another run is at work here"), \
            alone(tmp_path / "run" / "plan.json"):
        pass
    with pytest.raises(JobError, match="something else is there"):
        settle(tmp_path, plan)
    (tmp_path / "run" / "plan.json").write_text("{")
    with pytest.raises(JobError, match="cannot be read"):
        settle(tmp_path / "run", plan)


# ---- Ray, or what stands for it ------------------------------------------------------------------------------------------


class FakeRay:
    """Ray without Ray: a task is done when it is waited for, the last one given first."""

    def __init__(self):
        self.options, self.most, self.ended = [], 0, 0

    def init(self, **options):
        self.options.append(options)

    def shutdown(self):
        self.ended += 1

    def cluster_resources(self):
        return {"CPU": 2.0}

    def remote(self, **_):
        return lambda task: SimpleNamespace(remote=lambda *arguments: (task, arguments))

    def wait(self, waiting, num_returns):
        self.most = max(self.most, len(waiting))
        return [waiting[-1]], waiting[:-1]

    def get(self, given):
        task, arguments = given
        return task(*arguments)


@pytest.fixture
def ray(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))  # a worker of Ray's has a main file of its own
    monkeypatch.setitem(sys.modules, "ray", fake := FakeRay())
    return fake


def test_over_ray_each_shard_is_done_once_and_not_all_are_given_at_once(ray, tmp_path):
    outcomes = list(run_shards(Squares(tmp_path, bad=(5,)), range(3), engine="ray", time_limit=60.0))
    assert sorted(outcome.job for outcome in outcomes) == list(range(10)) and (ray.most, ray.ended) == (2, 1)
    assert contents(tmp_path) == WHOLE | {"squares-1.json": [16, 36, 49], "failures-1.json": ["5 is bad"]}


def test_nothing_to_do_starts_no_cluster(ray, tmp_path):
    assert list(run_shards(Squares(tmp_path), [], engine="ray")) == [] and not ray.options
