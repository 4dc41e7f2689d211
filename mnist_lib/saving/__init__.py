"""From a network or a training run to files, and back.

Weights, checkpoints, and files that are read without trust and written whole or not at
all. What is saved is not computed here.
"""
