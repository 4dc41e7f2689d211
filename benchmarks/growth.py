"""How the cost of an epoch grows: with the batch, the layer, and fewer threads.

Every measurement is a process of its own, so that its threads and its peak of
memory are its own too.

    python benchmarks/growth.py --json growth.json --figure growth.png
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import measuring

NAMES = ["graph of an epoch, XLA", "Keras fit, 50 steps", "PyTorch eager"]
BATCH_SIZES = [32, 128, 512, 4096]
UNITS = [128, 512, 1024, 4096]


def parse_arguments(arguments=None):
    """Return the settings, or explain what is wrong with them, and leave."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each")
    parser.add_argument("--examples", type=int, default=60_000)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=BATCH_SIZES)
    parser.add_argument("--units", type=int, nargs="+", default=UNITS)
    parser.add_argument("--only", nargs="+", metavar="NAME", default=NAMES)
    parser.add_argument("--json", metavar="FILE", help="write results; - is the screen")
    parser.add_argument("--figure", metavar="FILE", help="draw them, as .png or .svg")
    settings = parser.parse_args(arguments)
    measuring.check_options(parser, settings)
    if len(settings.only) > 4:
        parser.error("--only takes up to four names")
    return settings


def plan(settings):
    """Return the settings of each process, as arguments of epoch.py."""
    every_thread = measuring.count_threads()
    usual = {"batch-size": 128, "units": 512, "threads": every_thread}
    plans = [usual | {"batch-size": size} for size in settings.batch_sizes]
    plans += [usual | {"units": units} for units in settings.units]
    plans += [usual | {"threads": threads} for threads in range(1, every_thread + 1)]
    different = {tuple(each.items()): each for each in plans}
    return [
        each | {"only": name} for name in settings.only for each in different.values()
    ]


def measure(settings, changes):
    """Run epoch.py on its own; return the seconds of an epoch and the peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "epoch.json")
        changes = changes | {"rounds": settings.rounds, "examples": settings.examples}
        options = [
            str(part) for key, value in changes.items() for part in (f"--{key}", value)
        ]
        command = [sys.executable, Path(__file__).with_name("epoch.py"), *options]
        done = subprocess.run(
            [*command, "--json", report], capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(
                f"epoch.py {' '.join(options)} failed:\n{done.stderr[-2000:]}"
            )
        results = json.loads(report.read_text())
    if not results["epochs"]:
        return None
    (row,) = results["epochs"].values()
    return {"seconds": row["median"], "peak_megabytes": results["peak_megabytes"]}


def main(arguments=None) -> list[dict]:
    """Measure, print, and write what was asked for."""
    settings = parse_arguments(arguments)
    machine = measuring.describe_machine()
    measuring.print_machine(machine)
    plans, rows = plan(settings), []
    bar = measuring.progress(len(plans), "process")
    for changes in plans:
        measured = measure(settings, changes)
        rows += [changes | measured] if measured else []
        bar.add(1)
    heads = ("batch", "units", "threads", "seconds", "megabytes")
    print(f"{'one epoch':28}", *(f"{head:>9}" for head in heads))
    for row in rows:
        sizes = [f"{row[key]:9}" for key in ("batch-size", "units", "threads")]
        figures = [f"{row['seconds']:9.2f}", f"{row['peak_megabytes']:9,.0f}"]
        print(f"{row['only']:28}", *sizes, *figures)
    if settings.json:
        measuring.write_json(settings.json, {"machine": machine, "rows": rows})
    if settings.figure and rows:
        draw(rows, settings.figure)
    return rows


def draw(rows, path) -> None:
    """Draw how the seconds grow with the neurons of the hidden layer."""
    from mnist_lib import plot_curves

    curves = {}
    for name in dict.fromkeys(row["only"] for row in rows):
        points = sorted(
            (row["units"], row["seconds"])
            for row in rows
            if row["only"] == name
            and row["batch-size"] == 128
            and row["threads"] == measuring.count_threads()
        )
        curves[name] = tuple(zip(*points, strict=True))
    label = "seconds for one epoch"
    figure = plot_curves(curves, "hidden neurons", label, xscale="log", yscale="log")
    figure.savefig(path, dpi=200)


if __name__ == "__main__":
    main()
