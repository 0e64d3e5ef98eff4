"""Reads a journal again and again, each time with one bit flipped.

Standard input: {"folder": DATA, "flips": [[segment, offset, bit], …]}. Standard
output: for each flip what the reader says, null where it noticed nothing.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "scripts"))
sys.dont_write_bytecode = True

import journal_reader  # noqa: E402

task = json.load(sys.stdin)
segments = {n: bytearray(b) for n, b in journal_reader.read_folder(task["folder"]).items()}


def verdict():
    try:
        for _ in journal_reader.Reader(segments).records():
            pass
        return None
    except journal_reader.Corrupt as error:
        return error.place


verdicts = []
for segment, offset, bit in task["flips"]:
    segments[segment][offset] ^= 1 << bit
    verdicts.append(verdict())
    segments[segment][offset] ^= 1 << bit
json.dump(verdicts, sys.stdout)
