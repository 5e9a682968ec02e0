#!/usr/bin/env python3
"""Writes docs/vectors.json (standard output): `python3 tests/python/make_vectors.py > docs/vectors.json`.

Deterministic. `first_vectors.json` was made by another implementation; its entries are copied, not computed.
"""

import dataclasses
import hashlib
import json
import pathlib
import struct

import arithmetic
import check_vectors
import hashwx_vectors
import portcullis_client as client
import tickets
import tokens

ABOUT = [
    "Test vectors for Portcullis, wire protocol version 1 (docs/PROTOCOL.md, which says how to use them).",
    "The site's price is above zero and every challenge is redeemed for the first time.",
    "masters: the lines of secret_file in order, hex. now: the verifier's clock, unix seconds. site_text: what PRF(`site`) is taken of, `site:` and the site's name or `key:` and the site key, whichever `site` is. network: null where the site has bind = \"network\"; else bind = \"strict\" and this is the client's network. table_begins: the second in which the verifier's table begins. challenge, solution: as they are sent.",
    "The verifier offers both algorithms; where it does not offer `hashwx`, every challenge with algorithm 2 is malformed.",
    "pass: redeemed. The other fields are intermediate values, hex but for `fields`.",
    "fail: refused with `code`. An entry with `flip_bits_of` stands for 512: the passing entry of that name with one bit of its 64 bytes altered; letter i of `codes` belongs to bit i, bit 0 being the most significant bit of byte 0: m = malformed, f = forged.",
    "tickets: PROTOCOL §8. `ticket` is the cookie's value, `verdict` what it is worth at `now`: good, early, or the code for which it is refused.",
    "tokens: PROTOCOL §4. `token` is what `siteverify` is asked about at `now`, with a secret of the site key `key`, for the first time; `challenge` is what bought it, null where nothing did. `verdict`: good, or the code of the answer. An entry with `flip_bits_of` stands for the good token of that name with one of its bits altered, each in turn.",
    "arithmetic: PROTOCOL §3 by `kind`. Amounts ending in _hundredths are hundredths of a credit; prices, work, ceilings and floors are attempts; multipliers and ratios are decimal strings.",
]
MASTER = bytes(range(32))
OTHER_MASTER = hashlib.sha256(b"another master").digest()
DAY_BEGINS = 20_779 * client.SECONDS_PER_DAY
NOON = DAY_BEGINS + 43_200
MIDNIGHT = DAY_BEGINS + client.SECONDS_PER_DAY
SITE = "site:main"


def random_of(name):
    return hashlib.sha256(b"random of " + name.encode()).digest()[:16]


def built(name, **fields):
    """A small challenge; `master`, `site_text`, `issued_at` as for `build`."""
    master, site_text = fields.pop("master", MASTER), fields.pop("site_text", SITE)
    fields = {"issued_at": NOON, "count": 4, "difficulty": 64} | fields
    return client.build(master, site_text, random=random_of(name), **fields)


def solved(fields, **how):
    raw = fields.pack()
    return client.pack_solution(client.solve(raw, fields, **how), raw, fields.algorithm)


def context(masters=(MASTER,), now=NOON + 10, site_text=SITE, network=None, table_begins=0):
    return {"masters": [master.hex() for master in masters], "now": now, "site": site_text.partition(":")[2],
            "site_text": site_text, "network": network, "table_begins": table_begins}


def passing(name, fields, solution=None, **where):
    solution = solved(fields) if solution is None else solution
    entry = {"name": name} | context(**where)
    entry |= {"challenge": client.encode(fields.pack()), "solution": client.encode(solution)}
    return entry | check_vectors.intermediate(entry)


def failing(name, code, challenge, solution, **where):
    """`challenge` and `solution` as text, bytes or fields."""
    if isinstance(challenge, client.Challenge):
        challenge = challenge.pack()
    texts = {key: value if isinstance(value, str) else client.encode(value)
             for key, value in (("challenge", challenge), ("solution", solution))}
    return {"name": name} | context(**where) | texts | {"code": code}


def first_vectors():
    path = pathlib.Path(__file__).with_name("first_vectors.json")
    for vector in json.loads(path.read_text(encoding="utf-8"))["vectors"]:
        raw = bytes.fromhex(vector["challenge"])
        fields = client.parse(raw)
        site_text = ("key:" if fields.purpose == client.FORM else "site:") + vector["name"]
        names = ("version", "algorithm", "key_id", "count", "difficulty", "issued_at", "lifetime", "purpose", "flags")
        yield {"name": vector["note"]} | context([bytes.fromhex(vector["master"])],
                                                 fields.issued_at + min(10, fields.lifetime - 1), site_text,
                                                 vector["network"]) | {
            "challenge": client.encode(raw), "solution": client.encode(bytes.fromhex(vector["solution"]))} | {
            name: vector[name] for name in ("key_challenge", "seed", "target", "nonces")} | {
            "fields": {name: getattr(fields, name) for name in names}}


