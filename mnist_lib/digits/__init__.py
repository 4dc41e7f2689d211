"""Where digits come from, and how they are changed.

Files of MNIST and its download, the stand-in digits that are drawn where there is no
network, and random distortions. What the course makes of the digits is in the chapters.
"""
