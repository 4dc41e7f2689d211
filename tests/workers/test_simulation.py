import numpy as np
import pytest

from mnist_lib import Costs, all_reduce_seconds, simulate_steps

COSTS = Costs(fixed=1.0, per_example=0.5, jitter=0.0, latency=0.25, bandwidth=8.0)


def test_a_ring_of_four_worked_by_hand():
    # 6 rounds; in each a quarter of 32 bytes, 1 s, and 0.25 s until it arrives.
    assert all_reduce_seconds(4, 32, COSTS) == 6 * 1.25


def test_one_worker_exchanges_nothing():
    assert all_reduce_seconds(1, 32, COSTS) == 0
    computing, steps = simulate_steps(1, 10, 32, COSTS, steps=3)
    assert computing.shape == (3, 1) and steps.shape == (3,)
    assert np.all(steps == 6.0)  # 1 + 10 / 2


def test_without_jitter_a_step_is_the_share_and_the_exchange():
    computing, steps = simulate_steps(4, 8, 32, COSTS, steps=2)
    assert computing.shape == (2, 4) and np.all(computing == 2.0)
    assert np.all(steps == 2.0 + 7.5)


def test_a_step_waits_for_the_slowest_worker():
    costs = COSTS._replace(jitter=0.5)
    computing, steps = simulate_steps(4, 8, 32, costs)
    assert np.array_equal(steps, computing.max(axis=1) + 7.5)
    assert np.median(computing) == pytest.approx(2.0, rel=0.05)
    assert np.std(np.log(computing)) == pytest.approx(0.5, rel=0.05)


def test_the_seed_and_the_number_of_steps_count():
    costs = COSTS._replace(jitter=0.5)
    once, again = (simulate_steps(2, 8, 32, costs, steps=5, seed=1) for _ in range(2))
    other = simulate_steps(2, 8, 32, costs, steps=5, seed=2)
    assert np.array_equal(once[0], again[0]) and len(once[1]) == 5
    assert not np.array_equal(once[0], other[0])


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"batch_size": 0}])
def test_bad_numbers_are_named(wrong):
    arguments = {"workers": 2, "batch_size": 8, "size": 32, "costs": COSTS, **wrong}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        simulate_steps(**arguments)