def passing_entries():
    yield from first_vectors()

    def case(name, where=None, **fields):
        return passing(name, built(name, **fields), **(where or {}))

    yield case("signed with the second line of the secret file",
               {"masters": [OTHER_MASTER, MASTER]})
    yield case("signed with the first of two lines", {"masters": [MASTER, OTHER_MASTER]})
    yield case("the second it was issued in", {"now": NOON})
    yield case("the last second of its lifetime", {"now": NOON + 299})
    yield case("issued five seconds in the future", {"now": NOON - 5})
    yield case("issued five seconds ahead, on the next day", {"now": MIDNIGHT - 5}, issued_at=MIDNIGHT)
    yield case("issued on the day before, with the longest lifetime", {"now": NOON + 65_534}, lifetime=65_535)
    yield case("lifetime of one second", {"now": NOON}, lifetime=1)
    yield case("issued in the second the table begins", {"table_begins": NOON})
    yield case("bound to a network where nothing is bound any more", network="203.0.113.0/24")
    yield case("issued + lifetime exceeds 32 bits", {"now": 2**32 - 2}, issued_at=2**32 - 100)
    yield case("issued in the first seconds of the clock", {"now": 2}, issued_at=4)
    yield case("a difficulty that does not divide 2^64 - 1", difficulty=7)
    yield case("site name of one character", {"site_text": "site:m"}, site_text="site:m")
    yield case("site key in another script", {"site_text": "key:schlüssel"}, site_text="key:schlüssel",
               purpose=client.FORM)
    for name, fields, how, where in hashwx_vectors.PASSING:
        fields = built(name, **hashwx_vectors.SHAPE | fields)
        yield passing(name, fields, solved(fields, **how), **where)


def flip_codes(entry):
    """What each altered bit must answer, reasoned from the ranges of PROTOCOL §1 and not from `parse`."""
    fields = entry["fields"]
    count, difficulty, lifetime = fields["count"], fields["difficulty"], fields["lifetime"]
    codes = []
    for bit in range(512):
        byte, weight = bit // 8, 0x80 >> bit % 8
        malformed = (
            byte in (0, 1)  # no other version or algorithm is known
            or byte == 3  # the solution's length no longer fits
            or (4 <= byte < 8 and difficulty == weight << 8 * (7 - byte))  # difficulty 0
            or (12 <= byte < 14 and lifetime == weight << 8 * (13 - byte))  # lifetime 0
            or (byte == 14 and fields["purpose"] ^ weight > 1)
            or (byte == 15 and weight != 1)
        )
        codes.append("m" if malformed else "f")
    assert count != count ^ 1, "an altered count is another count"
    return "".join(codes)


def flip_entries(passing_list):
    by_name = {entry["name"]: entry for entry in passing_list}
    for name in ("default shape", "64 sub-puzzles, odd difficulty", "form", "standing", "strict, IPv4",
                 "lifetime of one second", "hashwx: four sub-puzzles"):
        yield {"name": f"one bit altered: {name}", "flip_bits_of": name, "codes": flip_codes(by_name[name])}


