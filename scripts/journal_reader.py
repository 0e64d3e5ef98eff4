#!/usr/bin/env python3
"""A second reader of the journal; it shares docs/journal-format.md with the first, and no code.

    python3 journal_reader.py DATA

prints one JSON object for each record, then one that sums up. It verifies
headers, CRCs, places, digests, seals, the chains of the actors and the names
of texts that are records; texts in files are not looked at. What is encrypted is
read with the keys in DATA/keys, and is null where they are gone. Exit status 0, or 5
where the journal is damaged.

It needs Python 3.8 or newer, and libzstd for compressed texts. It reads whole
segments into memory and is not made for speed.
"""

import ctypes
import ctypes.util
import hashlib
import json
import os
import re
import struct
import sys
import uuid
import zlib

from journal_cipher import RunKeys

SEGMENT_HEADER = 128
RECORD_HEADER = 144
RECORD_MAX = 1 << 20
MAGIC = 0xC1AA
TYPES = ["", "event", "blob", "snapshot", "run-started", "run-ended", "seal", "mark", "branch"]
TYPES += ["run-erased", "run-keys"]
RUN, ACTOR, CAUSE, PREVIOUS, COMPRESSED, ENCRYPTED = 1, 2, 4, 8, 16, 32
VERSION = 3
TEXT_MAX = 512 << 20
OPEN_RUNS_MAX = 64


def _crc_table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x82F63B78 if crc & 1 else crc >> 1
        table.append(crc)
    return table


TABLE = _crc_table()


def crc32c(data, seed=0):
    """CRC-32C of `data`, going on from an earlier result."""
    crc = ~seed & 0xFFFFFFFF
    table = TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return ~crc & 0xFFFFFFFF


def record_checksum(version):
    """What the records of a segment are checked with."""
    return crc32c if version < 3 else zlib.crc32


class Corrupt(Exception):
    """Damage that no crash explains."""

    def __init__(self, segment, offset, what, last_good):
        super().__init__(what)
        self.place = {
            "segment": segment,
            "offset": offset,
            "what": what,
            "lastGoodSequence": last_good,
        }


class Newer(Exception):
    """The journal has a format that this reader does not know."""


class Record:
    """One record at `start` of a segment; fields are read when asked for."""

    def __init__(self, data, start):
        self.data = data
        self.start = start
        (self.length, self.crc, self.sequence, self.group, self.durable) = struct.unpack_from(
            "<IIQII", data, start
        )
        self.digest = bytes(data[start + 24 : start + 56])
        (self.magic, self.type, self.flags, self.epoch, self.time) = struct.unpack_from(
            "<HBBIQ", data, start + 56
        )
        self.end = start + (self.length + 7 & ~7)

    def plausible(self, limit):
        if self.length < RECORD_HEADER or self.length > RECORD_MAX or self.end > limit:
            return False
        if self.magic != MAGIC or not 1 <= self.type < len(TYPES) or self.flags > 63:
            return False
        if self.flags & COMPRESSED and TYPES[self.type] != "blob":
            return False
        if self.flags & ENCRYPTED and not self.flags & RUN:
            return False
        return RECORD_HEADER + sum(self.name_lengths()) <= self.length

    def name_lengths(self):
        return self.data[self.start + 108], self.data[self.start + 109]

    def crc_holds(self, segment):
        data, start, checksum = self.data, self.start, segment.checksum
        crc = checksum(data[start : start + 4], checksum(segment.salt) ^ start)
        return checksum(data[start + 8 : self.end], crc) == self.crc

    def digest_holds(self):
        content = self.data[self.start + 56 : self.start + self.length]
        return hashlib.sha256(content).digest() == self.digest

    @property
    def name(self):
        return TYPES[self.type]

    @property
    def run(self):
        if not self.flags & RUN:
            return None
        return str(uuid.UUID(bytes=bytes(self.data[self.start + 72 : self.start + 88])))

    @property
    def actor_sequence(self):
        return struct.unpack_from("<Q", self.data, self.start + 88)[0]

    @property
    def previous(self):
        if not self.flags & PREVIOUS:
            return None
        return bytes(self.data[self.start + 112 : self.start + 144])

    @property
    def actor(self):
        begin = self.start + RECORD_HEADER
        length = self.name_lengths()[0]
        return self.data[begin : begin + length].decode("ascii") if self.flags & ACTOR else None

    @property
    def cause(self):
        if not self.flags & CAUSE:
            return None
        actor, cause = self.name_lengths()
        begin = self.start + RECORD_HEADER + actor
        sequence, index = struct.unpack_from("<QI", self.data, self.start + 96)
        name = self.data[begin : begin + cause].decode("ascii")
        return {"actor": name, "sequence": sequence, "index": index}

    @property
    def body(self):
        begin = self.start + RECORD_HEADER + sum(self.name_lengths())
        return bytes(self.data[begin : self.start + self.length])


