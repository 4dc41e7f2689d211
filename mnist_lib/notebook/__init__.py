"""What the chapters need around their own code.

Figures, numbers for the figures that move, checks of answers, and the program with
which chapter 9 measures. No chapter's module and no other room imports it.
"""
