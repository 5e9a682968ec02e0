#!/usr/bin/env python3
"""A client for Portcullis in Python's standard library, written from docs/PROTOCOL.md alone.

It shares no code with the rest of the project, so that a mistake has to be made twice to stay hidden.

    portcullis_client.py get URL                 solve the challenge for URL, redeem it, print status and body
    portcullis_client.py token URL KEY           solve a challenge for the site key, print the token of a form at URL
    portcullis_client.py check docs/vectors.json check every vector; the last line is `N passed, N failed`

The top is the wire format (PROTOCOL §1 and §2) with both sides of it: a client needs `parse`, `solve` and
`Visitor`, a verifier would need `build` and `redeem`. The arithmetic of §3 is in `arithmetic.py`.
"""

import argparse
import base64
import dataclasses
import functools
import hashlib
import hmac
import http.client
import json
import re
import ssl
import struct
import sys
import urllib.parse

import hashwx

SECONDS_PER_DAY = 86_400
FUTURE_SECONDS_MAX = 5
CHALLENGE_BYTES = 64
COUNT_MAX = 64
SHA256, HASHWX = 1, 2
GATE, FORM = 0, 1
STANDING = 1
NONCES_PER_INSTANCE = 65_536
GUARD_BYTES, GUARD_BITS = 8, 12

LAYOUT = struct.Struct(">BBBBIIHBB16s8s8s16s")


class Refused(Exception):
    """A challenge with its solution buys nothing; `code` is the word of PROTOCOL §4."""

    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")
        self.code = code


# --- PROTOCOL §1: base64url, keys, the 64 bytes ---------------------------------------------------------------------


def encode(raw):
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text):
    """Strict base64url: each byte string has exactly one spelling, every other one is `malformed`."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text, re.ASCII) or text.endswith("\n") or len(text) % 4 == 1:
        raise Refused("malformed", "not base64url without padding")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(raw) != text:
        raise Refused("malformed", "bits after the last byte")
    return raw


def hmac_sha256(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def derive_key(master, use, day):
    """HKDF-SHA-256 (RFC 5869) with empty salt; 32 bytes are one block of its expansion."""
    pseudorandom_key = hmac_sha256(bytes(32), master)
    return hmac_sha256(pseudorandom_key, f"portcullis/1/{use}/{day}".encode("ascii") + b"\x01")


def prf(master, use, day, message):
    return hmac_sha256(derive_key(master, use, day), message)


def site_field(master, day, site_text):
    """`site_text` is `site:` and a site's name, or `key:` and a site key."""
    return prf(master, "site", day, site_text.encode("utf-8"))[:8]


def binding_field(master, day, network):
    """Eight zero bytes where clients are not bound (`network` is None)."""
    return bytes(8) if network is None else prf(master, "network", day, network.encode("ascii"))[:8]


@dataclasses.dataclass(frozen=True)
class Challenge:
    version: int
    algorithm: int
    key_id: int
    count: int
    difficulty: int
    issued_at: int
    lifetime: int
    purpose: int
    flags: int
    random: bytes
    binding: bytes
    site: bytes
    mac: bytes

    @property
    def day(self):
        return self.issued_at // SECONDS_PER_DAY

    @property
    def target(self):
        return (2**64 - 1) // self.difficulty

    def pack(self):
        return LAYOUT.pack(*dataclasses.astuple(self))

    def sealed(self, master, key_day=None):
        """The same fields under a MAC that holds (with `key_day`: under the key of that day)."""
        day = self.day if key_day is None else key_day
        return dataclasses.replace(self, mac=prf(master, "challenge", day, self.pack()[:48])[:16])


def build(master, site_text, issued_at, random, count=8, difficulty=32_768, lifetime=300, purpose=GATE, flags=0,
          network=None, algorithm=SHA256):
    """A challenge as a verifier issues it. Out-of-range fields are not refused: vectors need them."""
    day = issued_at // SECONDS_PER_DAY
    fields = Challenge(1, algorithm, day % 256, count, difficulty, issued_at, lifetime, purpose, flags, random,
                       binding_field(master, day, network), site_field(master, day, site_text), bytes(16))
    return fields.sealed(master)


def parse(raw):
    """The fields of 64 bytes that keep to every range of PROTOCOL §1."""
    if len(raw) != CHALLENGE_BYTES:
        raise Refused("malformed", f"a challenge has {CHALLENGE_BYTES} bytes, not {len(raw)}")
    fields = Challenge(*LAYOUT.unpack(raw))
    in_range = {
        "version": fields.version == 1,
        "algorithm": fields.algorithm in (SHA256, HASHWX),
        "count": 1 <= fields.count <= COUNT_MAX,
        "difficulty": fields.difficulty >= 1,
        "lifetime": fields.lifetime >= 1,
        "purpose": fields.purpose in (GATE, FORM),
        "flags": fields.flags & ~STANDING == 0,
    }
    for name, holds in in_range.items():
        if not holds:
            raise Refused("malformed", f"{name} is {getattr(fields, name)}")
    return fields