def record_at(data, start, limit):
    """The record there, if there can be one."""
    if start + RECORD_HEADER > limit:
        return None
    record = Record(data, start)
    return record if record.plausible(limit) else None


class Segment:
    """A segment file whose header holds."""

    def __init__(self, number, data, last_good):
        self.number = number
        self.data = data
        intact = (
            len(data) >= SEGMENT_HEADER
            and data[:8] == b"CLAWJRNL"
            and struct.unpack_from("<I", data, 8)[0] == crc32c(data[12:SEGMENT_HEADER])
        )
        if not intact:
            raise Corrupt(number, 0, "its header is damaged", last_good)
        self.version, named, self.bytes = struct.unpack_from("<III", data, 12)
        if self.version > VERSION:
            raise Newer(f"segment {number} has format {self.version}")
        self.checksum = record_checksum(self.version)
        if named != number:
            raise Corrupt(number, 16, "its header names another segment", last_good)
        self.salt = bytes(data[24:32])
        self.first_sequence = struct.unpack_from("<Q", data, 32)[0]
        self.previous_seal = bytes(data[40:72])
        self.limit = min(self.bytes, len(data))

    def durable_before(self, record):
        return record.group if self.version == 1 else record.durable

    def later_group(self, group):
        """Whether a whole record says that more than up to `group` was durable."""
        rest = bytes(self.data[group : self.limit]).rstrip(b"\0")
        for start in range(group + 8, group + len(rest), 8):
            record = record_at(self.data, start, self.limit)
            if record is None or self.durable_before(record) <= group:
                continue
            if record.crc_holds(self):
                return True
        return False


