"""What goes on beside the loop of ``fit``, told of its steps and epochs.

A run is saved and resumed, and someone who tries things out is told what happened. The
class ``Callback`` and the loop itself are in ``training``.
"""