def malformed_spellings():
    """Challenges and solutions that are worth something, in spellings that are not theirs."""
    # A challenge and a solution whose base64url has both `-` and `_`, and whose last character carries spare bits.
    for number in range(10_000):
        fields = built(f"spelling {number}", difficulty=1)
        solution = hashlib.sha256(fields.random).digest()  # at difficulty 1 every nonce solves
        good, worth = client.encode(fields.pack()), client.encode(solution)
        if all(mark in text for mark in "-_" for text in (good, worth)):
            break
    client.redeem(good, worth, [MASTER], NOON + 10, SITE)
    raw = fields.pack()

    def standard(text):
        return text.replace("-", "+").replace("_", "/")

    def spare_bits(text):
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        return text[:-1] + alphabet[alphabet.index(text[-1]) + 1]

    challenges = {
        "challenge: empty": "",
        "challenge: one byte shorter": raw[:-1],
        "challenge: one byte longer": raw + b"\0",
        "challenge: one character shorter": good[:-1],
        "challenge: one character longer": good + "A",
        "challenge: padded": good + "==",
        "challenge: bits after the last byte": spare_bits(good),
        "challenge: the alphabet of plain base64": standard(good),
        "challenge: a line break inside": good[:40] + "\n" + good[40:],
        "challenge: lines of 76 characters": good[:76] + "\r\n" + good[76:],
        "challenge: a line break at the end": good + "\n",
        "challenge: a blank at the beginning": " " + good,
        "challenge: a foreign character": good[:10] + "." + good[11:],
        "challenge: a letter beyond ASCII": good[:10] + "é" + good[11:],
        "challenge: a character of zero": good[:10] + "\0" + good[11:],
        "challenge: hexadecimal": raw.hex(),
        "challenge: twice": good + good,
    }
    for name, text in challenges.items():
        yield failing(name, "malformed", text, worth)
    solutions = {
        "solution: empty": "",
        "solution: one byte shorter": solution[:-1],
        "solution: one byte longer": solution + b"\0",
        "solution: one nonce shorter": solution[:-8],
        "solution: one nonce longer": solution + bytes(8),
        "solution: one character shorter": worth[:-1],
        "solution: padded": worth + "=",
        "solution: bits after the last byte": spare_bits(worth),
        "solution: the alphabet of plain base64": standard(worth),
        "solution: a line break inside": worth[:20] + "\n" + worth[20:],
        "solution: a line break at the end": worth + "\n",
        "solution: a blank at the end": worth + " ",
        "solution: a foreign character": worth[:10] + "*" + worth[11:],
        "solution: a letter beyond ASCII": worth[:10] + "ä" + worth[11:],
        "solution: 64 sub-puzzles for a challenge of four": hashlib.shake_256(b"long").digest(512),
    }
    for name, text in solutions.items():
        yield failing(name, "malformed", good, text)


def out_of_range():
    """A MAC that holds does not make a field valid."""
    cases = [("version", 0), ("version", 2), ("algorithm", 0), ("algorithm", 3), ("algorithm", 255), ("count", 0),
             ("count", 65), ("count", 255), ("difficulty", 0), ("lifetime", 0), ("purpose", 2), ("purpose", 3),
             ("purpose", 255), ("flags", 2), ("flags", 3), ("flags", 128)]
    for field, value in cases:
        name = f"{field} {value} under a MAC that holds"
        fields = dataclasses.replace(built(name, difficulty=1), **{field: value}).sealed(MASTER)
        yield failing(name, "malformed", fields, bytes(8 * fields.count))


def forged():
    def altered(name, solution=None, where=None, **changes):
        fields = dataclasses.replace(built(name), **changes)
        return failing(name, "forged", fields, solved(fields) if solution is None else solution, **(where or {}))

    other = built("another challenge", site_text="site:shop", issued_at=NOON + 1)
    yield altered("difficulty lowered under the same MAC", difficulty=1)
    yield altered("difficulty raised under the same MAC", difficulty=65)
    yield altered("count lowered under the same MAC", count=1)
    yield altered("lifetime raised under the same MAC", lifetime=65_535, where={"now": NOON + 301})
    yield altered("issued later under the same MAC", issued_at=NOON + 300, where={"now": NOON + 310})
    yield altered("made standing under the same MAC", flags=client.STANDING)
    yield altered("made a form's under the same MAC", purpose=client.FORM)
    yield altered("other random bytes under the same MAC", random=other.random)
    yield altered("another site under the same MAC", site=other.site, where={"site_text": "site:shop"})
    yield altered("the MAC of another challenge", mac=other.mac)
    yield altered("a MAC of zeros", mac=bytes(16))

    name = "the last 16 bytes of the HMAC instead of the first"
    fields = built(name)
    yield altered(name, mac=client.prf(MASTER, "challenge", fields.day, fields.pack()[:48])[16:])
    name = "a MAC under the key of another use"
    fields = built(name)
    yield altered(name, mac=client.prf(MASTER, "clearance", fields.day, fields.pack()[:48])[:16])
    name = "a binding taken away under the same MAC"
    fields = dataclasses.replace(built(name, network="203.0.113.0/24"), binding=bytes(8))
    yield failing(name, "forged", fields, solved(fields), network="198.51.100.0/24")

    name = "a MAC under a master that is not believed"
    fields = built(name, master=OTHER_MASTER)
    yield failing(name, "forged", fields, solved(fields))
    name = "a MAC under a master that is no longer believed"
    fields = built(name)
    yield failing(name, "forged", fields, solved(fields), masters=[OTHER_MASTER])

    for name, shift in (("the key id of the next day, with a MAC of that day", 1),
                        ("the key id of the day before, with a MAC of that day", -1)):
        fields = built(name)
        fields = dataclasses.replace(fields, key_id=(fields.day + shift) % 256).sealed(MASTER, fields.day + shift)
        yield failing(name, "forged", fields, solved(fields))
    name = "the key id of another day under a MAC of its own day"
    fields = built(name)
    fields = dataclasses.replace(fields, key_id=(fields.day + 1) % 256).sealed(MASTER)
    yield failing(name, "forged", fields, solved(fields))
    name = "the key id of its day under a MAC of another day"
    fields = built(name)
    yield failing(name, "forged", fields.sealed(MASTER, fields.day - 1), solved(fields.sealed(MASTER, fields.day - 1)))

    days = {
        "issued two days ago": NOON - 2 * client.SECONDS_PER_DAY,
        "issued tomorrow": NOON + client.SECONDS_PER_DAY,
        "issued 256 days ago: the same key id": NOON - 256 * client.SECONDS_PER_DAY,
        "issued in 256 days: the same key id": NOON + 256 * client.SECONDS_PER_DAY,
    }
    for name, issued_at in days.items():
        fields = built(name, issued_at=issued_at, lifetime=65_535)
        yield failing(name, "forged", fields, solved(fields))
    name = "issued six seconds ahead, on the next day, whose key is not believed yet"
    fields = built(name, issued_at=MIDNIGHT)
    yield failing(name, "forged", fields, solved(fields), now=MIDNIGHT - 6)
    name = "the day before yesterday, one second before its day leaves"
    fields = built(name, issued_at=DAY_BEGINS - client.SECONDS_PER_DAY - 1, lifetime=65_535)
    yield failing(name, "forged", fields, solved(fields), now=DAY_BEGINS)


