"""Stand-in digits: what the course runs on when the real MNIST cannot be had.

A classroom without network should still see every chapter work. So here the strokes
of a pen are bent a little differently each time and inked into 28 x 28 pixels. The
pictures look like MNIST's and are about as hard to read, but they are not MNIST.
"""

import numpy as np

from mnist_lib.checks import arguments as checks

__all__ = ["make_stand_in"]

# MNIST's own numbers of zeros, ones, twos, ... in its training and test digits.
_TRAIN_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
_TEST_COUNTS = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)

# Ways of writing each digit, "|" between them. The pen goes from point to point, "/"
# lifts it. Point 38 is 3 ninths of the way to the right and 8 ninths down.
_STROKES = """\
0: 60 31 13 16 38 59 78 86 83 71 50 | 61 40 22 15 18 39 58 76 73 61 50 42
0: 60 32 15 18 39 68 85 82 60 | 81 50 22 05 18 49 78 94 82 60 32
1: 50 53 56 59 | 60 53 46 39 | 70 53 36 19 | 50 54 59 | 32 50 / 50 53 56 59
1: 32 50 / 50 53 56 59 / 19 59 89
2: 12 30 60 82 74 46 19 / 19 49 79 99 | 12 40 61 63 46 28 08 17 37 68 98
2: 22 40 60 72 64 46 19 / 19 38 68 89 | 22 50 71 73 56 38 19 17 46 68 89
3: 11 40 70 72 54 34 / 34 64 86 68 49 19 07 | 21 40 71 63 44 / 44 74 87 69 39 18
3: 10 40 80 / 80 62 44 / 44 75 77 59 28 08 | 21 50 72 63 44 33 44 65 77 59 38 17
4: 20 13 16 / 16 45 95 / 70 73 76 79 | 60 33 06 / 06 36 66 96 / 60 63 66 69
4: 20 14 25 55 73 80 / 80 73 66 59 | 40 23 15 / 15 45 84 / 80 63 56 49
5: 80 50 20 / 20 14 / 14 44 75 77 59 29 08 | 90 60 30 21 23 44 66 78 59 28 07
5: 30 14 / 14 44 65 77 59 29 08 / 30 60 90 | 90 60 31 23 / 23 53 65 67 38 08
6: 60 33 16 28 49 69 87 75 55 27 | 40 23 16 28 49 68 76 65 45 27
6: 71 40 23 16 18 49 78 76 55 36 28 | 30 23 16 18 49 78 86 65 47 49
7: 11 41 81 / 80 63 46 39 | 13 11 41 80 / 80 63 56 49 | 11 40 70 82 65 47 39
7: 11 41 81 / 81 63 46 39 / 25 55 85 | 12 40 71 73 66 59
8: 71 40 21 23 54 76 78 59 38 26 44 72 71 | 50 31 23 44 63 71 50 / 44 26 28 49 68 76 54
8: 81 50 32 43 65 67 49 27 36 54 72 81 | 91 60 32 43 65 67 49 27 46 64 92
9: 72 50 31 23 44 63 72 / 71 74 76 79 | 72 60 31 23 34 63 72 76 58 39
9: 71 50 32 34 54 72 73 67 49 28 | 60 30 22 34 53 62 60 / 62 64 56 49"""


