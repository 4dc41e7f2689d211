"""Several processes that train together.

Their addresses, how they find each other and agree, how they are started on this
machine, and what a step of theirs costs. What a step computes is in ``scaling``.
"""