class Reader:
    """Walks a journal group by group."""

    def __init__(self, segments, skipped=(), dropped=()):
        """`segments`: bytes by number. `skipped`: what skipped.json says."""
        self.segments = segments
        self.skipped = {(r["from"]["segment"], r["from"]["offset"]): r for r in skipped}
        self.whole = None
        last = dropped[-1] if dropped else {"through": 0, "lastSequence": 0, "seal": "00" * 32}
        self.through = last["through"]
        self.sequence = last["lastSequence"]
        self.seal = bytes.fromhex(last["seal"])
        self.dropped_runs = {run["id"] for line in dropped for run in line["runs"]}
        self.actors = {}
        self.ended = []
        self.torn = None

    def records(self):
        """Every record of every sealed group. Raises Corrupt or Newer."""
        end, fault = (0, 0), None
        number, offset = self.skip(0, 0) or (self.through + 1, SEGMENT_HEADER)
        last = max(self.segments, default=0)
        while number <= last:
            if number not in self.segments:
                raise Corrupt(number, 0, "its file is missing", self.sequence)
            segment = Segment(number, self.segments[number], self.sequence)
            follows = (segment.previous_seal, segment.first_sequence)
            if offset == SEGMENT_HEADER and follows != (self.seal, self.sequence + 1):
                what = fault or "the next segment does not continue it"
                raise Corrupt(*end, what, self.sequence)
            place = None
            while True:
                place = self.skip(number, offset)
                if place and place[0] != number:
                    break
                offset = place[1] if place else offset
                group, stop, fault = self.group(segment, offset)
                if group is None:
                    break
                yield from group
                offset = group[-1].end
            if place:
                number, offset = place
                continue
            end = (number, stop)
            if segment.later_group(offset):
                what = fault or "a group that was durable is not whole"
                raise Corrupt(number, stop, what, self.sequence)
            rest = bytes(segment.data[offset : segment.limit]).rstrip(b"\0")
            if number == last:
                self.torn = len(rest)
            number, offset = number + 1, SEGMENT_HEADER

    def skip(self, segment, offset):
        """Where to go on behind a range that is skipped here, or None."""
        found = self.skipped.get((segment, offset))
        if found is None:
            return None
        self.whole = set()
        self.seal = bytes.fromhex(found["seal"])
        self.sequence = found["nextSequence"] - 1
        return found["to"]["segment"], found["to"]["offset"]

    def group(self, segment, start):
        """The records of the group there; or None, where it ends and why, if a whole record ends it."""
        found = []
        offset = start
        while True:
            record = record_at(segment.data, offset, segment.limit)
            if record is None or not record.crc_holds(segment):
                return None, offset, None
            fault = self.fault_of(segment, record, start, len(found))
            if fault:
                return None, offset, fault
            found.append(record)
            offset = record.end
            if record.name == "seal":
                break
        if not self.seal_holds(found):
            return None, found[-1].start, "a seal does not match its group"
        for record in found:
            self.check_chain(segment, record)
            self.sequence += 1
        return found, offset, None

    def fault(self, segment, record, what):
        return Corrupt(segment.number, record.start, what, self.sequence)

    def fault_of(self, segment, record, start, count):
        if record.group != start:
            return "a record belongs to another group"
        if segment.durable_before(record) > start:
            raise self.fault(segment, record, "a record says that more was durable than there was")
        if record.sequence != self.sequence + count + 1:
            return "a record is out of sequence"
        if record.name != "seal" and not record.digest_holds():
            return "a record does not have its digest"
        return None

    def seal_holds(self, found):
        seal = hashlib.sha256(self.seal + b"".join(r.digest for r in found[:-1])).digest()
        if found[-1].digest != seal or found[-1].previous != self.seal:
            return False
        self.seal = seal
        return True

    def check_chain(self, segment, record):
        if record.name == "run-ended":
            self.ended.append(record.run)
            if len(self.ended) > OPEN_RUNS_MAX:
                gone = self.ended.pop(0)
                for key in [key for key in self.actors if key[0] == gone]:
                    del self.actors[key]
        if record.name == "run-started" and self.whole is not None:
            self.whole.add(record.run)
        if record.name not in ("event", "branch"):
            return
        may_lack = self.whole is not None and record.run not in self.whole
        may_lack = may_lack or record.run in self.dropped_runs
        key = (record.run, record.actor)
        if record.name == "branch":
            if key in self.actors or record.previous is None:
                raise self.fault(segment, record, "a branch does not begin its actor")
            self.actors[key] = (record.actor_sequence, record.epoch, record.previous)
            return
        last, epoch, digest = self.actors.get(key, (0, 0, None))
        follows = record.actor_sequence == last + 1 and record.previous == digest
        if not (follows and record.epoch >= epoch) and not may_lack:
            raise self.fault(segment, record, "an event does not continue its actor")
        self.actors[key] = (record.actor_sequence, record.epoch, record.digest)


_zstd = None


def decompress(frame):
    """The content of one zstd frame."""
    global _zstd
    if _zstd is None:
        _zstd = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
        _zstd.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
        _zstd.ZSTD_decompress.restype = ctypes.c_size_t
        _zstd.ZSTD_getFrameContentSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        _zstd.ZSTD_decompress.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_char_p,
            ctypes.c_size_t,
        ]
    size = _zstd.ZSTD_getFrameContentSize(frame, len(frame))
    if size > TEXT_MAX:
        raise ValueError("no zstd frame, or one of a content that is too large")
    content = ctypes.create_string_buffer(max(size, 1))
    if _zstd.ZSTD_decompress(content, size, frame, len(frame)) != size:
        raise ValueError("a damaged zstd frame")
    return content.raw[:size]


