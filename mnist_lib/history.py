"""A training's diary: losses, metrics, and what is printed of them."""

from dataclasses import dataclass, field

import numpy as np

from mnist_lib.gradient_tape import average_loss

__all__ = ["History"]


@dataclass
class History:
    """What happened during training, in the order in which it happened.

    Losses are means over examples, in nats.
    """

    batch_losses: list[float] = field(default_factory=list)  #: before each step
    batch_sizes: list[int] = field(default_factory=list)  #: examples in each batch
    epoch_losses: list[float] = field(default_factory=list)  #: over each epoch
    validation_losses: list[float] = field(default_factory=list)  #: after each epoch
    validation_metrics: list[float] = field(default_factory=list)  #: after each epoch

    def add_batch(self, loss, size: int) -> None:
        """Add the loss of a batch of ``size`` examples."""
        self.batch_losses.append(float(loss))
        self.batch_sizes.append(size)

    def add_epoch(self, num_batches: int) -> None:
        """Add the mean over the examples of the last ``num_batches`` batches."""
        losses = self.batch_losses[-num_batches:]
        sizes = self.batch_sizes[-num_batches:]
        self.epoch_losses.append(float(np.average(losses, weights=sizes)))

    def add_validation(self, model, validation_data, metric, verbose) -> None:
        """Measure the loss and the metric on validation data, and print them."""
        if validation_data is None:
            return
        images, labels = validation_data
        predictions = model(images)
        self.validation_losses.append(float(average_loss(labels, predictions)))
        line = f"validation loss: {self.validation_losses[-1]:.2f}"
        if metric is not None:
            self.validation_metrics.append(float(metric(labels, predictions)))
            name = getattr(metric, "__name__", "metric")
            line += f", {name}: {self.validation_metrics[-1]:.4f}"
        if verbose:
            print(line)
