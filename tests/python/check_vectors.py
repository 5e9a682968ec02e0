"""Checks docs/vectors.json with the code of this folder. Run it by `portcullis_client.py check FILE`."""

import json

import arithmetic
import portcullis_client as client
import tickets
import tokens

LETTERS = {"m": "malformed", "f": "forged"}


def outcome(entry, challenge, solution):
    """The code that the entry's verifier answers; `ok` where the solution is worth something."""
    try:
        client.redeem(challenge, solution, [bytes.fromhex(master) for master in entry["masters"]], entry["now"],
                      entry["site_text"], entry["network"], entry["table_begins"])
    except client.Refused as refused:
        return refused.code
    return "ok"


def intermediate(entry):
    """Every value between the inputs of a passing entry and its verdict, as this implementation finds it."""
    raw = client.decode(entry["challenge"])
    fields = client.parse(raw)
    masters = [bytes.fromhex(master) for master in entry["masters"]]
    master = client.signing_master(fields, masters, entry["now"])
    names = ("version", "algorithm", "key_id", "count", "difficulty", "issued_at", "lifetime", "purpose", "flags")
    return {
        "key_challenge": client.derive_key(master, "challenge", fields.day).hex(),
        "seed": client.seed_of(raw).hex(),
        "target": f"{fields.target:016x}",
        "nonces": [f"{nonce:016x}" for nonce in
                   client.unpack_solution(client.decode(entry["solution"]), fields)],
        "fields": {name: getattr(fields, name) for name in names},
    } | (programs(raw, fields, entry["solution"]) if fields.algorithm == client.HASHWX else {})


def programs(raw, fields, solution):
    """What `hashwx` has between nonces and verdict: the seed of each nonce's instance, and each hash."""
    value = client.attempts(raw, fields.algorithm)
    nonces = list(enumerate(client.unpack_solution(client.decode(solution), fields)))
    return {
        "instance_seeds": [client.instance_seed(raw, index, nonce).hex() for index, nonce in nonces],
        "hashes": [f"{value(index, nonce):016x}" for index, nonce in nonces],
        "guard": client.decode(solution)[-client.GUARD_BYTES:].hex(),
    }


def flipped(raw, bit):
    """Bit 0 is the most significant one of byte 0."""
    altered = bytearray(raw)
    altered[bit // 8] ^= 0x80 >> bit % 8
    return bytes(altered)


def flips(entry, passing):
    """Complaints about an entry that alters each of the 512 bits of a passing challenge."""
    base = passing[entry["flip_bits_of"]]
    raw = client.decode(base["challenge"])
    for bit, letter in enumerate(entry["codes"]):
        found = outcome(base, client.encode(flipped(raw, bit)), base["solution"])
        if found != LETTERS[letter]:
            yield f"bit {bit}: {found} instead of {LETTERS[letter]}"
    if len(entry["codes"]) != 8 * client.CHALLENGE_BYTES:
        yield "not 512 codes"


def complaints(vectors):
    """For every entry its list, its name and what is wrong with it."""
    passing = {entry["name"]: entry for entry in vectors["pass"]}
    for entry in vectors["pass"]:
        found = outcome(entry, entry["challenge"], entry["solution"])
        wrong = [f"{found} instead of ok"] if found != "ok" else [
            f"{name} is {value}" for name, value in intermediate(entry).items() if entry[name] != value]
        yield "pass", entry["name"], wrong
    for entry in vectors["fail"]:
        if "flip_bits_of" in entry:
            yield "fail", entry["name"], list(flips(entry, passing))
            continue
        found = outcome(entry, entry["challenge"], entry["solution"])
        yield "fail", entry["name"], [] if found == entry["code"] else [f"{found} instead of {entry['code']}"]
    for entry in vectors["tickets"]:
        found = tickets.verdict(entry, entry["ticket"])
        yield "tickets", entry["name"], [] if found == entry["verdict"] else [f"{found} instead of {entry['verdict']}"]
    for name, wrong in tokens.complaints(vectors["tokens"]):
        yield "tokens", name, wrong
    for case in vectors["arithmetic"]:
        results = arithmetic.answer(case)
        yield "arithmetic", case["name"], [
            f"{name} is {value}" for name, value in results.items() if case[name] != value]


def run(path):
    """Prints what is wrong and the sum; the exit status."""
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    passed = failed = 0
    for part, name, wrong in complaints(vectors):
        if wrong:
            failed += 1
            print(f"{part} / {name}: {'; '.join(wrong)}")
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
