# SPDX-License-Identifier: Apache-2.0
"""Read a safetensors file by its published layout alone: FILE NAME OUT

Writes the parameters of model NAME (w0, b0, w1, …) to OUT and prints its metadata as JSON.
"""
import json
import struct
import sys

path, name, out = sys.argv[1:]
with open(path, "rb") as f:
    length = struct.unpack("<Q", f.read(8))[0]
    header = json.loads(f.read(length))
    data = f.read()

assert length % 8 == 0, "data is not aligned"
metadata = header.pop("__metadata__")
at = 0
sizes = {"F32": 4, "F64": 8}
for key, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
    begin, end = entry["data_offsets"]
    size = sizes[entry["dtype"]]
    for dim in entry["shape"]:
        size *= dim
    assert begin == at and end - begin == size, key
    at = end
assert at == len(data), "data behind the last tensor"

dims = [int(dim) for dim in metadata[name + ".shape"].split(",")]
with open(out, "wb") as f:
    for layer, (fan_in, fan_out) in enumerate(zip(dims, dims[1:])):
        for kind, shape in (("w", [fan_out, fan_in]), ("b", [fan_out])):
            entry = header[f"{name}.{kind}{layer}"]
            assert entry["dtype"] == "F32" and entry["shape"] == shape, entry
            f.write(data[slice(*entry["data_offsets"])])
if metadata[name + ".calibrated"] == "yes":
    begin, end = header[name + ".tail"]["data_offsets"]
    boundary = struct.unpack("<d", data[begin + 8 : begin + 16])[0]
    assert boundary == float(metadata[name + ".boundary"])
    assert header[name + ".error_mean"]["shape"] == [dims[0]]
print(json.dumps(metadata))
