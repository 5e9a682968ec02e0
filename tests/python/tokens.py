"""The token that a form's challenge buys, and what `siteverify` finds of it (PROTOCOL §4, *The token*)."""

import dataclasses
import hmac
import struct

import portcullis_client as client

VERSION = 1
GOOD_SECONDS = 300
HOST_BYTES_MAX, ACTION_CHARS_MAX, CDATA_CHARS_MAX = 255, 32, 255
HEAD = struct.Struct(">BBI8s16sBBH")
MAC_BYTES = 16
INVALID, USED_OR_OLD = "invalid-input-response", "timeout-or-duplicate"


@dataclasses.dataclass(frozen=True)
class Token:
    version: int
    key_id: int
    sold_at: int
    site: bytes
    id: bytes
    host: bytes
    action: bytes
    cdata: bytes

    def signed(self):
        """All bytes but the MAC."""
        head = HEAD.pack(self.version, self.key_id, self.sold_at, self.site, self.id, len(self.host), len(self.action),
                         len(self.cdata))
        return head + self.host + self.action + self.cdata


def mac(master, day, signed):
    return client.prf(master, "token", day, signed)[:MAC_BYTES]


def token_id(master, raw_challenge):
    """The name of what a challenge buys, under the keys of the challenge."""
    day = client.parse(raw_challenge).day
    return client.prf(master, "clearance", day, raw_challenge)[:16]


def build(master, key, sold_at, identity, host, action="", cdata="", signed_by=None, **changes):
    """The bytes that a verifier sells; `changes` to its fields are signed too, `signed_by` is another master."""
    day = sold_at // client.SECONDS_PER_DAY
    signed_by = signed_by or master
    texts = (text if isinstance(text, bytes) else text.encode("utf-8") for text in (host, action, cdata))
    token = Token(VERSION, day % 256, sold_at, client.site_field(master, day, "key:" + key), identity, *texts)
    signed = dataclasses.replace(token, **changes).signed()
    return signed + mac(signed_by, day, signed)


def parse(raw):
    """The token of these bytes and its MAC; `Refused` for any that no verifier writes."""
    def refuse(reason):
        raise client.Refused(INVALID, reason)

    if len(raw) < HEAD.size + MAC_BYTES:
        refuse("too short")
    version, key_id, sold_at, site, identity, host, action, cdata = HEAD.unpack_from(raw)
    texts = raw[HEAD.size:-MAC_BYTES]
    if version != VERSION or key_id != sold_at // client.SECONDS_PER_DAY % 256:
        refuse("version or key id")
    if len(texts) != host + action + cdata:
        refuse("lengths")
    parts = texts[:host], texts[host:host + action], texts[host + action:]
    try:
        decoded = [part.decode("utf-8") for part in parts]
    except UnicodeDecodeError:
        refuse("not UTF-8")
    if not 1 <= host <= HOST_BYTES_MAX or len(decoded[1]) > ACTION_CHARS_MAX or len(decoded[2]) > CDATA_CHARS_MAX:
        refuse("a text is empty or too long")
    return Token(version, key_id, sold_at, site, identity, *parts), raw[-MAC_BYTES:]


def believed(text, masters, now, key, table_begins):
    """The token and the master that signed it, or `Refused` with the code of `siteverify`. Whether it was used is not asked."""
    try:
        raw = client.decode(text)
    except client.Refused as refused:
        raise client.Refused(INVALID, str(refused)) from None
    token, found = parse(raw)
    day = token.sold_at // client.SECONDS_PER_DAY
    days = {(now + seconds) // client.SECONDS_PER_DAY
            for seconds in (-client.SECONDS_PER_DAY, 0, client.FUTURE_SECONDS_MAX)}
    signers = [master for master in masters if hmac.compare_digest(mac(master, day, token.signed()), found)]
    if day not in days or not signers:
        raise client.Refused(INVALID, "not signed here")
    if token.site != client.site_field(signers[0], day, "key:" + key):
        raise client.Refused(INVALID, "sold for another key")
    if not token.sold_at - client.FUTURE_SECONDS_MAX <= now < token.sold_at + GOOD_SECONDS:
        raise client.Refused(USED_OR_OLD, "outside its time")
    if token.sold_at < table_begins:
        raise client.Refused(USED_OR_OLD, "sold before the table begins")
    return token, signers[0]


def verdict(entry, text):
    """`good`, or the code that `siteverify` answers with a secret of the key, the token being unused."""
    masters = [bytes.fromhex(master) for master in entry["masters"]]
    try:
        believed(text, masters, entry["now"], entry["key"], entry["table_begins"])
    except client.Refused as refused:
        return refused.code
    return "good"


