"""Does a second worker pay? Steps of 1, 2, ... workers, measured and predicted.

Each worker is a process that may use one processor. The times of one worker and the
all-reduces of two give the costs; from these, steps of all sizes are predicted.

    python benchmarks/scaling.py --json scaling.json
"""

import io
import json
import os
import sys
from pathlib import Path

import measuring
import numpy as np

GRADIENTS = 407_050  # numbers
BATCH_SIZES = [128, 512, 2048, 8192]
BEYOND = [1, 2, 4, 8, 16, 64, 256, 1024]
# Seconds and bytes per second: usual figures of a network in a data center.
DATA_CENTER = {"latency": 20e-6, "bandwidth": 3e9}


def run_worker(settings) -> None:
    """Measure steps and all-reduces, and print the seconds of each as JSON."""
    import tensorflow as tf

    from mnist_lib import join_cluster
    from mnist_lib.notebook.measuring import time_steps_and_sums

    tf.config.threading.set_intra_op_parallelism_threads(1)
    sizes = settings.batch_sizes, settings.rounds
    print(json.dumps(time_steps_and_sums(join_cluster(), *sizes)))


def costs_of(times, batch_sizes):
    """Fit the costs of the simulation to the times of one and of two workers."""
    from mnist_lib import Costs

    one = [np.median(times[1][str(size)]) for size in batch_sizes]
    per_example, fixed = np.polyfit(batch_sizes, one, 1)
    jitter = np.mean([np.std(np.log(times[1][str(size)])) for size in batch_sizes])
    little, much = (np.median(times[2][f"sum of {n}"]) for n in (1, GRADIENTS))
    bandwidth = 4 * GRADIENTS / max(much - little, 1e-6)
    return Costs(max(fixed, 0.0), per_example, float(jitter), little / 2, bandwidth)


def main() -> None:
    """Measure, predict, print, and write what was asked for."""
    from mnist_lib import simulate_steps, start_workers

    defaults = {"rounds": 30, "workers": 2, "batch_sizes": BATCH_SIZES}
    settings = measuring.parse(__doc__, **defaults)
    if settings.workers < 2 or len(settings.batch_sizes) < 2:
        raise SystemExit("at least 2 workers and 2 batch sizes are needed")
    if "TF_CONFIG" in os.environ:
        return run_worker(settings)
    machine = measuring.describe_machine()
    measuring.print_machine(machine)
    program, times = [str(Path(__file__)), *sys.argv[1:]], {}
    for count in range(1, settings.workers + 1):
        lines = start_workers(program, count, out=io.StringIO())
        times[count] = json.loads(lines[0][-1])
    costs = costs_of(times, settings.batch_sizes)
    print(*(f"{name} {value:.3g}," for name, value in costs._asdict().items()))

    def predicted(count, size, costs=costs):
        return float(np.median(simulate_steps(count, size, 4 * GRADIENTS, costs)[1]))

    rows, head = [], ("workers", "batch", "ms", "times", "predicted")
    print("measured here:", *(f"{name:>9}" for name in head))
    for count in times:
        for size in settings.batch_sizes:
            own, one = (np.median(times[n][str(size)]) for n in (count, 1))
            guess = predicted(1, size) / predicted(count, size)
            row = dict(
                zip(head, (count, size, 1000 * own, one / own, guess), strict=True)
            )
            rows.append(row)
            print(" " * 14, *(f"{value:9.4g}" for value in row.values()))
    beyond, center = [], costs._replace(**DATA_CENTER)
    print("predicted, times as fast as one worker, in a data center:")
    print("  workers, batch of 8192, 512 for each worker")
    for count in BEYOND:
        fixed = predicted(1, 8192, center) / predicted(count, 8192, center)
        growing = (
            count * predicted(1, 512, center) / predicted(count, 512 * count, center)
        )
        beyond.append({"workers": count, "fixed": fixed, "growing": growing})
        print(f"{count:9} {fixed:9.1f} {growing:9.1f}")
    results = {"machine": machine, "costs": costs._asdict()}
    results |= {"rows": rows, "beyond": beyond, "seconds": times}
    measuring.write_json(settings.json, results)


if __name__ == "__main__":
    main()
