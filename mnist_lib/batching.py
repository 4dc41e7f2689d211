"""Chapter 3. From tensors to batches: some examples at a time, each once per epoch.

One picture gives a noisy gradient, all 60,000 give a slow one. A batch is the
compromise: a slice of the data along its first axis.
"""

import math

import numpy as np

from mnist_lib.checks import arguments as checks

__all__ = ["BatchGenerator"]


class BatchGenerator:
    """Hands out the examples in batches; a loop over it is one epoch.

    Either call ``next()`` ``num_batches`` times, as Chollet's generator is used,
    or write ``for images_batch, labels_batch in generator``. A loop that starts
    over begins with the first batch again, in a new order if ``shuffle`` is set.

    Args:
        images: Array of shape (n, …), one example to a row.
        labels: Array of shape (n,).
        batch_size: Examples per batch. The last batch holds what is left over.
        shuffle: Draw a new order for every epoch.
        seed: Integer that fixes the orders drawn, or None.

    Attributes:
        num_batches: Batches in an epoch, ``ceil(n / batch_size)``.

    Raises:
        ValueError: Lengths differ, there is no example, or ``batch_size`` < 1.
        TypeError: ``batch_size`` is not an integer.

    Source: F. Chollet, *Deep Learning with Python*, 2nd edition, section 2.5.1.
    """

    def __init__(
        self,
        images,
        labels,
        batch_size: int = 128,
        shuffle: bool = False,
        seed: int | None = None,
    ):
        checks.check_same_length(images, labels)
        checks.check_positive_integer("batch_size", batch_size)
        checks.check_seed(seed)
        self.images = np.asarray(images)
        self.labels = np.asarray(labels)
        self.batch_size = int(batch_size)
        self.num_batches = math.ceil(len(self.images) / batch_size)
        self.shuffle = shuffle
        self.random = np.random.default_rng(seed)
        self.restart()

    def restart(self) -> None:
        """Go back to the first batch, in a new order if ``shuffle`` is set."""
        self.index = 0
        self.order = np.arange(len(self.images))
        if self.shuffle:
            self.random.shuffle(self.order)

    def next(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the next batch.

        Returns:
            images_batch of shape (batch_size, …) and labels_batch of shape
            (batch_size,), with the dtypes they came in; the last batch is shorter
            where ``batch_size`` does not divide the number of examples.

        Raises:
            StopIteration: Every example has been handed out in this epoch.
        """
        if self.index >= len(self.images):
            raise StopIteration
        chosen = self.order[self.index : self.index + self.batch_size]
        self.index += self.batch_size
        return self.images[chosen], self.labels[chosen]

    __next__ = next

    def __iter__(self) -> "BatchGenerator":
        if self.index > 0:
            self.restart()
        return self

    def __len__(self) -> int:
        return self.num_batches

    def size_of(self, batch: int) -> int:
        """Return how many examples a batch has, counted from 0 in its epoch."""
        return min(self.batch_size, len(self.images) - batch * self.batch_size)

    def replace_images(self, images) -> None:
        """Hand out other images from now on, with the same labels, in the same order.

        Args:
            images: Array of the shape and the dtype of those before.

        Raises:
            ValueError, TypeError: They have another shape or dtype.
        """
        checks.check_distorted(images, self.images)
        self.images = np.asarray(images)

    def go_to(self, index: int, order, random_state: dict) -> None:
        """Continue an epoch, and the orders after it, from a saved position.

        Args:
            index: Number of the examples handed out in this epoch.
            order: Positions of the examples in this epoch, of shape (n,).
            random_state: State of the ``bit_generator`` that draws the next orders.
        """
        self.index, self.order = index, order
        self.random.bit_generator.state = random_state
