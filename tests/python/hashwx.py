"""HashWX in Python, from its public specification alone (`tevador/hashwx`, `doc/specification.md`, commit
14b5cb7259545e490ea7d54396fb41a673236825), whose sections are named below. Slow: about 100 hashes a second."""

import itertools
import struct

MASK = 2**64 - 1
ADDRESSES = 16_384
PROGRAMS = 32
BRANCHES = 32
ROUNDS = 4

# Appendix B: which three of seven instructions multiply.
TEMPLATES = sorted("".join("M" if place in chosen else "X" for place in range(7))
                   for chosen in itertools.combinations(range(7), 3))
MULTIPLYING = ("MULOR", "MULXOR", "MULADD")
SHIFTING = tuple(combine + shift for shift in ("ROR", "ASR", "LSR") for combine in ("XOR", "ADD", "SUB"))

# Appendix D.
SOURCE_ORDERS = """
02345671 02375614 02451673 02713456 03172456 03456712 03567214 04127356 04567123 04576132 05123746 06123475
06541372 10326745 10576342 10675234 10723456 10742635 10765324 12576304 13056742 14672035 14675230 16057234
16057324 16357042 16705234 17023456 17065234 17506234 17506324 17642053 20675341 20713456 20741653 23457601
23615740 23645701 23657041 23675041 24316705 24675031 25067314 25471603 25640731 26310745 27013456 27450631
27645013 27645031 30172456 30456271 30657142 30741625 34016725 34026715 34057612 34602715 34701625 34702615
35460172 35461270 35462170 36705214 37102456 37506124 37506214 40127356 40752613 42361705 42576130 43012675
43751620 45061273 45062173 45367021 45367102 46075231 46302751 46312705 46315702 47120356 47506213 50123746
52460173 52461073 52461370 52461730 52706314 53017642 53412670 53641270 54062371 54372601 54673120 56317042
56407312 56740123 57123046 60123475 62315704 62450371 62570143 62743015 63517402 63517420 64571230 65740123
65740213 65740312 67123405 67123450 67350142 67540123 72013456 72451306 72451603 73102456 73456021 74120356
74560132 75123046 75316024 75641203 75641230 76123405 76123450 76305124
""".split()

# Appendix F: seed, nonce, hash.
VECTORS = (
    ("5468697320697320612074657374207365656420666f72206861736877780000", 0, 0x1AF53247BE2CFE67),
    ("5468697320697320612074657374207365656420666f72206861736877780000", 123456, 0xE3545019A837EBBA),
    ("4c6f72656d20697073756d20646f6c6f722073697420616d6574000000000000", 123456, 0xC04B99E6001BD636),
    ("4c6f72656d20697073756d20646f6c6f722073697420616d6574000000000000", 987654321123456789, 0x3F07BF678615B8FA),
)


def rotated(value, bits):
    return (value >> bits | value << (64 - bits)) & MASK


def sip_round(v0, v1, v2, v3):
    """A.1."""
    v0, v2 = (v0 + v1) & MASK, (v2 + v3) & MASK
    v1, v3 = rotated(v1, 51) ^ v0, rotated(v3, 48) ^ v2
    v0 = rotated(v0, 32)
    v2, v0 = (v2 + v1) & MASK, (v0 + v3) & MASK
    v1, v3 = rotated(v1, 47) ^ v2, rotated(v3, 43) ^ v0
    return v0, v1, rotated(v2, 32), v3


def sip_numbers(key, salt):
    """A.2 and A.3: the numbers without end."""
    k0, k1 = struct.unpack("<QQ", key)
    state = (0x736F6D6570736575 ^ k0, 0x646F72616E646F6D ^ k1, 0x6C7967656E657261 ^ k0, 0x7465646279746573 ^ k1 ^ salt)
    v0, v1, v2, v3 = sip_round(*state)
    state = (v0 ^ salt, v1, v2 ^ 0xBB, v3)
    for _ in range(3):
        state = sip_round(*state)
    while True:
        yield from reversed(state)
        v0, v1, v2, v3 = state
        state = (v0 ^ k0, v1 ^ k1, v2 ^ k0, v3 ^ k1)
        for _ in range(4):
            state = sip_round(*state)


