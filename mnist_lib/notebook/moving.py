"""What a chapter passes to a figure that moves on the book's page."""

import json
from base64 import b64encode

import numpy as np

__all__ = ["pass_to_figure"]


def as_plain(array) -> list | float | str:
    """Return an array for JSON: bytes as text, other numbers with four decimals."""
    array = np.asarray(array)
    if array.dtype.itemsize == 1:
        return b64encode(array.tobytes()).decode()
    return array.astype(float).round(4).tolist()


def pass_to_figure(name: str, **values) -> None:
    """Pass numbers to a figure that moves on the book's page; elsewhere, do nothing.

    Args:
        name: The figure's name.
        **values: Numbers, lists or arrays, for the figure's script.
    """
    from IPython.display import HTML, display  # which all notebooks have

    text = json.dumps(values, default=as_plain)
    kind = f'type="application/json" id="{name}-numbers"'
    display(HTML(f"<script {kind}>{text}</script>"))