def expired():
    cases = [
        ("expired by one second", {}, {"now": NOON + 300}),
        ("expired an hour ago", {}, {"now": NOON + 3_900}),
        ("lifetime of one second, one second later", {"lifetime": 1}, {"now": NOON + 1}),
        ("the longest lifetime, on the next day", {"lifetime": 65_535}, {"now": NOON + 65_535}),
        ("issued six seconds in the future", {}, {"now": NOON - 6}),
        ("issued six seconds ahead, on the next day, whose key is believed", {"issued_at": MIDNIGHT + 1},
         {"now": MIDNIGHT - 5}),
        ("issued an hour in the future", {}, {"now": NOON - 3_600}),
        ("issued one second before the table begins", {}, {"table_begins": NOON + 1}),
        ("issued on the day before the table begins", {"issued_at": MIDNIGHT - 1},
         {"now": MIDNIGHT, "table_begins": MIDNIGHT}),
    ]
    for name, fields, where in cases:
        fields = built(name, **fields)
        yield failing(name, "expired", fields, solved(fields), **where)


def wrong_place():
    sites = [
        ("made for another site", {"site_text": "site:shop"}, {}),
        ("made for a site whose name only begins the same", {"site_text": "site:main2"}, {}),
        ("made for a site with the name in capitals", {"site_text": "site:Main"}, {}),
        ("made for a site key, brought to the site of the same name",
         {"site_text": "key:main", "purpose": client.FORM}, {}),
        ("made for a site, brought to the site key of the same name", {}, {"site_text": "key:main"}),
        ("made for another site key", {"site_text": "key:site-key-1", "purpose": client.FORM},
         {"site_text": "key:site-key-2"}),
    ]
    for name, fields, where in sites:
        fields = built(name, **fields)
        yield failing(name, "wrong_site", fields, solved(fields), **where)
    name = "the site under the key of the day before"
    fields = built(name)
    fields = dataclasses.replace(fields, site=client.site_field(MASTER, fields.day - 1, SITE)).sealed(MASTER)
    yield failing(name, "wrong_site", fields, solved(fields))

    networks = [
        ("strict: another IPv4 network", "203.0.113.0/24", "203.0.112.0/24"),
        ("strict: another IPv6 network", "2001:db8:0:100::/56", "2001:db8:0:200::/56"),
        ("strict: IPv6 instead of IPv4", "203.0.113.0/24", "2001:db8:0:100::/56"),
        ("strict: IPv4 instead of IPv6", "2001:db8:0:100::/56", "203.0.113.0/24"),
        ("strict: a challenge that is bound to nothing", None, "203.0.113.0/24"),
    ]
    for name, made_for, brought_from in networks:
        fields = built(name, network=made_for)
        yield failing(name, "wrong_client", fields, solved(fields), network=brought_from)
    name = "strict: the network under the key of the day before"
    fields = built(name)
    binding = client.binding_field(MASTER, fields.day - 1, "203.0.113.0/24")
    fields = dataclasses.replace(fields, binding=binding).sealed(MASTER)
    yield failing(name, "wrong_client", fields, solved(fields), network="203.0.113.0/24")


