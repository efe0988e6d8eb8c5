"""The cycle collector, put off."""

import gc

import pytest

from vertebra.collector import uncollected
from vertebra.errors import DataError


def test_the_cycle_collector_comes_back():
    with pytest.raises(DataError), uncollected():
        assert not gc.isenabled()
        raise DataError("broken")
    assert gc.isenabled()


def test_one_that_was_off_stays_off():
    with uncollected(), uncollected():
        pass
    assert gc.isenabled()
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
