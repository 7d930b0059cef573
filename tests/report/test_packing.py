import base64
import gzip
import hashlib
import json
import math

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.report.packing import pack_array, pack_json, plotly_packed, script_hash


def unpacked(packed):
    raw = base64.b64decode(packed["data"])
    if packed["type"] == "f8":
        return np.frombuffer(raw, "<f8").reshape(packed["shape"])
    if packed["type"] == "f4":
        return np.frombuffer(raw, "<f4").reshape(packed["shape"])
    levels = np.append(np.frombuffer(base64.b64decode(packed["levels"]), "<f4"), np.nan)
    codes = np.frombuffer(raw, "u1").astype(int)
    return levels[np.minimum(codes, len(levels) - 1)].reshape(packed["shape"])


def test_many_different_values_come_back_as_32_bit_floats_with_their_gaps():
    values = stream(0, "packing").standard_normal((40, 30)).astype(np.float32)
    values[3, 4] = np.nan
    packed = pack_array(values)
    assert packed["type"] == "f4"
    np.testing.assert_array_equal(unpacked(packed), values)


def test_few_different_values_take_one_byte_each_and_lose_nothing():
    values = np.tile(np.array([[0.1, np.nan, -2.5, 7.25]], dtype=np.float32), (50, 5))
    packed = pack_array(values)
    assert packed["type"] == "u1"
    assert len(base64.b64decode(packed["data"])) == values.size
    np.testing.assert_array_equal(unpacked(packed), values)


def test_infinite_values_are_not_coded_as_levels():
    values = np.tile(np.array([np.inf, 1.0], dtype=np.float32), 100)
    np.testing.assert_array_equal(unpacked(pack_array(values)), values)


def test_coordinates_keep_differences_that_32_bits_would_lose():
    times = 100_000 + np.arange(5) * 0.001
    np.testing.assert_array_equal(unpacked(pack_array(times, exact=True)), times)


def test_an_empty_array_can_be_packed():
    assert unpacked(pack_array(np.zeros((0, 3)))).shape == (0, 3)


def test_packed_json_comes_back_and_is_the_same_text_each_time():
    content = {"name": "</script> é", "values": [1, 2.5, None]}
    packed = pack_json(content)
    assert packed == pack_json(content)
    assert json.loads(gzip.decompress(base64.b64decode(packed))) == content
    assert "<" not in packed


def test_json_refuses_numbers_that_are_not_finite():
    with pytest.raises(ValueError, match="JSON"):
        pack_json({"value": math.nan})


def test_the_library_unpacks_to_the_text_that_its_hash_names():
    packed, name = plotly_packed()
    text = gzip.decompress(base64.b64decode(packed))
    digest = base64.b64encode(hashlib.sha256(text).digest()).decode()
    assert name == f"'sha256-{digest}'"
    assert b"plotly.js" in text[:300]
    assert len(packed) < 2_100_000


def test_a_script_is_named_by_the_hash_of_its_text():
    # The example of the content security policy's own specification.
    assert script_hash("alert('Hello, world.');") == (
        "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"
    )
