"""AES-256-GCM (FIPS 197, NIST SP 800-38D) and the keys of a run, for journal_reader.py.

Written to be read: it decrypts, and takes no care against an observer who measures time.
"""

import hashlib
import hmac
import struct
import uuid

KEY, NONCE, TAG, RUN = 32, 12, 16, 16


def _double(value):
    """Times x in GF(2^8), modulo x^8 + x^4 + x^3 + x + 1."""
    return (value << 1) ^ (0x11B if value & 0x80 else 0)


def _sbox():
    """Inverse in GF(2^8), found by walking the powers of 3 and of its inverse, then the affine map."""
    box = [0x63] * 256
    power, inverse = 1, 1
    while True:
        power ^= _double(power)
        for shift in (1, 2, 4):
            inverse ^= inverse << shift & 0xFF
        inverse ^= 0x09 if inverse & 0x80 else 0
        turned = inverse
        for shift in (1, 2, 3, 4):
            turned ^= (inverse << shift | inverse >> 8 - shift) & 0xFF
        box[power] = turned ^ 0x63
        if power == 1:
            return box


SBOX = _sbox()
# A column of SubBytes and MixColumns at once; the others are its rotations.
T0 = [(_double(s) & 0xFF) << 24 | s << 16 | s << 8 | (_double(s) & 0xFF) ^ s for s in SBOX]
T1, T2, T3 = ([(t >> n | t << 32 - n) & 0xFFFFFFFF for t in T0] for n in (8, 16, 24))


def expand(key):
    """The 60 words of the key schedule of AES-256."""
    words = list(struct.unpack(">8I", key))
    constant = 1
    while len(words) < 60:
        word = words[-1]
        if len(words) % 8 == 0:
            word = _substitute((word << 8 | word >> 24) & 0xFFFFFFFF) ^ constant << 24
            constant = _double(constant)
        elif len(words) % 8 == 4:
            word = _substitute(word)
        words.append(words[-8] ^ word)
    return words


def _substitute(word):
    return (
        SBOX[word >> 24] << 24
        | SBOX[word >> 16 & 255] << 16
        | SBOX[word >> 8 & 255] << 8
        | SBOX[word & 255]
    )


def encrypt_block(words, block):
    """One block of 16 bytes under an expanded key."""
    a, b, c, d = (w ^ k for w, k in zip(struct.unpack(">4I", block), words))
    for at in range(4, 56, 4):
        a, b, c, d = (
            T0[w >> 24] ^ T1[x >> 16 & 255] ^ T2[y >> 8 & 255] ^ T3[z & 255] ^ words[at + i]
            for i, (w, x, y, z) in enumerate(
                ((a, b, c, d), (b, c, d, a), (c, d, a, b), (d, a, b, c))
            )
        )
    last = (
        SBOX[w >> 24] << 24 | SBOX[x >> 16 & 255] << 16 | SBOX[y >> 8 & 255] << 8 | SBOX[z & 255]
        for w, x, y, z in ((a, b, c, d), (b, c, d, a), (c, d, a, b), (d, a, b, c))
    )
    return struct.pack(">4I", *(w ^ k for w, k in zip(last, words[56:])))


def _halve(value):
    """Times x in GF(2^128), whose bits GCM numbers from the left."""
    return value >> 1 ^ (0xE1 << 120 if value & 1 else 0)


class Gcm:
    """Decryption under one key."""

    def __init__(self, key):
        self.words = expand(key)
        product = int.from_bytes(encrypt_block(self.words, bytes(16)), "big")
        powers = []
        for _ in range(8):
            powers.append(product)
            product = _halve(product)
        self.byte = [0] * 256
        for value in range(256):
            for bit in range(8):
                if value & 0x80 >> bit:
                    self.byte[value] ^= powers[bit]
        # What a product loses when it is shifted by a byte.
        self.carry = [0] * 256
        for value in range(256):
            shifted = value
            for _ in range(8):
                shifted = _halve(shifted)
            self.carry[value] = shifted

    def _times_h(self, value):
        byte, carry, product = self.byte, self.carry, 0
        for each in value.to_bytes(16, "little"):
            product = product >> 8 ^ carry[product & 255] ^ byte[each]
        return product

    def decrypt(self, stored):
        """Content of nonce, ciphertext and tag. Raises ValueError."""
        if len(stored) < NONCE + TAG:
            raise ValueError("too short to be encrypted")
        nonce, encrypted, tag = stored[:NONCE], stored[NONCE:-TAG], stored[-TAG:]
        digest = 0
        for at in range(0, len(encrypted), 16):
            block = encrypted[at : at + 16].ljust(16, b"\0")
            digest = self._times_h(digest ^ int.from_bytes(block, "big"))
        digest = self._times_h(digest ^ len(encrypted) * 8)
        first = encrypt_block(self.words, nonce + b"\0\0\0\1")
        if not hmac.compare_digest((digest ^ int.from_bytes(first, "big")).to_bytes(16, "big"), tag):
            raise ValueError("its tag does not hold")
        stream = b"".join(
            encrypt_block(self.words, nonce + struct.pack(">I", count))
            for count in range(2, 2 + (len(encrypted) + 15) // 16)
        )
        number = int.from_bytes(stream[: len(encrypted)], "big") ^ int.from_bytes(encrypted, "big")
        return number.to_bytes(len(encrypted), "big")


class RunKeys:
    """What the file of a run's keys says."""

    def __init__(self, data):
        self.run = str(uuid.UUID(bytes=data[:RUN]))
        self.cipher = Gcm(data[RUN : RUN + KEY])
        self.names = data[RUN + KEY : RUN + 2 * KEY]

    def decrypt(self, stored):
        return self.cipher.decrypt(stored)

    def name_of(self, content):
        """The 32 bytes under which the run keeps a text."""
        return hmac.new(self.names, hashlib.sha256(content).digest(), hashlib.sha256).digest()