def program(gen):
    """§2.3: the instructions of indexes 1 to 8, as (opcode, destination, source, immediate); source None is R8."""
    destinations = [0] * 8
    for i in range(1, 8):
        destinations[i] = i
        j = (gen[i - 1] >> 32) % (i + 1)
        destinations[i] = destinations[j]
        destinations[j] = i
    template = TEMPLATES[gen[7] % 35]
    order = SOURCE_ORDERS[gen[7] % 128]
    instructions = [("RMCG", destinations[0], None, 1 + gen[8] % 63)]
    for i, kind in enumerate(template):
        low = gen[i] & 0xFFFFFFFF
        opcode = MULTIPLYING[low % 3] if kind == "M" else SHIFTING[low % 9]
        number = gen[9 + i]
        if kind == "M":
            immediate = (1, 9, 33)[number % 3]
        else:
            immediate = 1 + number % (63 if opcode.endswith("ROR") else 3)
        instructions.append((opcode, destinations[1 + i], destinations[int(order[1 + i])], immediate))
    return instructions


class Instance:
    """The hash function of a 32-byte seed."""

    def __init__(self, seed):
        numbers = sip_numbers(seed[:16], MASK)
        self.programs = [program(list(itertools.islice(numbers, 16))) for _ in range(PROGRAMS)]
        self.key = seed[16:]

    def hash(self, nonce):
        """§3."""
        r = list(itertools.islice(sip_numbers(self.key, nonce), 8))
        factor = (r[0] ^ r[4]) & (MASK - 7) | 3
        memory = bytearray(ADDRESSES + 8)
        struct.pack_into("<Q", memory, ADDRESSES, factor)
        pointer = ADDRESSES
        for loaded in (False, True):
            for _ in range(ROUNDS):
                branches = BRANCHES
                for number, instructions in enumerate(self.programs):
                    while True:
                        if not loaded:
                            pointer -= 64
                            struct.pack_into("<8Q", memory, pointer, *reversed(r))
                        flag = run(instructions, r, factor, memory if loaded else None)
                        if branches == 0 or (flag and number < PROGRAMS - 1):
                            break
                        branches -= 1
        assert pointer == 0, "256 stores fill the memory"
        return sip_round(*r[:4])[3] ^ sip_round(*r[4:])[3] ^ factor


def run(instructions, r, factor, memory):
    """Runs one program on the registers `r`; the branch flag."""
    for opcode, target, source, immediate in instructions:
        value = r[target]
        if opcode == "RMCG":
            r[target] = rotated(value * factor & MASK, immediate)
            flag = r[target] >> 5 & 1
            continue
        operand = r[source]
        if memory is not None:
            operand, = struct.unpack_from("<Q", memory, operand % ADDRESSES)
        if opcode in MULTIPLYING:
            mixed = {"MULOR": value | immediate, "MULXOR": value ^ immediate, "MULADD": value + immediate}[opcode]
            r[target] = mixed * operand & MASK
            continue
        combine, shift = opcode[:3], opcode[3:]
        if shift == "ROR":
            value = rotated(value, immediate)
        elif shift == "LSR":
            value >>= immediate
        else:
            value = (value - (value >> 63 << 64) >> immediate) & MASK
        r[target] = {"XOR": value ^ operand, "ADD": value + operand, "SUB": value - operand}[combine] & MASK
    return flag


if __name__ == "__main__":
    for seed, nonce, expected in VECTORS:
        found = Instance(bytes.fromhex(seed)).hash(nonce)
        assert found == expected, f"{seed} {nonce}: {found:016x} instead of {expected:016x}"
    print(f"{len(VECTORS)} vectors of the specification hold")
