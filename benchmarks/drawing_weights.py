"""Train the network of the book's page to draw on, and write its file.

The recipe is that of the chapter on drawing, with more epochs and wider shifts.

    python benchmarks/drawing_weights.py book/_static/draw/weights.safetensors

On one machine the file is the same every time, byte for byte. Another processor, or
another version of TensorFlow, adds in another order, and the last digits differ.
"""

import math

import measuring

BATCH_SIZE = 128


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


def main() -> None:
    """Train, write the file, and say how well the network in it reads."""
    file = {"help": "where the weights go"}
    numbers = {"seed": 2, "epochs": 20, "examples": 60_000}
    settings = measuring.parse(__doc__, ("file", file), **numbers)
    images, labels, test_images, test_labels = measuring.load(settings.examples)
    from mnist_lib import accuracy, export_weights, import_weights, predict

    model = train(images, labels, settings.epochs, settings.seed)
    export_weights(model, settings.file)
    read = accuracy(test_labels, predict(import_weights(settings.file), test_images))
    print(f"{read:.2%} of the test digits are read with {settings.file}")


if __name__ == "__main__":
    main()
