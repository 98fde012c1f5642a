"""Past one machine: a host's one isolated process does bundle after bundle, bundles are dealt out as hosts come free."""

import os
import sys
import threading
from types import SimpleNamespace

import pytest

from puppetmaster_core import scale_out
from puppetmaster_core.curation.measure import CurationPlan
from puppetmaster_core.isolation import run_isolated
from puppetmaster_core.scale_out import AHEAD, JOBS, Host, ray_cluster, run_on_ray


def who(job):
    """The process that does a job; one job crashes, one fails."""
    if job == "crash":
        os.abort()
    if job == "fail":
        raise ValueError("no such asset")
    return os.getpid()


def test_a_host_starts_its_process_once():
    host = Host(who, 60.0)
    outcomes = [*host.do([1, 2]), *host.do([3]), *host.do([4, 5])]
    assert [o.job for o in outcomes] == [1, 2, 3, 4, 5]
    assert len({o.result for o in outcomes}) == 1 and outcomes[0].result != os.getpid()


def test_a_job_that_crashes_costs_itself_and_the_host_goes_on():
    host = Host(who, 60.0)
    outcomes = host.do([1, "crash", "fail", 2])
    assert [o.error for o in outcomes] == [None, "its process died (SIGABRT)", "no such asset", None]
    assert outcomes[0].result != outcomes[3].result and host.do([3])[0].result == outcomes[3].result


class FakeRay:
    """Ray without Ray: actors in this process; a method is done when it is waited for, the last one asked for first."""

    def __init__(self, cpus):
        self.cpus, self.hosts, self.asked, self.may_start = cpus, [], [], threading.Event()
        self.may_start.set()

    def cluster_resources(self):
        return {"CPU": self.cpus}

    def remote(self, **options):
        assert options["num_cpus"] == 1
        ray = self

        class Actor:
            def __init__(self, *arguments):
                self.done, self.host = [], Host(*arguments)
                ray.hosts.append(self)

            @property
            def do(self):
                return self

            def remote(self, jobs):
                self.done.append(jobs)
                ray.asked.append(len(jobs))
                return (id(self), len(self.done) - 1, self)

        def make(_):
            class Remote:
                remote = Actor

            return Remote

        return make

    def wait(self, waiting, num_returns):
        return [waiting[-1]], waiting[:-1]

    def get(self, reference):
        if isinstance(reference, list):
            return [self.get(one) for one in reference]
        _, number, actor = reference
        return actor.host.do(actor.done[number])


@pytest.fixture
def ray(monkeypatch):
    from contextlib import contextmanager

    fake = FakeRay(3.0)

    @contextmanager
    def cluster(workers, address):
        fake.joined = (workers, address)
        fake.may_start.wait()
        yield fake

    class Seen(scale_out._Cluster):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            fake.cluster = self

    monkeypatch.setattr(scale_out, "_Cluster", Seen)
    monkeypatch.setattr(scale_out, "ray_cluster", cluster)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return fake


@pytest.mark.parametrize("count", [1, JOBS, 4 * JOBS * AHEAD + 3])
def test_every_job_is_done_once_and_nobody_gets_more_than_a_bundle(ray, count):
    outcomes = list(run_on_ray(who, range(count), time_limit=60.0, address="head:6379"))
    assert sorted(o.job for o in outcomes) == list(range(count))
    assert ray.joined == (None, "head:6379") and len(ray.hosts) == 3  # as many as the cluster has processors
    assert max(ray.asked) <= JOBS and sum(ray.asked) == count
    assert len({o.result for o in outcomes}) <= 3


