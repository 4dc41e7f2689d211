"""Several processes that train together.

``addresses`` says where they are, ``cluster`` joins them, ``launching`` starts them on
this machine, ``simulation`` predicts what a step of many costs. What a step computes is
in ``scaling``.
"""
