"""From a network to files, and back.

``weights`` writes and reads weights, ``disk`` files of any kind: read without trust,
written whole or not at all. Checkpoints of a run are in ``callbacks``.
"""