@pytest.mark.parametrize("local", [3, 40])
def test_until_a_cluster_of_our_own_is_there_this_machine_does_the_work(ray, local):
    """It starts after `local` of 40 jobs; nothing is done twice, and what is left then goes to the hosts."""
    ray.may_start.clear()
    outcomes = []
    for outcome in run_on_ray(who, range(40), workers=2, time_limit=60.0):
        outcomes.append(outcome)
        if len(outcomes) == local:
            ray.may_start.set()
            ray.cluster.ready.wait()
    assert sorted(o.job for o in outcomes) == list(range(40))
    first = {o.result for o in outcomes[:local]}
    assert len(first) <= 2 and ray.joined == (2, None)
    assert 40 - local - 2 <= sum(ray.asked) <= 40 - local  # at most two were at work here
    assert first.isdisjoint(o.result for o in outcomes[len(outcomes) - sum(ray.asked):])


def test_a_cluster_that_does_not_come_is_an_error(ray, monkeypatch):
    def fails(*_):
        raise ConnectionError("Ray cannot start on this machine")

    monkeypatch.setattr(scale_out, "ray_cluster", fails)
    with pytest.raises(ConnectionError, match="cannot start"):
        list(run_on_ray(who, range(40), workers=1, time_limit=60.0))
    with pytest.raises(ConnectionError, match="cannot start"):
        list(run_on_ray(who, range(40), address="head:1"))


def test_a_cluster_that_fails_when_all_is_done_here_is_no_error(ray, monkeypatch):
    """Ray may need a minute to find that it cannot start: what needed no cluster by then is not lost."""
    done = threading.Event()

    def fails(*_):
        done.wait(60)
        raise ConnectionError("Ray cannot start on this machine")

    monkeypatch.setattr(scale_out, "ray_cluster", fails)
    outcomes = []
    for outcome in run_on_ray(who, range(4), workers=1, time_limit=60.0):
        outcomes.append(outcome)
        if len(outcomes) == 4:
            done.set()
    assert sorted(o.job for o in outcomes) == list(range(4))


def test_nothing_to_do_starts_no_cluster(ray):
    assert list(run_on_ray(who, [])) == [] and not hasattr(ray, "joined")


def test_a_cluster_that_cannot_start_is_one_line(monkeypatch):
    def init(**_):
        raise Exception("The current node\ntimed out")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    ended = []
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init, shutdown=lambda: ended.append(True)))
    for address, line in ((None, "cannot start on this machine"), ("head:1", "cannot join the cluster at head:1")):
        with pytest.raises(ConnectionError, match=line) as caught, ray_cluster(2, address):
            pass
        assert "\n" not in str(caught.value)
    assert len(ended) == 2


def test_an_address_is_joined_and_a_cluster_of_our_own_has_as_many_processors_as_asked(monkeypatch):
    asked, ended = [], []
    fake = SimpleNamespace(init=lambda **options: asked.append(options), shutdown=lambda: ended.append(True))
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with ray_cluster(3, "head:6379") as ray:
        assert ray is fake and not ended
    with ray_cluster(3):
        pass
    monkeypatch.setenv("RAY_ADDRESS", "other:1")
    with ray_cluster(3):
        pass
    assert [options.get("address") for options in asked] == ["head:6379", None, "other:1"]
    assert [options.get("num_cpus") for options in asked] == [None, 3, None] and len(ended) == 3


def test_what_is_noted_already_is_not_measured_again(tmp_path, monkeypatch):
    """A host was lost between noting an asset and saying so: its bundle comes again."""
    from puppetmaster_core.clips.sources import find_source
    from puppetmaster_core.curation import production

    plan = CurationPlan(find_source("library:bad", 1), 1)
    first = production._measure(str(tmp_path), plan, 0)
    monkeypatch.setattr(production, "measure_asset", lambda *_: pytest.fail("measured again"))
    assert production._measure(str(tmp_path), plan, 0) == first


def test_memory_is_that_of_the_process_itself():
    """Linux passes its parent's most memory on to a new process: this one holds 300 MB and more, its child does not."""
    held = bytearray(os.urandom(1)) * 300_000_000
    [outcome] = run_isolated(who, [1], workers=1)
    assert 5 < outcome.memory_mb < 250 and len(held) == 300_000_000
