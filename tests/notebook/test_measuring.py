import io
import json

import pytest

from mnist_lib import start_workers
from mnist_lib.notebook.measuring import time_calls


def test_the_calls_in_which_tensorflow_compiles_do_not_count():
    calls = []
    seconds = time_calls(lambda number: calls.append(number) or number, 7)
    assert calls == [7] * 8
    assert len(seconds) == 5 and min(seconds) > 0


@pytest.mark.slow
@pytest.mark.integration
def test_worker_0_tells_what_steps_and_sums_take_alone_and_together():
    program = ["-m", "mnist_lib.notebook.measuring"]
    lines = start_workers(program, 2, out=io.StringIO())
    alone, together = json.loads(lines[0][-1])
    assert alone.keys() == together.keys()
    assert {"128", "4096", "sum of 1", "sum of 407050"} <= alone.keys()
    assert all(len(times) == 5 for times in [*alone.values(), *together.values()])
