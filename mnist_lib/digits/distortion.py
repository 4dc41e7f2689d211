"""New digits from old ones: turned, stretched, shifted and bent, still legible.

A distortion says for each pixel of the new picture where in the old one its ink comes
from. That point lies between pixels, so its ink is a weighted sum of the four around
it. Pictures that share a distortion look up the same four, all at once.
"""

import math

import numpy as np
import tensorflow as tf

from mnist_lib.checks import arguments as checks

__all__ = ["Distortion"]


def bend(random, count: int, side: int, smoothness: float) -> np.ndarray:
    """Draw smooth random fields, of mean 0 and standard deviation 1 at every pixel.

    Args:
        random: ``numpy.random.Generator``.
        count: Number of fields.
        side: Height and width of a field, in pixels.
        smoothness: Standard deviation of the blur, in pixels.

    Returns:
        float64 array of shape (count, side, side).

    Source: P. Simard, D. Steinkraus and J. Platt (2003).
    """
    distance = np.subtract.outer(np.arange(side), np.arange(side))
    blur = np.exp(-0.5 * (distance / smoothness) ** 2)
    blur /= np.linalg.norm(blur, axis=1, keepdims=True)
    return blur @ random.standard_normal((count, side, side)) @ blur.T


@tf.function
def warp(groups, rows, columns) -> tf.Tensor:
    """Fetch each new pixel's ink from a point of the old picture.

    Args:
        groups: Pictures of shape (groups, pictures, side * side), float32. Those
            of a group share a distortion.
        rows: Where the ink comes from, in pixels from the top, of shape (groups,
            side * side), float32. Outside of the picture there is no ink.
        columns: The same from the left.

    Returns:
        Tensor of the shape of ``groups``.
    """
    side = math.isqrt(rows.shape[1])
    warped = tf.TensorArray(tf.float32, groups.shape[0])
    for i in tf.range(groups.shape[0]):
        old, new = tf.transpose(groups[i]), 0.0
        for row in (tf.floor(rows[i]), tf.floor(rows[i]) + 1):
            for column in (tf.floor(columns[i]), tf.floor(columns[i]) + 1):
                share = (1 - tf.abs(rows[i] - row)) * (1 - tf.abs(columns[i] - column))
                inside = (row >= 0) & (row < side) & (column >= 0) & (column < side)
                pixel = tf.cast(tf.where(inside, row * side + column, 0), tf.int32)
                new += tf.where(inside, share, 0)[:, None] * tf.gather(old, pixel)
        warped = warped.write(i, tf.transpose(new))
    return warped.stack()


class Distortion:
    """Random distortions of pictures, new ones with every call.

    Args:
        rotation: Largest angle, in degrees, to either side.
        scale: Largest stretch, as a part of height and of width; below 1.
        shear: Largest slant, in pixels to the side for a pixel of height.
        shift: Largest shift down and to the side, in pixels.
        elastic: Standard deviation of the bending, in pixels.
        smoothness: Over how many pixels the bending stays alike.
        shared_by: Pictures in a row that share one distortion. More are faster.
        seed: Integer that fixes the distortions drawn, or None.

    Raises:
        ValueError, TypeError: An argument is outside its range, or not a number.
    """

    def __init__(
        self,
        rotation: float = 10.0,
        scale: float = 0.1,
        shear: float = 0.1,
        shift: float = 1.0,
        elastic: float = 1.0,
        smoothness: float = 4.0,
        shared_by: int = 60,
        seed: int | None = None,
    ):
        checks.check_number("rotation", rotation)
        checks.check_number("scale", scale, below=1)
        checks.check_number("shear", shear)
        checks.check_number("shift", shift)
        checks.check_number("elastic", elastic)
        checks.check_positive_number("smoothness", smoothness)
        checks.check_positive_integer("shared_by", shared_by)
        checks.check_seed(seed)
        self.rotation, self.scale, self.shear = math.radians(rotation), scale, shear
        self.shift, self.elastic, self.smoothness = shift, elastic, smoothness
        self.shared_by = shared_by
        self.random = np.random.default_rng(seed)

    def __call__(self, images) -> tf.Tensor:
        """Return the pictures, each distorted.

        Args:
            images: Vectors of shape (n, side * side), float32.

        Returns:
            Tensor of the same shape, float32.

        Raises:
            ValueError: The vectors are not square pictures.
            TypeError: They are not float32.
        """
        checks.check_square_vectors(images)
        count, pixels = images.shape
        groups = math.ceil(count / self.shared_by)
        missing = groups * self.shared_by - count
        filled = tf.pad(images, ((0, missing), (0, 0)))
        filled = tf.reshape(filled, (groups, self.shared_by, pixels))
        warped = warp(filled, *self.draw(groups, math.isqrt(pixels)))
        return tf.reshape(warped, (-1, pixels))[:count]

    def draw(self, count: int, side: int) -> np.ndarray:
        """Draw where each pixel's ink comes from, for ``count`` distortions.

        Returns:
            float32 array of shape (2, count, side * side), rows before columns.
        """

        def draw_up_to(limit):
            return self.random.uniform(-limit, limit, (count, 1, 1))

        angle, slant = draw_up_to(self.rotation), draw_up_to(self.shear)
        height, width = 1 + draw_up_to(self.scale), 1 + draw_up_to(self.scale)
        middle = (side - 1) / 2
        y, x = np.indices((side, side)) - middle
        rows = height * (np.cos(angle) * y - np.sin(angle) * x)
        columns = width * (np.sin(angle) * y + np.cos(angle) * x) + slant * y
        places = []
        for place in (rows, columns):
            bent = self.elastic * bend(self.random, count, side, self.smoothness)
            places.append(place + middle + draw_up_to(self.shift) + bent)
        return np.reshape(places, (2, count, side * side)).astype("float32")