def signing_master(fields, masters, now):
    """The master under whose key of the challenge's day the MAC holds."""
    believed_days = {(now + seconds) // SECONDS_PER_DAY for seconds in (-SECONDS_PER_DAY, 0, FUTURE_SECONDS_MAX)}
    if fields.key_id != fields.day % 256 or fields.day not in believed_days:
        raise Refused("forged", "no key of that day")
    for master in masters:
        if hmac.compare_digest(fields.sealed(master).mac, fields.mac):
            return master
    raise Refused("forged", "the MAC does not hold")


# --- PROTOCOL §2: the work -----------------------------------------------------------------------------------------


def seed_of(raw_challenge):
    return hashlib.sha256(raw_challenge).digest()


def attempt(seed, index, nonce):
    """What one attempt of `sha256` hashes to, as the number that is compared with the target."""
    return int.from_bytes(hashlib.sha256(seed + struct.pack(">IQ", index, nonce)).digest()[:8], "big")


def instance_seed(raw_challenge, index, nonce):
    """What the programs of a nonce are made from: those of the 65,536 nonces of a block are the same."""
    return hashlib.sha256(raw_challenge + struct.pack(">IQ", index, nonce // NONCES_PER_INSTANCE)).digest()


def attempts(raw_challenge, algorithm):
    """A function of sub-puzzle and nonce: what is compared with the target."""
    if algorithm == SHA256:
        return functools.partial(attempt, seed_of(raw_challenge))
    instance = functools.lru_cache(maxsize=4)(hashwx.Instance)
    return lambda index, nonce: instance(instance_seed(raw_challenge, index, nonce)).hash(nonce)


def solve(raw_challenge, fields, first_nonce=0):
    """A nonce for every sub-puzzle: `count × difficulty` attempts on average."""
    value, target = attempts(raw_challenge, fields.algorithm), fields.target
    return [next(nonce for nonce in range(first_nonce, 2**64) if value(index, nonce) <= target)
            for index in range(fields.count)]


def pack_nonces(nonces):
    return struct.pack(f">{len(nonces)}Q", *nonces)


def guard_zeros(raw_challenge, solution):
    """Leading zero bits of the digest that the guard, the last eight bytes, has to make begin with twelve."""
    return 256 - int.from_bytes(hashlib.sha256(raw_challenge + solution).digest(), "big").bit_length()


def pack_solution(nonces, raw_challenge, algorithm):
    """The bytes that are sent: with `hashwx` they end with a guard."""
    packed = pack_nonces(nonces)
    if algorithm == SHA256:
        return packed
    guarded = (packed + struct.pack(">Q", guard) for guard in range(2**64))
    return next(solution for solution in guarded if guard_zeros(raw_challenge, solution) >= GUARD_BITS)


def unpack_solution(raw, fields):
    """The nonces; a guard is left out."""
    length = 8 * fields.count + (GUARD_BYTES if fields.algorithm == HASHWX else 0)
    if len(raw) != length:
        raise Refused("malformed", f"a solution of {fields.count} sub-puzzles has {length} bytes, not {len(raw)}")
    return list(struct.unpack_from(f">{fields.count}Q", raw))


# --- PROTOCOL §4: what a verifier checks, in its order ---------------------------------------------------------------


def redeem(challenge, solution, masters, now, site_text, network=None, table_begins=0):
    """The fields of a challenge that is worth something now, or `Refused`. Whether it was redeemed before is not asked.

    `network` is the client's network where the site binds strictly, else None.
    """
    raw = decode(challenge)
    fields = parse(raw)
    solution = decode(solution)
    nonces = unpack_solution(solution, fields)
    master = signing_master(fields, masters, now)
    if not fields.issued_at - FUTURE_SECONDS_MAX <= now < fields.issued_at + fields.lifetime:
        raise Refused("expired", "outside its lifetime")
    if fields.issued_at < table_begins:
        raise Refused("expired", "issued before the table begins")
    if fields.site != site_field(master, fields.day, site_text):
        raise Refused("wrong_site", "made for another site")
    if network is not None and fields.binding != binding_field(master, fields.day, network):
        raise Refused("wrong_client", "made for another network")
    if fields.algorithm == HASHWX and guard_zeros(raw, solution) < GUARD_BITS:
        raise Refused("unsolved", "the guard does not hold")
    value = attempts(raw, fields.algorithm)
    for index, nonce in enumerate(nonces):
        if value(index, nonce) > fields.target:
            raise Refused("unsolved", f"sub-puzzle {index} is not solved")
    return fields


# --- A visitor without a browser -------------------------------------------------------------------------------------


class Visitor:
    """Fetches one URL from behind a gate."""

    def __init__(self, url, base_path="/.portcullis/", insecure=False, algorithms=("sha256",), timeout_seconds=30):
        self.url = urllib.parse.urlsplit(url)
        if self.url.scheme not in ("http", "https") or not self.url.hostname:
            raise SystemExit(f"{url}: an address begins with http:// or https:// and a host")
        self.target = (self.url.path or "/") + (f"?{self.url.query}" if self.url.query else "")
        self.base_path = base_path
        self.tls = ssl._create_unverified_context() if insecure else ssl.create_default_context()
        self.algorithms = algorithms
        self.timeout_seconds = timeout_seconds

    def request(self, method, target, body=None, headers=None):
        address = {"host": self.url.hostname, "port": self.url.port, "timeout": self.timeout_seconds}
        if self.url.scheme == "https":
            connection = http.client.HTTPSConnection(**address, context=self.tls)
        else:
            connection = http.client.HTTPConnection(**address)
        try:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def endpoint(self, name):
        return f"{self.base_path}{name}?for={urllib.parse.quote(self.target, safe='')}"

    def clearance(self):
        """The `Cookie` header that pays for the target; None where nothing is asked."""
        response, body = self.request("GET", self.endpoint("challenge") + "&algorithms=" + ",".join(self.algorithms))
        if response.status != 200:
            raise SystemExit(f"challenge: {response.status} {body.decode('utf-8', 'replace')}")
        offer = json.loads(body)
        if not offer["needed"]:
            return None
        answer = json.dumps(self.solved(offer))
        response, body = self.request("POST", self.endpoint("verify"), answer, {"Content-Type": "application/json"})
        if response.status != 200:
            raise SystemExit(f"verify: {response.status} {body.decode('utf-8', 'replace')}")
        cookies = [line.partition(";")[0] for line in response.headers.get_all("Set-Cookie", [])]
        return "; ".join(cookies) or None

    def solved(self, offer):
        raw = decode(offer["challenge"])
        fields = parse(raw)
        return {"challenge": offer["challenge"],
                "solution": encode(pack_solution(solve(raw, fields), raw, fields.algorithm))}

    def token(self, key, page, **said):
        """The token of a form with this site key, as a page of the origin `page` gets it; `said`: action, cdata."""
        query = urllib.parse.urlencode({"purpose": "form", "key": key, "algorithms": ",".join(self.algorithms)})
        origin = {"Origin": page}
        response, body = self.request("GET", f"{self.base_path}challenge?{query}", headers=origin)
        if response.status != 200:
            raise SystemExit(f"challenge: {response.status} {body.decode('utf-8', 'replace')}")
        answer = urllib.parse.urlencode(self.solved(json.loads(body)) | said)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        response, body = self.request("POST", f"{self.base_path}verify", answer, origin | kind)
        if response.status != 200:
            raise SystemExit(f"verify: {response.status} {body.decode('utf-8', 'replace')}")
        return json.loads(body)["token"]

    def get(self):
        cookie = self.clearance()
        return self.request("GET", self.target, headers={"Cookie": cookie} if cookie else {})


def get(arguments):
    visitor = Visitor(arguments.url, arguments.base_path, arguments.insecure, arguments.algorithms.split(","))
    response, body = visitor.get()
    print(response.status, response.reason, flush=True)
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()
    return 0 if response.status < 400 else 1


def token(arguments):
    visitor = Visitor(arguments.url, arguments.base_path, arguments.insecure, arguments.algorithms.split(","))
    page = arguments.page or f"{visitor.url.scheme}://{visitor.url.netloc}"
    print(visitor.token(arguments.key, page, action=arguments.action, cdata=arguments.cdata))
    return 0


def check(arguments):
    import check_vectors  # not at the top: it imports this module

    return check_vectors.run(arguments.file)


def main():
    parser = argparse.ArgumentParser(description="A client for Portcullis, and a check of its test vectors.")
    commands = parser.add_subparsers(required=True)
    online = argparse.ArgumentParser(add_help=False)
    online.add_argument("url")
    online.add_argument("--base-path", default="/.portcullis/", help="where the verifier's endpoints are")
    online.add_argument("--insecure", action="store_true", help="believe any certificate")
    online.add_argument("--algorithms", default="sha256", help="what to solve, a list with commas: sha256, hashwx")
    command = commands.add_parser("get", parents=[online], help="solve the challenge for URL, redeem it, print status and body")
    command.set_defaults(run=get)
    command = commands.add_parser("token", parents=[online], help="solve a challenge for KEY, print the token")
    command.add_argument("key")
    command.add_argument("--page", help="the origin of the page with the form; that of URL unless it is said")
    command.add_argument("--action", default="")
    command.add_argument("--cdata", default="")
    command.set_defaults(run=token)
    command = commands.add_parser("check", help="check every vector of FILE")
    command.add_argument("file")
    command.set_defaults(run=check)
    arguments = parser.parse_args()
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.modules["portcullis_client"] = sys.modules["__main__"]
    sys.exit(main())
