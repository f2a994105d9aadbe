import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

import lab
from people import People


@pytest.fixture
def net():
    """A lab of one's own, gone after the test."""
    with lab.Lab() as made:
        yield made


@pytest.fixture
def people(net):
    made = People()
    yield made
    made.close()


@pytest.fixture
def told(capsys):
    """Print a figure so that it is seen however the tests run."""
    def tell(*words):
        with capsys.disabled():
            print("\n  ", *words, end="")
    return tell
