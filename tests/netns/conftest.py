import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

import lab


@pytest.fixture
def net():
    """A lab of one's own, gone after the test."""
    with lab.Lab() as made:
        yield made
