from __future__ import annotations

import contextlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minikctl.model.spdy import dictionary, frames

NUMBERS = st.integers(0, 2**31 - 1)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20)
HEADERS = st.dictionaries(NAMES, st.text("abc XYZ/.0123", max_size=50), max_size=5)
FRAMES = st.one_of(
    st.builds(frames.Data, NUMBERS, st.binary(max_size=300), st.booleans()),
    *(
        st.builds(kind, NUMBERS, HEADERS, st.booleans())
        for kind in (frames.SynStream, frames.SynReply, frames.Headers)
    ),
    st.builds(frames.RstStream, NUMBERS, NUMBERS),
    st.builds(frames.Settings, st.dictionaries(st.integers(1, 2**24 - 1), NUMBERS, max_size=4)),
    st.builds(frames.Ping, NUMBERS),
    st.builds(frames.GoAway, NUMBERS, NUMBERS),
    st.builds(frames.WindowUpdate, NUMBERS, NUMBERS),
    st.just(frames.Unknown(77)),
)


def test_the_dictionary_is_that_of_the_draft() -> None:
    assert (len(dictionary.DICTIONARY), zlib.adler32(dictionary.DICTIONARY)) == (1423, dictionary.CHECKSUM)


@given(st.lists(FRAMES, max_size=8), st.integers(1, 40))
def test_frames_survive_the_wire_however_it_is_cut(sent: list[frames.Frame], size: int) -> None:
    encoder, decoder = frames.Encoder(), frames.Decoder()
    wire = b"".join(encoder.encode(frame) for frame in sent)
    found: list[frames.Frame] = []
    for start in range(0, len(wire), size):
        found += decoder.feed(wire[start : start + size])
    assert found == sent


@given(st.binary(max_size=200))
def test_noise_is_refused_or_waited_out(noise: bytes) -> None:
    with contextlib.suppress(frames.ProtocolError):
        frames.Decoder().feed(noise)


def test_headers_compressed_as_kubectl_does_are_read() -> None:
    """The SYN_STREAM of an exec's error stream, put together by hand with the level that Go uses."""
    compressor = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zdict=dictionary.DICTIONARY)
    block = b"\0\0\0\1" + b"\0\0\0\x0astreamtype" + b"\0\0\0\5error"
    packed = compressor.compress(block) + compressor.flush(zlib.Z_SYNC_FLUSH)
    body = b"\0\0\0\1\0\0\0\0\0\0" + packed
    wire = b"\x80\x03\x00\x01\x00" + len(body).to_bytes(3, "big") + body
    assert frames.Decoder().feed(wire) == [frames.SynStream(1, {"streamtype": "error"})]


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (b"\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01", "version 2"),
        (b"\x80\x03\x00\x06\x00\x00\x00\x01\x00", "cut short"),
        (b"\x80\x03\x00\x04\x00\x00\x00\x04\x00\x00\x00\x09", "cut short"),
        (b"\x80\x03\x00\x02\x00\x00\x00\x06\x00\x00\x00\x01ab", "decompressed"),
        (b"GET / HTTP/1.1\r\n\r\n", ""),
    ],
)
def test_what_is_not_spdy_is_refused(wire: bytes, words: str) -> None:
    if not words:
        assert frames.Decoder().feed(wire) == []  # half of a very long data frame, as it seems
        return
    with pytest.raises(frames.ProtocolError, match=words):
        frames.Decoder().feed(wire)


def test_headers_that_would_fill_the_memory_are_refused() -> None:
    encoder = frames.Encoder()
    wire = encoder.encode(frames.SynStream(1, {"a": "x" * 10_000_000}))
    assert len(wire) < 20_000
    with pytest.raises(frames.ProtocolError, match="too long"):
        frames.Decoder().feed(wire)


def test_no_headers_may_be_no_block_at_all() -> None:
    wire = b"\x80\x03\x00\x02\x00\x00\x00\x04\x00\x00\x00\x01"
    assert frames.Decoder().feed(wire) == [frames.SynReply(1, {})]


def test_headers_that_are_cut_are_refused() -> None:
    compressor = zlib.compressobj(zdict=dictionary.DICTIONARY)
    packed = compressor.compress(b"\0\0\0\1\0\0\0\x20abc") + compressor.flush(zlib.Z_SYNC_FLUSH)
    body = b"\0\0\0\1" + packed
    with pytest.raises(frames.ProtocolError, match="cut short"):
        frames.Decoder().feed(b"\x80\x03\x00\x02\x00" + len(body).to_bytes(3, "big") + body)