def make_stand_in(
    train_size: int = 60_000, test_size: int = 10_000, seed: int = 0
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Draw digits with random pen strokes, to stand in for MNIST where it is missing.

    Args:
        train_size: Number of training digits, at least 1.
        test_size: Number of test digits, at least 1, drawn apart from the others.
        seed: Integer, at least 0. The same seed and sizes give the same digits.

    Returns:
        ``(train_images, train_labels), (test_images, test_labels)``, all ``uint8``,
        with images (n, 28, 28) from 0 (paper) to 255 (ink), labels (n,) from 0 to 9 in
        random order, each digit with the share that it has in MNIST.

    Raises:
        TypeError: If a size or the seed is not an integer.
        ValueError: If a size is below 1 or the seed below 0.
    """
    checks.check_positive_integer("train_size", train_size)
    checks.check_positive_integer("test_size", test_size)
    checks.check_seed(seed, may_be_none=False)
    train = _draw_set(train_size, _TRAIN_COUNTS, np.random.default_rng([seed, 0]))
    return train, _draw_set(test_size, _TEST_COUNTS, np.random.default_rng([seed, 1]))


def _class_counts(size, shares):
    counts, cut_off = np.divmod(size * np.array(shares), sum(shares))
    # Rounding down leaves a few digits over: they go where most was cut off.
    counts[np.argsort(-cut_off, kind="stable")[: size - counts.sum()]] += 1
    return counts


def _draw_set(size, shares, rng):
    labels = np.repeat(np.arange(10, dtype=np.uint8), _class_counts(size, shares))
    rng.shuffle(labels)
    images = np.zeros((size, 28, 28), np.uint8)
    for digit in range(10):
        texts = [line[3:] for line in _STROKES.splitlines() if line[0] == str(digit)]
        ways = " | ".join(texts).split(" | ")
        way_of_each = rng.integers(len(ways), size=size)
        for i, strokes in enumerate(ways):
            chosen = np.flatnonzero((labels == digit) & (way_of_each == i))
            for first in range(0, len(chosen), 500):  # in parts, to spare memory
                part = chosen[first : first + 500]
                images[part] = _ink(*_fit(_write(strokes, len(part), rng), rng))
    return images, labels


def _write(strokes, count, rng):
    """Write a digit ``count`` times: points along its curves, (count, n, 7, 2)."""
    strokes = [[[int(x), int(y)] for x, y in s.split()] for s in strokes.split("/")]
    ends = np.cumsum([len(stroke) for stroke in strokes])[:-1]
    x, y = np.concatenate(strokes).T / 9 - 0.5
    # Each hand bends all points by a quadratic map of its own (stretch, slant, bow).
    terms = np.stack([x, y, x * x, x * y, y * y], axis=1)
    strength = np.array([0.15, 0.15, 0.3, 0.3, 0.3])[:, None]
    weights = strength * rng.normal(size=(count, 5, 2)).clip(-2, 2)
    weights[:, :2] += np.eye(2)
    weights[:, 1, 0] -= rng.normal(0.12, 0.22, size=count)  # most hands lean right
    points = terms @ weights + rng.normal(0, 0.033, size=(count, len(x), 2))
    return np.concatenate([_smooth(s) for s in np.split(points, ends, axis=1)], axis=1)


def _smooth(stroke):
    """Lay a Catmull-Rom spline through a stroke, 7 points from each to the next."""
    padded = np.concatenate([stroke[:, :1], stroke, stroke[:, -1:]], axis=1)[:, :, None]
    before, start = padded[:, :-3], padded[:, 1:-2]
    end, after = padded[:, 2:-1], padded[:, 3:]
    t = np.linspace(0, 1, 7)[:, None]
    cubic = 3 * start - before - 3 * end + after
    square = 2 * before - 5 * start + 4 * end - after
    return start + t / 2 * (end - before + t * (square + t * cubic))


def _fit(curves, rng):
    """Scale and center written digits as MNIST's are, and give each a pen."""
    count = len(curves)
    middles = (curves[:, :, 1:] + curves[:, :, :-1]).reshape(count, -1, 2) / 2
    steps = np.diff(curves, axis=2).reshape(count, -1, 2)
    lengths = np.linalg.norm(steps, axis=2, keepdims=True)
    pen = rng.lognormal(-2.57, 0.25, size=(count, 1, 1))  # half the width of its line
    reach = pen * np.abs(steps[..., ::-1]) / lengths  # ink spreads across the line
    low = (middles - reach).min(axis=1, keepdims=True)
    high = (middles + reach).max(axis=1, keepdims=True)
    room = rng.uniform(18.4, 18.8, size=(count, 1, 1))  # 20 with its soft edges
    scale = room / (high - low).max(axis=2, keepdims=True)
    mass = (middles * lengths).sum(1, keepdims=True) / lengths.sum(1, keepdims=True)
    # The center of mass belongs at (14, 14), but no ink on the picture's border.
    shift = np.clip(14 - mass * scale, 1.5 - low * scale, 25.5 - high * scale)
    fitted = middles * scale + shift, lengths * scale, (pen * scale).clip(0.9, 2.1)
    return [part.astype(np.float32) for part in fitted]


def _ink(middles, lengths, half_width):
    """Draw the bits of line in gray, (count, 28, 28)."""
    # Each bit is a soft round blot; they add up to 1 along a line, 1/2 at its edge.
    blur = half_width / 1.1774  # sqrt(2 ln 2): where a blot has half its height
    offsets = middles[..., None] - np.arange(28, dtype=np.float32)
    blots = np.exp(-0.5 * np.square(offsets / blur[..., None]))
    amounts = lengths / blur / (2 * np.pi) ** 0.5
    ink = np.swapaxes(blots[:, :, 1] * amounts, 1, 2) @ blots[:, :, 0]
    gray = (0.5 + 1.4 * half_width * (ink - 0.5)).clip(0, 1)  # makes the edge firm
    return (255 * gray + 0.5).astype(np.uint8)
