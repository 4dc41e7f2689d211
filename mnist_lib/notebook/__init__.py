"""What the chapters need around their own code.

Figures, checks of answers, and the program with which chapter 9 measures. No part of
the library but this package's list of names depends on it.
"""
