# SPDX-License-Identifier: Apache-2.0
"""An independent reader of docs/reference/wire.md (Python's standard library and libzstd)."""
import array
import collections
import ctypes
import struct
import sys

Envelope = collections.namedtuple("Envelope", "type federation sender epoch round seq body")
Tagged = collections.namedtuple("Tagged", "tag value")
PLAN, MODEL, CHUNK, ACK = 1, 2, 3, 4


def _head(data, at):
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if info < 24:
        return major, info, at
    width = {24: 1, 25: 2, 26: 4, 27: 8}[info]
    return major, int.from_bytes(data[at:at + width], "big"), at + width


def _item(data, at):
    if data[at] in (0xF9, 0xFA, 0xFB):
        kind = {0xF9: ">e", 0xFA: ">f", 0xFB: ">d"}[data[at]]
        return struct.unpack_from(kind, data, at + 1)[0], at + 1 + struct.calcsize(kind)
    major, n, at = _head(data, at)
    if major == 0:
        return n, at
    if major == 2:
        return data[at:at + n], at + n
    if major == 3:
        return data[at:at + n].decode(), at + n
    if major == 4:
        items = []
        for _ in range(n):
            item, at = _item(data, at)
            items.append(item)
        return items, at
    if major == 5:
        pairs = {}
        for _ in range(n):
            key, at = _item(data, at)
            pairs[key], at = _item(data, at)
        return pairs, at
    if major == 6:
        value, at = _item(data, at)
        return Tagged(n, value), at
    raise ValueError(f"major type {major}")


def decode(data):
    item, at = _item(data, 0)
    assert at == len(data), "bytes after the item"
    return item


def envelope(data):
    version, kind, federation, sender, epoch, number, seq, body, signature = decode(data)
    assert version == 1 and len(signature) == 64
    return Envelope(kind, federation, sender, epoch, number, seq, decode(body))


def floats(data):
    values = array.array("f", data)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def update_floats(data, n):
    """The float32 encoding of an update of n numbers."""
    if len(data) == 4 * n:
        return floats(data)
    zstd = ctypes.CDLL("libzstd.so.1")
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(4 * n)
    got = zstd.ZSTD_decompress(out, ctypes.c_size_t(4 * n), data, ctypes.c_size_t(len(data)))
    assert got == 4 * n, (got, n)
    return floats(out.raw)
