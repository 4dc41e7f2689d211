import base64
import json
import re

import IPython.display
import numpy as np

from mnist_lib import pass_to_figure


def test_numbers_are_shown_as_data_of_the_figure(monkeypatch):
    shown = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    losses = [np.float32(2.30001), np.float32(1.5)]
    pass_to_figure("a-figure", losses=losses, weights=np.int8([[1, -1]]), place=3)
    (html,) = shown
    script = r'<script type="application/json" id="a-figure-numbers">(.*)</script>'
    data = json.loads(re.fullmatch(script, html.data)[1])
    assert data["losses"] == [2.3, 1.5] and data["place"] == 3
    assert base64.b64decode(data["weights"]) == b"\x01\xff"
