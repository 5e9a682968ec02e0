"""The vectors of `hashwx` (PROTOCOL §2): what is solved, and what only looks so."""

import hashlib
import struct

import hashwx
import portcullis_client as client

SHAPE = {"algorithm": client.HASHWX, "count": 4, "difficulty": 16}
BLOCK = client.NONCES_PER_INSTANCE

PASSING = [  # name, fields, how it is solved, where it is redeemed
    ("hashwx: four sub-puzzles", {}, {}, {}),
    ("hashwx: one sub-puzzle that every nonce solves", {"count": 1, "difficulty": 1}, {}, {}),
    ("hashwx: nonces on both sides of the end of a block", {"difficulty": 3}, {"first_nonce": 7 * BLOCK - 2}, {}),
    ("hashwx: nonces of the highest block", {"count": 2, "difficulty": 3}, {"first_nonce": 2**64 - BLOCK // 2}, {}),
    ("hashwx: standing", {"flags": client.STANDING}, {}, {}),
    ("hashwx: form", {"purpose": client.FORM, "site_text": "key:site-key-1"}, {}, {"site_text": "key:site-key-1"}),
    ("hashwx: 64 sub-puzzles", {"count": 64, "difficulty": 2}, {"first_nonce": 1 << 40}, {}),
]


def guarded(raw, nonces):
    return client.pack_solution(nonces, raw, client.HASHWX)


def failing():
    """Name, code, fields of the challenge, and a function of its bytes and fields that makes the solution."""
    def good(raw, fields):
        return guarded(raw, client.solve(raw, fields))

    def altered(alter):
        return lambda raw, fields: guarded(raw, alter(client.solve(raw, fields)))

    def found_by(value):
        """Solved by another rule: `value` of challenge, sub-puzzle and nonce is what is compared."""
        return lambda raw, fields: guarded(raw, [
            next(nonce for nonce in range(2**64) if value(raw, index, nonce) <= fields.target)
            for index in range(fields.count)])

    def instance(message):
        return hashwx.Instance(hashlib.sha256(message).digest())

    yield "hashwx: a solution without its guard", "malformed", {}, lambda raw, fields: good(raw, fields)[:-8]
    yield "hashwx: two guards", "malformed", {}, lambda raw, fields: good(raw, fields) + bytes(8)
    yield ("sha256: a solution with a guard", "malformed", {"algorithm": client.SHA256},
           lambda raw, fields: client.pack_nonces(client.solve(raw, fields)) + bytes(8))
    yield "hashwx: a guard of zeros", "unsolved", {}, without_luck
    yield "hashwx: a guard with eleven zero bits", "unsolved", {}, eleven_zeros
    yield "hashwx: a guard for other nonces", "unsolved", {}, (
        lambda raw, fields: client.pack_nonces(client.solve(raw, fields)) + guarded(raw, [0] * 4)[-8:])
    yield "hashwx: a guard for another challenge", "unsolved", {}, (
        lambda raw, fields: guarded(bytes(64), client.solve(raw, fields)))
    yield "hashwx: the first nonce is one more, guarded", "unsolved", {}, altered(
        lambda nonces: [nonces[0] + 1, *nonces[1:]])
    yield "hashwx: the last nonce is one more, guarded", "unsolved", {}, altered(
        lambda nonces: [*nonces[:3], nonces[3] + 1])
    yield "hashwx: nonces swapped, guarded", "unsolved", {}, altered(lambda nonces: [nonces[1], nonces[0], *nonces[2:]])
    yield "hashwx: the same nonces of the next block, guarded", "unsolved", {}, altered(
        lambda nonces: [nonce + BLOCK for nonce in nonces])
    yield "hashwx: nonces of zero at the highest difficulty, guarded", "unsolved", {"difficulty": 2**32 - 1}, (
        lambda raw, fields: guarded(raw, [0] * 4))
    yield "hashwx: solved as sha256, guarded", "unsolved", {}, found_by(
        lambda raw, index, nonce: client.attempt(client.seed_of(raw), index, nonce))
    yield "hashwx: solved with one instance for all sub-puzzles, guarded", "unsolved", {}, found_by(
        lambda raw, index, nonce: instance(raw + struct.pack(">IQ", 0, nonce // BLOCK)).hash(nonce))
    yield "hashwx: solved with an instance for each nonce, guarded", "unsolved", {}, found_by(
        lambda raw, index, nonce: instance(raw + struct.pack(">IQ", index, nonce)).hash(nonce))
    yield "hashwx: solved with nonces counted from each block's begin, guarded", "unsolved", {}, (
        lambda raw, fields: guarded(raw, [
            next(BLOCK + place for place in range(BLOCK)
                 if instance(raw + struct.pack(">IQ", index, 1)).hash(place) <= fields.target)
            for index in range(fields.count)]))


def without_luck(raw, fields):
    solution = client.pack_nonces(client.solve(raw, fields)) + bytes(8)
    assert client.guard_zeros(raw, solution) < client.GUARD_BITS
    return solution


def eleven_zeros(raw, fields):
    nonces = client.pack_nonces(client.solve(raw, fields))
    solutions = (nonces + struct.pack(">Q", guard) for guard in range(2**64))
    return next(solution for solution in solutions if client.guard_zeros(raw, solution) == 11)
