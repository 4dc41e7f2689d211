"""From a network to files, and back.

Files of weights, and files of any kind: read without trust, written whole or not at
all. What is saved is not computed here.
"""