def unsolved():
    def case(name, alter, **fields):
        fields = built(name, **fields)
        nonces = client.solve(fields.pack(), fields)
        return failing(name, "unsolved", fields, client.pack_nonces(alter(fields, nonces)))

    yield case("nonces swapped", lambda _, nonces: [nonces[1], nonces[0], *nonces[2:]])
    yield case("nonces in the opposite order", lambda _, nonces: nonces[::-1])
    yield case("every sub-puzzle with the nonce of the first", lambda _, nonces: [nonces[0]] * 4)
    yield case("the first nonce is one more", lambda _, nonces: [nonces[0] + 1, *nonces[1:]])
    yield case("the last nonce is one less", lambda _, nonces: [*nonces[:3], nonces[3] - 1])
    yield case("nonces little-endian", lambda _, nonces: [
        int.from_bytes(nonce.to_bytes(8, "little"), "big") for nonce in nonces])
    yield case("nonces of zero", lambda _, nonces: [0] * 4, difficulty=1_000_000)
    yield case("nonces with a bit above the 32nd", lambda _, nonces: [nonce | 1 << 40 for nonce in nonces])
    name = "the highest difficulty and count there are"
    yield failing(name, "unsolved", built(name, difficulty=2**32 - 1, count=64), bytes(512))
    name = "the solution of another challenge"
    yield failing(name, "unsolved", built(name), solved(built("a challenge that is not sent")))
    name = "solved with sub-puzzles counted from one"
    fields = built(name)
    seed = client.seed_of(fields.pack())
    yield failing(name, "unsolved", fields, client.pack_nonces(
        [least_nonce(lambda nonce, i=i: client.attempt(seed, i + 1, nonce), fields.target) for i in range(4)]))
    name = "solved without the seed's hash: over the challenge itself"
    fields = built(name)
    raw = fields.pack()
    yield failing(name, "unsolved", fields, client.pack_nonces(
        [least_nonce(lambda nonce, i=i: digest_number(raw + struct.pack(">IQ", i, nonce)), fields.target)
         for i in range(4)]))
    name = "solved with the digest read little-endian"
    fields = built(name)
    seed = client.seed_of(fields.pack())
    yield failing(name, "unsolved", fields, client.pack_nonces(
        [least_nonce(lambda nonce, i=i: digest_number(seed + struct.pack(">IQ", i, nonce), "little"), fields.target)
         for i in range(4)]))
    name = "one digest between the target and twice the target"
    fields = built(name)
    seed, nonces = client.seed_of(fields.pack()), client.solve(fields.pack(), fields)
    nonces[2] = next(nonce for nonce in range(2**32)
                     if fields.target < client.attempt(seed, 2, nonce) <= 2 * fields.target)
    yield failing(name, "unsolved", fields, client.pack_nonces(nonces))


def digest_number(message, order="big"):
    return int.from_bytes(hashlib.sha256(message).digest()[:8], order)


def least_nonce(value_of, target):
    return next(nonce for nonce in range(2**64) if value_of(nonce) <= target)


def order_of_checks():
    """Each has two faults; the answer is the one that is looked for first."""
    name = "solution of a wrong length and a MAC that does not hold"
    fields = dataclasses.replace(built(name), mac=bytes(16))
    yield failing(name, "malformed", fields, bytes(8))
    name = "flags beyond bit 0 and long expired"
    fields = dataclasses.replace(built(name), flags=4).sealed(MASTER)
    yield failing(name, "malformed", fields, solved(fields), now=NOON + 3_600)
    name = "forged and expired"
    fields = dataclasses.replace(built(name), mac=bytes(16))
    yield failing(name, "forged", fields, solved(fields), now=NOON + 300)
    name = "forged and unsolved"
    fields = dataclasses.replace(built(name, difficulty=1_000_000), mac=bytes(16))
    yield failing(name, "forged", fields, bytes(32))
    name = "expired and made for another site"
    fields = built(name, site_text="site:shop")
    yield failing(name, "expired", fields, solved(fields), now=NOON + 300)
    name = "expired and unsolved"
    yield failing(name, "expired", built(name, difficulty=1_000_000), bytes(32), now=NOON + 300)
    name = "before the table begins and made for another site"
    fields = built(name, site_text="site:shop")
    yield failing(name, "expired", fields, solved(fields), table_begins=NOON + 1)
    name = "made for another site and another network"
    fields = built(name, site_text="site:shop", network="203.0.113.0/24")
    yield failing(name, "wrong_site", fields, solved(fields), network="198.51.100.0/24")
    name = "made for another site and unsolved"
    yield failing(name, "wrong_site", built(name, site_text="site:shop", difficulty=1_000_000), bytes(32))
    name = "made for another network and unsolved"
    fields = built(name, network="203.0.113.0/24", difficulty=1_000_000)
    yield failing(name, "wrong_client", fields, bytes(32), network="198.51.100.0/24")


