"""How long one epoch takes: the course's ways, its peers, and the floor.

All competitors take turns within one run, so that other programs on the machine
slow all of them alike. Compare the ratios of a run, not its seconds with another's.

    python benchmarks/epoch.py --json epoch.json
"""

import math
import statistics

import measuring

LOSSES_DIFFER = 0.05  # in nats; shuffling alone makes some hundredths
ONLY = {"nargs": "+", "metavar": "NAME", "help": "some of the competitors"}
SIZES = {"units": [512], "batch_size": 128, "examples": 60_000}


def prepare(work, names):
    """Return competitors that are installed, ready to run, and the missing ones."""
    from competitors import COMPETITORS

    unknown = {*(names or [])} - {*COMPETITORS}
    if unknown:
        known = "\n  ".join(COMPETITORS)
        raise SystemExit(f"No competitor {sorted(unknown)}. There are:\n  {known}")
    ready, missing = {}, {}
    for name in names or COMPETITORS:
        try:
            ready[name] = COMPETITORS[name](work)
        except ImportError as error:
            missing[name] = error.name
    return ready, missing


def measure(ready, rounds):
    """Run everyone once to warm up, then in turns; return times and losses."""
    bar = measuring.progress((rounds + 1) * len(ready), "epoch")
    first, times, losses = {}, {name: [] for name in ready}, {}
    for turn in range(rounds + 1):
        for name, epoch in ready.items():
            taken, loss = measuring.seconds(epoch)
            if turn == 0:
                first[name] = taken
            else:
                times[name].append(taken)
            losses.setdefault(name, []).append(loss)
            bar.add(1)
    return first, times, losses


def check_losses(losses) -> None:
    """Raise if someone's losses do not fall as those of the others do."""
    curves = {name: curve for name, curve in losses.items() if curve[0] is not None}
    middle = [statistics.median(turn) for turn in zip(*curves.values(), strict=True)]
    for name, curve in curves.items():
        for turn, (loss, expected) in enumerate(zip(curve, middle, strict=True)):
            if not abs(loss - expected) <= LOSSES_DIFFER:
                raise SystemExit(
                    f"{name} does not do the same work: its loss in epoch {turn} is "
                    f"{loss:.3f}, the others' {expected:.3f}"
                )


def tabulate(first, times):
    """Return a row for each competitor: its times, and ratios within each round."""
    floors = [name for name in times if name.startswith("products")]
    medians = {
        name: measuring.summary(taken)["median"] for name, taken in times.items()
    }
    floor = min((medians[name] for name in floors), default=None)
    return {
        name: {
            **measuring.summary(taken),
            "first": first[name],
            "to_floor": medians[name] / floor if floor else None,
        }
        for name, taken in times.items()
    }


def print_table(rows) -> None:
    """Print Markdown, the fastest first; the ratio is to the fastest of the floors."""
    heads = ("median (s)", "from", "to", "first", "ratio")
    print(f"\n| {'one epoch':32} |", *(f"{head:>10} |" for head in heads))
    print(f"| {'-' * 32} |", *["---------: |"] * len(heads))
    for name, row in sorted(rows.items(), key=lambda item: item[1]["median"]):
        keys = ("median", "least", "largest", "first", "to_floor")
        values = [row[key] or math.nan for key in keys]
        print(f"| {name:32} |", *(f"{value:10.2f} |" for value in values))


def main() -> None:
    """Measure, print, and write what was asked for."""
    options = SIZES | {"rounds": 7, "threads": None}
    settings = measuring.parse(__doc__, ("--only", ONLY), **options)
    from competitors import Work

    data = measuring.load(settings.examples)[:2]
    work = Work(*data, tuple(settings.units), settings.batch_size)
    machine = measuring.describe_machine()
    measuring.print_machine(machine)
    ready, missing = prepare(work, settings.only)
    for name, package in missing.items():
        print(f"left out: {name}, since {package} is not installed")
    first, times, losses = measure(ready, settings.rounds)
    check_losses(losses)
    rows = tabulate(first, times)
    print_table(rows)
    results = {"machine": machine, "settings": vars(settings), "epochs": rows}
    measuring.write_json(settings.json, results)


if __name__ == "__main__":
    main()
