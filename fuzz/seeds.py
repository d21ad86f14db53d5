"""Writes the seeds of the fuzz targets into corpus/: the entries of the fixtures that they replace, and two small files of batches."""

import array
import json
import struct
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
LARGEST = 20_000  # bytes of an entry


def entries(target: str, archive: str) -> None:
    with zipfile.ZipFile(HERE.parent / "fixtures/models" / archive) as file:
        for place, name in enumerate(file.namelist()):
            content = file.read(name)
            if len(content) < LARGEST:
                write(target, f"entry-{place}", bytes([place]) + content)


def batches(name: str, tensors: dict[str, tuple[str, list[int], bytes]]) -> None:
    header, data = {}, b""
    for key, (dtype, shape, raw) in tensors.items():
        header[key] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    write("batches", name, struct.pack("<Q", len(text)) + text + data)


def write(target: str, name: str, content: bytes) -> None:
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def numbers(kind: str, values: object) -> bytes:
    return array.array(kind, values).tobytes()


entries("entry", "batch-mixing.pt2")
entries("state_dict", "versions/views.pth")
batches("table", {"inputs": ("F32", [8, 4], numbers("f", range(32))), "targets": ("I64", [8], numbers("q", [0, 1] * 4))})
batches(
    "two-inputs",
    {
        "inputs.0": ("I64", [6, 3], numbers("q", range(18))),
        "inputs.1": ("U8", [6, 2], bytes(12)),
        "targets": ("F32", [6, 1], numbers("f", [0, 1] * 3)),
        "held_out.inputs.0": ("I64", [2, 3], numbers("q", range(6))),
        "held_out.inputs.1": ("U8", [2, 2], bytes(4)),
        "held_out.targets": ("F32", [2, 1], numbers("f", [0, 1])),
    },
)
