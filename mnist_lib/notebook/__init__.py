"""What only the chapters need: figures in the book's style, and checks of answers.

Nothing that trains or reads digits depends on it.
"""