def read_folder(data_directory):
    """Bytes of the segments of a data directory, by number."""
    folder = os.path.join(data_directory, "journal")
    segments = {}
    for name in os.listdir(folder):
        match = re.fullmatch(r"(\d{10})\.segment", name)
        if match:
            with open(os.path.join(folder, name), "rb") as file:
                segments[int(match[1])] = file.read()
    return segments


def read_skipped(data_directory):
    """Ranges that somebody decided to do without."""
    path = os.path.join(data_directory, "journal", "skipped.json")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def read_dropped(data_directory):
    """What was dropped from the beginning, oldest first."""
    path = os.path.join(data_directory, "journal", "compactions")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    found, previous = [], "0" * 64
    for line in lines:
        digest, body = line[:64], line[65:]
        if hashlib.sha256((previous + body).encode()).hexdigest() != digest:
            raise Corrupt(0, 0, "the list of what was dropped is damaged", 0)
        found.append(json.loads(body))
        previous = digest
    return found


class Keys:
    """The keys of the runs: files, or records of an archive."""

    def __init__(self, data_directory):
        self.folder = os.path.join(data_directory, "keys")
        self.known = {}

    def take(self, record):
        keys = RunKeys(record.body)
        self.known[keys.run] = keys

    def of(self, run):
        """The keys of the run, or None where they are gone."""
        if run not in self.known:
            path = os.path.join(self.folder, run)
            self.known[run] = None
            if os.path.exists(path):
                with open(path, "rb") as file:
                    self.known[run] = RunKeys(file.read())
        return self.known[run]


def text_of(record, keys):
    """Name of a text, and whether it is that of its content; null where nobody can say."""
    name, stored = record.body[:32], record.body[32:]
    shown_name = {"name": name.hex()}
    own = keys.of(record.run) if record.flags & ENCRYPTED else None
    if record.flags & ENCRYPTED and own is None:
        return {**shown_name, "holds": None}
    try:
        frame = own.decrypt(stored) if own else stored
        content = decompress(frame) if record.flags & COMPRESSED else frame
    except ValueError:
        return {**shown_name, "holds": False}
    expected = own.name_of(content) if own else hashlib.sha256(content).digest()
    return {**shown_name, "holds": expected == name}


def body_of(record, keys):
    """The body as text; null where the keys of the run are gone, or do not read it."""
    if record.name == "run-keys":
        keys.take(record)
        return None
    if not record.flags & ENCRYPTED:
        return record.body.decode("utf-8")
    own = keys.of(record.run)
    return own.decrypt(record.body).decode("utf-8") if own else None


def shown(record, keys):
    line = {
        "sequence": record.sequence,
        "type": record.name,
        "run": record.run,
        "actor": record.actor,
        "actorSequence": record.actor_sequence,
        "epoch": record.epoch,
        "cause": record.cause,
        "timeMs": record.time,
        "digest": record.digest.hex(),
        "previousDigest": record.previous.hex() if record.previous else None,
    }
    if record.name == "blob":
        line["text"] = text_of(record, keys)
    else:
        line["body"] = body_of(record, keys)
    return line


def main(data_directory):
    wrong = 0
    try:
        keys = Keys(data_directory)
        dropped = read_dropped(data_directory)
        reader = Reader(read_folder(data_directory), read_skipped(data_directory), dropped)
        for record in reader.records():
            try:
                line = shown(record, keys)
            except ValueError as error:
                place = {"sequence": record.sequence, "run": record.run, "what": str(error)}
                print(json.dumps({"type": "unreadable", **place}))
                wrong += 1
                continue
            wrong += line.get("text", {"holds": True})["holds"] is False
            print(json.dumps(line, ensure_ascii=False))
    except Corrupt as error:
        print(json.dumps({"type": "corrupt", **error.place}))
        return 5
    except Newer as error:
        print(json.dumps({"type": "newer", "what": str(error)}))
        return 5
    end = {"type": "end", "lastSequence": reader.sequence, "seal": reader.seal.hex()}
    print(json.dumps({**end, "torn": reader.torn}))
    return 5 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: journal_reader.py DATA")
    sys.exit(main(sys.argv[1]))
