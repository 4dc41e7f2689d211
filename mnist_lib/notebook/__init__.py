"""What someone at a notebook needs: figures, checks of answers, a watch over training.

No digits are read here, and no steps are taken.
"""
