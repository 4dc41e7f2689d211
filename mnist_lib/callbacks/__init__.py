"""What happens beside the loop of ``fit``, after its steps and epochs.

``checkpoints`` saves a run and resumes it; ``watching`` says in plain words what went
wrong. The class ``Callback`` and the loop itself are in ``training``.
"""