def intermediate(entry):
    """What stands between a good token and its verdict."""
    masters = [bytes.fromhex(master) for master in entry["masters"]]
    token, master = believed(entry["token"], masters, entry["now"], entry["key"], entry["table_begins"])
    values = {
        "key_token": client.derive_key(master, "token", token.sold_at // client.SECONDS_PER_DAY).hex(),
        "fields": {"sold_at": token.sold_at, "site": token.site.hex(), "id": token.id.hex(),
                   "host": token.host.decode(), "action": token.action.decode(), "cdata": token.cdata.decode()},
    }
    if entry["challenge"] is not None:
        assert token_id(master, client.decode(entry["challenge"])) == token.id, entry["name"]
    return values


def altered(entry, good):
    """Complaints about an entry that alters each bit of a good token."""
    raw = client.decode(good["token"])
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 0x80 >> bit % 8
        found = verdict(good, client.encode(bytes(changed)))
        if found != entry["verdict"]:
            yield f"bit {bit}: {found}"


def complaints(entries):
    """For every entry its name and what is wrong with it."""
    by_name = {entry["name"]: entry for entry in entries}
    for entry in entries:
        if "flip_bits_of" in entry:
            yield entry["name"], list(altered(entry, by_name[entry["flip_bits_of"]]))
            continue
        found = verdict(entry, entry["token"])
        wrong = [] if found == entry["verdict"] else [f"{found} instead of {entry['verdict']}"]
        if not wrong and found == "good":
            wrong = [f"{name} is {value}" for name, value in intermediate(entry).items() if entry[name] != value]
        yield entry["name"], wrong


def entries(masters, sold_at, random_of):
    """Tokens of the key `contact`, each with what `siteverify` finds of it."""
    master, other_master = masters

    def entry(name, expected, at=10, key="contact", token=None, believed_masters=(master,), table_begins=0, **fields):
        fields = {"host": "example.org", "action": "sign-up", "cdata": "42"} | fields
        when = fields.pop("sold_at", sold_at)
        challenge = client.build(master, "key:contact", max(when - 3, 0), random_of("token: " + name), purpose=client.FORM)
        if token is None:
            token = build(fields.pop("master", master), fields.pop("made_for", "contact"), when,
                          token_id(master, challenge.pack()), **fields)
            challenge_text = client.encode(challenge.pack())
        else:
            challenge_text = None
        made = {"name": name, "masters": [one.hex() for one in believed_masters], "now": when + at, "key": key,
                "table_begins": table_begins, "challenge": challenge_text,
                "token": token if isinstance(token, str) else client.encode(token), "verdict": expected}
        found = verdict(made, made["token"])
        assert found == expected, f"{name}: {found} instead of {expected}"
        return made | (intermediate(made) if expected == "good" else {})

    good = build(master, "contact", sold_at, bytes(16), "example.org")
    text = client.encode(good)
    day_begins = sold_at - sold_at % client.SECONDS_PER_DAY
    longest = "😀"
    yield entry("ten seconds old", "good")
    yield entry("the second it was sold in", "good", at=0)
    yield entry("the last second of its time", "good", at=299)
    yield entry("sold five seconds in the future", "good", at=-5)
    yield entry("sold yesterday, a second before midnight", "good", at=2, sold_at=day_begins - 1)
    yield entry("sold tomorrow, five seconds ahead", "good", at=-5, sold_at=day_begins + client.SECONDS_PER_DAY)
    yield entry("sold in the second the table begins", "good", table_begins=sold_at)
    yield entry("neither action nor cdata", "good", action="", cdata="")
    yield entry("the longest texts", "good", host="h" * 255, action=longest * 32, cdata=longest * 255)
    yield entry("signed under the second line of the secret file", "good", believed_masters=(other_master, master))
    yield {"name": "one bit altered: ten seconds old", "flip_bits_of": "ten seconds old", "verdict": INVALID}
    yield entry("the first second after its time", USED_OR_OLD, at=300)
    yield entry("sold six seconds in the future", USED_OR_OLD, at=-6)
    yield entry("sold before the table begins", USED_OR_OLD, table_begins=sold_at + 1)
    yield entry("two days old", INVALID, at=2 * client.SECONDS_PER_DAY)
    yield entry("asked about with the secret of another key", INVALID, key="shop")
    yield entry("sold for another key", INVALID, made_for="shop")
    yield entry("a master that is not believed", INVALID, master=other_master)
    yield entry("signed by a master that did not make its site field", INVALID, signed_by=other_master,
                believed_masters=(master, other_master))
    yield entry("another version", INVALID, version=2)
    yield entry("the key id of another day", INVALID, key_id=0)
    yield entry("no host", INVALID, host="")
    yield entry("an action of 33 characters", INVALID, action="a" * 33)
    yield entry("cdata of 256 characters", INVALID, cdata="a" * 256)
    yield entry("a host that is not UTF-8", INVALID, host=b"\xff")
    yield entry("one byte shorter", INVALID, token=good[:-1])
    yield entry("one byte longer", INVALID, token=good + b"\0")
    yield entry("the head alone", INVALID, token=good[:HEAD.size])
    yield entry("no MAC", INVALID, token=good[:-MAC_BYTES])
    yield entry("empty", INVALID, token="")
    yield entry("padded", INVALID, token=text + "=" * (-len(text) % 4 or 4))
    yield entry("a blank at the end", INVALID, token=text + " ")
    yield entry("a foreign character", INVALID, token=text[:10] + "." + text[11:])
    yield entry("a challenge", INVALID, token=client.build(master, "key:contact", sold_at, random_of("no token")).pack())

