"""Errors at the borders, in the course's words, and before TensorFlow's own.

``arguments`` says what an argument must be, and what came instead. ``tracing`` finds
what compiled code would miss, and what tells two runs apart.
"""
