"""The error curve of a run, and its JSON form."""

import json
import math

import numpy as np

from pdesolve.solution import Cost, History


def test_rows_become_columns_and_what_was_not_measured_is_nan():
    history = History()
    history.append(0, 0.0, 2.0)
    history.append(5, 0.5, 1.0, merit=0.3, relative_l2=0.1)
    columns = history.arrays()
    np.testing.assert_array_equal(columns["step"], [0, 5])
    np.testing.assert_array_equal(columns["loss"], [2.0, 1.0])
    assert math.isnan(columns["merit"][0])
    assert columns["relative_l2"][1] == 0.1
    assert len(history) == 2


def test_json_round_trip_is_strict_json():
    history = History()
    history.append(3, 0.1, math.inf)
    text = json.dumps(history.to_json(), allow_nan=False)
    again = History.from_json(json.loads(text))
    assert again.step == [3]
    assert math.isnan(again.loss[0])
    assert math.isnan(again.merit[0])
    assert again.seconds == [0.1]


def test_cost_names_its_units():
    assert Cost(1.0, 2.0, 0.5, 7).to_json() == {
        "seconds_setup": 1.0,
        "seconds_solve": 2.0,
        "seconds_evaluation": 0.5,
        "peak_memory_bytes": 7,
    }
