"""The file of a training state: named arrays, as safetensors writes them, behind a short header with a checksum.

    magic, 8 bytes | SHA-256 of all that follows, 32 bytes | length of the JSON, u32 | JSON | safetensors

A reader compares the size with the limit before it reads, and the checksum before it looks inside. No code is stored.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from gantoys.runs import limits

Array = np.ndarray
MAGIC = b"GANSTATE"
HEADER_BYTES = 65_536  # room for the names and shapes of the arrays
UNFINISHED = ".tmp"  # ends the name under which a file is written
_HEAD = len(MAGIC) + hashlib.sha256().digest_size
_U32 = struct.Struct("<I")


def save(path: str | os.PathLike[str], arrays: Mapping[str, Array], meta: Mapping[str, Any] | None = None) -> int:
    """Write arrays and `meta` (what JSON can hold) to `path`, and return the number of bytes.

    The file appears whole or not at all, and replaces an earlier one; one that is interrupted leaves a name that ends
    in `.tmp`. Raises ValueError when it would be larger than `limits.STATE_BYTES`, OSError where the disk does.
    """
    path = Path(path)
    size = sum(np.asarray(a).nbytes for a in arrays.values())
    text = json.dumps(dict(meta or {}), sort_keys=True, allow_nan=False).encode()
    if size + len(text) > limits.STATE_BYTES:
        raise ValueError(f"the state of {size + len(text)} bytes is not kept: at most {limits.STATE_BYTES} are")
    # safetensors reads the memory of an array as it lies there
    whole = {name: np.array(a, order="C", copy=None) for name, a in sorted(arrays.items())}
    payload = _U32.pack(len(text)) + text + safetensors.save(whole)
    data = MAGIC + hashlib.sha256(payload).digest() + payload
    unfinished = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}{UNFINISHED}")
    try:
        with unfinished.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
    return len(data)


def load(
    path: str | os.PathLike[str], shapes: Mapping[str, tuple[int, ...]] | None = None
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the meta of the state at `path`. The arrays may be written to.

    With `shapes`, names and shapes must be those. Raises ValueError with one sentence for a file that is not whole or
    holds something else, OSError where the disk does.
    """
    path = Path(path)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > limits.STATE_BYTES + HEADER_BYTES:
            raise ValueError(f"the state {path.name} has {size} bytes, at most {limits.STATE_BYTES} are read")
        data = memoryview(file.read(size))
    if bytes(data[: len(MAGIC)]) != MAGIC:
        raise ValueError(f"{path.name} is not a state of gantoys")
    payload = data[_HEAD:]
    if hashlib.sha256(payload).digest() != bytes(data[len(MAGIC) : _HEAD]):
        raise ValueError(f"the state {path.name} is damaged: its checksum does not fit")
    # who wrote the checksum may still be somebody else
    try:
        (length,) = _U32.unpack(payload[: _U32.size])
        meta = json.loads(bytes(payload[_U32.size : _U32.size + length]))
        arrays = safetensors.load(bytes(payload[_U32.size + length :]))
    except (ValueError, KeyError, struct.error, RecursionError, SafetensorError) as error:
        raise ValueError(f"the state {path.name} cannot be read: {error}") from None
    if not isinstance(meta, dict):
        raise ValueError(f"the state {path.name} cannot be read: what it says about itself is no JSON object")
    if shapes is not None and {name: a.shape for name, a in arrays.items()} != dict(shapes):
        raise ValueError(f"the state {path.name} does not fit: its arrays are others than expected")
    return {name: a.copy() for name, a in arrays.items()}, meta