def failing_entries(passing_list):
    yield from flip_entries(passing_list)
    yield from malformed_spellings()
    yield from out_of_range()
    yield from forged()
    yield from expired()
    yield from wrong_place()
    yield from unsolved()
    yield from order_of_checks()
    for name, code, fields, spoiled in hashwx_vectors.failing():
        fields = built(name, **hashwx_vectors.SHAPE | fields)
        yield failing(name, code, fields, spoiled(fields.pack(), fields))


FLOOR, CEILING = 8 * 32_768, arithmetic.most_work(15, 1_000_000, 8)

ASKED = [  # name, price, multiplier, count, rate
    ("the floor", FLOOR, "1.00", 8, 1),
    ("one attempt", 1, "1.00", 8, 1),
    ("rounded up", 8 * 1_000 + 1, "1.00", 8, 1),
    ("a multiplier with two places", 1_000_000, "1.41", 8, 1),
    ("a multiplier that makes a fraction of an attempt", 801, "1.01", 8, 1),
    ("eightfold, at the ceiling", 5_000_000, "8.00", 8, 1),
    ("exactly the ceiling", CEILING, "1.00", 8, 1),
    ("ten times the ceiling", 10 * CEILING, "1.00", 8, 1),
    ("one sub-puzzle", FLOOR, "1.00", 1, 1),
    ("64 sub-puzzles", FLOOR, "1.00", 64, 1),
    ("three sub-puzzles", FLOOR, "1.00", 3, 1),
    ("a rate of 100", FLOOR, "1.00", 4, 100),
    ("a rate of 100, rounded up", 4 * 100 * 1_000 + 1, "1.00", 4, 100),
    ("a rate of 100, a multiplier with two places", 1_000_000, "1.41", 4, 100),
    ("a rate beyond what is asked: one attempt each", 1_000, "1.00", 4, 100_000),
]

HASHWX_CEILING = arithmetic.most_work(15, 300_000, 4, 100)

