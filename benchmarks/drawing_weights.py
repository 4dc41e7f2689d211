"""Train the network of the book's page to draw on, and write its file.

The recipe is that of the chapter on drawing, with more epochs and wider shifts.

    python benchmarks/drawing_weights.py book/_static/draw/weights.safetensors

On one machine the file is the same every time, byte for byte. Another processor, or
another version of TensorFlow, adds in another order, and the last digits differ.
"""

import argparse
import math

import measuring

BATCH_SIZE = 128


def parse_arguments(arguments=None):
    """Return the settings, or explain what is wrong with them, and leave."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="where the weights go")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--examples", type=int, default=60_000)
    settings = parser.parse_args(arguments)
    measuring.check_options(parser, settings)
    return settings


def train(images, labels, epochs, seed):
    """Return the network of the course, trained on distorted digits."""
    import tensorflow as tf

    import mnist_lib as m

    tf.random.set_seed(seed)
    hidden = m.NaiveDense(784, 512, tf.nn.relu, m.he_start)
    output = m.NaiveDense(512, 10, tf.nn.softmax, m.he_start)
    model = m.NaiveSequential([hidden, output])
    num_steps = epochs * math.ceil(len(images) / BATCH_SIZE)
    m.fit_compiled(
        model,
        images,
        labels,
        epochs,
        BATCH_SIZE,
        m.one_cycle(0.004, num_steps),
        shuffle=True,
        seed=seed,
        verbose=0,
        update=m.Adam(model.weights),
        distort=m.Distortion(seed=seed),
    )
    return model


def main(arguments=None) -> None:
    """Train, write the file, and say how well the network in it reads."""
    settings = parse_arguments(arguments)
    images, labels, test_images, test_labels = measuring.load(settings.examples)
    from mnist_lib import accuracy, export_weights, import_weights, predict

    model = train(images, labels, settings.epochs, settings.seed)
    export_weights(model, settings.file)
    read = accuracy(test_labels, predict(import_weights(settings.file), test_images))
    print(f"{read:.2%} of the test digits are read with {settings.file}")


if __name__ == "__main__":
    main()
