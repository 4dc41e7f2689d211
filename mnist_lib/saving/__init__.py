"""From a network or a training to files, and back.

Weights, checkpoints of a training, and arrays in files that are read without trust and
written whole or not at all. What is saved is not computed here.
"""