HASHWX_CREDITS = [  # where `hashwx` is sold too, as CREDITS
    ("hashwx: due beyond twenty times the other ceiling", HASHWX_CEILING, HASHWX_CEILING, 10_000, "1.00", False),
    ("hashwx: due is at most its ceiling", HASHWX_CEILING, HASHWX_CEILING, 10_000, "8.00", False),
    ("hashwx: half the work at its ceiling", HASHWX_CEILING, HASHWX_CEILING // 2, 10_000, "1.00", False),
    ("hashwx: a full challenge of sha256 buys a twentieth", 20 * CEILING, CEILING, 10_000, "1.00", False),
    ("hashwx: a full challenge of sha256 is outpriced beyond that", 20 * CEILING + 1, CEILING, 10_000, "1.00", False),
    ("hashwx: by the multiplier too", 5 * CEILING, CEILING, 10_000, "8.00", False),
]

CREDITS = [  # name, price, work, F, multiplier, standing
    ("work for the price", FLOOR, FLOOR, 10_000, "1.00", False),
    ("work beyond the price buys no more than F", FLOOR, 2 * FLOOR, 10_000, "1.00", False),
    ("the price has doubled since", 2 * FLOOR, FLOOR, 10_000, "1.00", False),
    ("the price has tripled since: rounded down", 3 * FLOOR, FLOOR, 10_000, "1.00", False),
    ("a twentieth is sold", 20 * FLOOR, FLOOR, 10_000, "1.00", False),
    ("just below a twentieth is outpriced", 20 * FLOOR + 1, FLOOR, 10_000, "1.00", False),
    ("far below is outpriced", 1_000 * FLOOR, FLOOR, 10_000, "1.00", False),
    ("the multiplier has doubled since", FLOOR, FLOOR, 10_000, "2.00", False),
    ("a multiplier with two places", 1_000_000, 1_000_000, 10_000, "1.73", False),
    ("at ten times the ceiling a full challenge buys ten credits", 10 * CEILING, CEILING, 10_000, "1.00", False),
    ("what is due is at most twenty times the ceiling", 10 * CEILING, CEILING, 10_000, "8.00", False),
    ("twenty times the ceiling, half the work", 10 * CEILING, CEILING // 2, 10_000, "8.00", False),
    ("standing, price zero", 0, FLOOR, 10_000, "1.00", True),
    ("standing, price zero, multiplier eight", 0, FLOOR, 10_000, "8.00", True),
    ("standing, work beyond the price", FLOOR, 4 * FLOOR, 10_000, "1.00", True),
    ("standing, work below the price", 4 * FLOOR, FLOOR, 10_000, "1.00", True),
    ("three verifiers share the secret", FLOOR, FLOOR, 3_333, "1.00", False),
    ("three verifiers, half the work", FLOOR, FLOOR // 2, 3_333, "1.00", False),
    ("three verifiers, a twentieth of the work", 20 * FLOOR, FLOOR, 3_333, "1.00", False),
    ("three verifiers, just below a twentieth", 20 * FLOOR + 1, FLOOR, 3_333, "1.00", False),
    ("what is sold is at least a hundredth", 15 * FLOOR, FLOOR, 10, "1.00", False),
    ("a million credits, the highest difficulty and count", 10 * CEILING, 64 * (2**32 - 1), 100_000_000, "8.00", False),
    ("a million credits, a price of one third", 3 * FLOOR, FLOOR, 100_000_000, "1.00", False),
]

CHARGES = [  # name, cost, begun, price now, price paid, asset, after a navigation
    ("a page at the price paid", 100, 10_000, FLOOR, FLOOR, False, False),
    ("the price has fallen: no cheaper", 100, 10_000, FLOOR, 4 * FLOOR, False, False),
    ("the price has doubled", 100, 10_000, 2 * FLOOR, FLOOR, False, False),
    ("the price rose by a third: rounded up", 100, 10_000, 4 * FLOOR, 3 * FLOOR, False, False),
    ("a route of cost 20", 2_000, 10_000, FLOOR, FLOOR, False, False),
    ("a route of cost 20 on the smallest clearance", 2_000, 500, FLOOR, FLOOR, False, False),
    ("a route of cost 20 on the smallest clearance, at twice the price", 2_000, 500, 2 * FLOOR, FLOOR, False, False),
    ("a route of cost 0.01", 1, 10_000, FLOOR, FLOOR, False, False),
    ("an asset", 100, 10_000, FLOOR, FLOOR, True, False),
    ("an asset at three times the price", 100, 10_000, 3 * FLOOR, FLOOR, True, False),
    ("an asset at fifty times the price", 100, 10_000, 50 * FLOOR, FLOOR, True, False),
    ("an asset at fifty times the price after a navigation", 100, 10_000, 50 * FLOOR, FLOOR, True, True),
    ("an asset after a navigation, rounded up", 100, 10_000, 4 * FLOOR, 3 * FLOOR, True, True),
]

ADMITS = [  # name, left, begun, charge, request, after a navigation, ratio of that navigation
    ("a page on a fresh clearance", 10_000, 10_000, 100, "navigation", False, "1.00"),
    ("a page down to the reserve", 1_100, 10_000, 100, "navigation", False, "1.00"),
    ("a page that would break into the reserve", 1_099, 10_000, 100, "navigation", False, "1.00"),
    ("a route of cost 20 on the smallest clearance", 500, 500, 450, "navigation", False, "1.00"),
    ("a POST breaks into the reserve", 1_099, 10_000, 100, "unsafe", False, "1.00"),
    ("a POST down to zero", 100, 10_000, 100, "unsafe", False, "1.00"),
    ("a POST below zero", 99, 10_000, 100, "unsafe", False, "1.00"),
    ("an asset without a navigation keeps the reserve", 1_009, 10_000, 10, "asset", False, "1.00"),
    ("an asset after a navigation spends the reserve", 1_000, 10_000, 10, "asset", True, "1.00"),
    ("an asset overdraws by six", -590, 10_000, 10, "asset", True, "1.00"),
    ("an asset overdraws by more than six", -591, 10_000, 10, "asset", True, "1.00"),
    ("an asset overdraws at a ratio of four", -2_300, 10_000, 100, "asset", True, "4.00"),
    ("an asset overdraws beyond a ratio of ten", -5_901, 10_000, 100, "asset", True, "40.00"),
    ("an asset overdraws up to a ratio of ten", -5_900, 10_000, 100, "asset", True, "40.00"),
    ("an asset overdraws by the credits begun at most", -401, 500, 100, "asset", True, "10.00"),
    ("an asset overdraws by the credits begun", -400, 500, 100, "asset", True, "10.00"),
    ("a page on an overdrawn clearance", -100, 10_000, 100, "navigation", True, "1.00"),
]


def arithmetic_cases():
    for difficulty in (1, 2, 3, 5, 64, 1_000, 32_768, 1_275_511, 2**31, 2**32 - 1):
        yield {"name": f"target of difficulty {difficulty}", "kind": "target", "difficulty": difficulty}
    for clearance_credits, verifiers in ((100, 1), (100, 3), (100, 7), (1, 1), (1_000_000, 1), (1_000_000, 3)):
        yield {"name": f"{clearance_credits} credits, {verifiers} verifiers", "kind": "full_credits",
               "clearance_credits": clearance_credits, "verifiers": verifiers}
    for seconds, count in ((15, 1), (15, 4), (15, 8), (15, 16), (15, 64), (1, 8), (60, 8)):
        yield {"name": f"{seconds} s, {count} sub-puzzles", "kind": "ceiling", "algorithm": "sha256",
               "max_solve_seconds": seconds, "slowest_attempts_per_second": 1_000_000, "count": count, "rate": 1}
    for seconds, count, rate in ((15, 4, 1), (15, 4, 100), (15, 4, 7), (15, 8, 100), (60, 64, 100_000)):
        yield {"name": f"hashwx: {seconds} s, {count} sub-puzzles, rate {rate}", "kind": "ceiling",
               "algorithm": "hashwx", "max_solve_seconds": seconds, "slowest_attempts_per_second": 300_000,
               "count": count, "rate": rate}
    for name, price, multiplier, count, rate in ASKED:
        yield {"name": name, "kind": "asked", "price": price, "multiplier": multiplier, "ceiling": CEILING,
               "count": count, "rate": rate}
    for other, cases in ((None, CREDITS), (HASHWX_CEILING, HASHWX_CREDITS)):
        for name, price, work, full, multiplier, standing in cases:
            yield {"name": name, "kind": "credits", "price": price, "work": work, "full_credits_hundredths": full,
                   "multiplier": multiplier, "ceiling": CEILING, "hashwx_ceiling": other, "standing": standing}
    for used in (0, 1, 2, 3, 4):
        yield {"name": f"{used} quarters of the table in use", "kind": "table", "floor": FLOOR, "used": used, "size": 4}
    for begun in (10_000, 500, 3_333, 1_000, 9, 10, 100_000_000):
        yield {"name": f"{begun} hundredths begun", "kind": "reserve", "begun_hundredths": begun}
    for name, cost, begun, price_now, price_paid, asset, after_navigation in CHARGES:
        yield {"name": name, "kind": "charge", "cost_hundredths": cost, "begun_hundredths": begun,
               "price_now": price_now, "price_paid": price_paid, "asset": asset, "after_navigation": after_navigation}
    for name, left, begun, amount, request, after_navigation, ratio in ADMITS:
        yield {"name": name, "kind": "admits", "left_hundredths": left, "begun_hundredths": begun,
               "charge_hundredths": amount, "request": request, "after_navigation": after_navigation,
               "navigation_ratio": ratio}
    for address in ("203.0.113.77", "203.0.113.0", "::ffff:203.0.113.77", "2001:db8:0:1ff:1:2:3:4", "2001:db8::1",
                    "2001:db8:0:100::", "::1", "127.0.0.1", "64:ff9b::cb00:7107"):
        yield {"name": f"network of {address}", "kind": "network", "address": address}


def lines(entries):
    """One line an entry: a changed vector is a changed line."""
    return ",\n".join("    " + json.dumps(entry, ensure_ascii=False) for entry in entries)


def main():
    passing_list = list(passing_entries())
    failing_list = list(failing_entries(passing_list))
    cases = [case | arithmetic.answer(case) for case in arithmetic_cases()]
    ticket_list = list(tickets.entries((MASTER, OTHER_MASTER), NOON, random_of))
    token_list = list(tokens.entries((MASTER, OTHER_MASTER), NOON, random_of))
    about = ",\n".join("    " + json.dumps(line, ensure_ascii=False) for line in ABOUT)
    print(f'{{\n  "about": [\n{about}\n  ],\n  "pass": [\n{lines(passing_list)}\n  ],\n'
          f'  "fail": [\n{lines(failing_list)}\n  ],\n  "tickets": [\n{lines(ticket_list)}\n  ],\n  "tokens": [\n{lines(token_list)}'
          f'\n  ],\n  "arithmetic": [\n{lines(cases)}\n  ]\n}}')


if __name__ == "__main__":
    main()
