"""The ticket of a browser without script (PROTOCOL §8): a challenge with purpose 2 that is waited for, not solved."""

import dataclasses

import portcullis_client as client

TICKET = 2


def parse(raw):
    """The fields of a well-formed ticket."""
    if len(raw) != client.CHALLENGE_BYTES:
        raise client.Refused("malformed", f"a ticket has {client.CHALLENGE_BYTES} bytes, not {len(raw)}")
    fields = client.Challenge(*client.LAYOUT.unpack(raw))
    if (fields.purpose, fields.count, fields.flags) != (TICKET, 1, 0):
        raise client.Refused("malformed", "no ticket")
    client.parse(dataclasses.replace(fields, purpose=client.GATE).pack())
    return fields


def verdict(entry, text):
    """`good`, `early`, or the code of what it is refused for, in the order of PROTOCOL §4."""
    masters = [bytes.fromhex(master) for master in entry["masters"]]
    now = entry["now"]
    try:
        fields = parse(client.decode(text))
        master = client.signing_master(fields, masters, now)
        if not fields.issued_at - client.FUTURE_SECONDS_MAX <= now < fields.issued_at + fields.lifetime:
            raise client.Refused("expired", "outside its lifetime")
        if fields.site != client.site_field(master, fields.day, "site:" + entry["site"]):
            raise client.Refused("wrong_site", "made for another site")
        network = entry["network"]
        if network is not None and fields.binding != client.binding_field(master, fields.day, network):
            raise client.Refused("wrong_client", "made for another network")
    except client.Refused as refused:
        return refused.code
    return "good" if now >= fields.issued_at + fields.difficulty else "early"


def entries(masters, issued_at, random_of):
    """Tickets of the site `main`, each with the verdict that PROTOCOL §8 gives it."""
    master, other_master = masters

    def entry(name, expected, at=15, site="main", network=None, ticket_text=None, believed=(master,), **fields):
        signed_by = fields.pop("master", master)
        bound_to = fields.pop("bound_to", None)
        fields = {"count": 1, "difficulty": 15, "lifetime": 615, "purpose": TICKET} | fields
        changes = fields.pop("changes", {})
        ticket = client.build(signed_by, "site:main", issued_at, random_of("ticket: " + name), network=bound_to, **fields)
        text = client.encode(dataclasses.replace(ticket, **changes).pack()) if ticket_text is None else ticket_text
        made = {"name": name, "masters": [master.hex() for master in believed], "now": issued_at + at, "site": site,
                "network": network, "ticket": text, "verdict": expected}
        found = verdict(made, text)
        assert found == expected, f"{name}: {found} instead of {expected}"
        return made

    yield entry("the second it was issued in", "early", at=0)
    yield entry("the last second of its wait", "early", at=14)
    yield entry("the first second after its wait", "good")
    yield entry("the last second of its lifetime", "good", at=614)
    yield entry("the first second after its lifetime", "expired", at=615)
    yield entry("issued six seconds ahead", "expired", at=-6)
    yield entry("a wait longer than its lifetime", "expired", at=700, difficulty=700)
    yield entry("the longest wait and lifetime", "good", at=65_534, difficulty=65_534, lifetime=65_535)
    yield entry("signed with the second line of the secret file", "good", believed=(other_master, master))
    yield entry("a master that is not believed", "forged", master=other_master)
    yield entry("a shorter wait under the same MAC", "forged", at=1, changes={"difficulty": 1})
    yield entry("a longer lifetime under the same MAC", "forged", at=700, changes={"lifetime": 65_535})
    yield entry("another site", "wrong_site", site="shop")
    yield entry("strict, its own network", "good", network="203.0.113.0/24", bound_to="203.0.113.0/24")
    yield entry("strict, another network", "wrong_client", network="198.51.100.0/24", bound_to="203.0.113.0/24")
    yield entry("strict, bound to none", "wrong_client", network="203.0.113.0/24")
    yield entry("bound where nothing is bound any more", "good", bound_to="203.0.113.0/24")
    yield entry("a challenge of the gate", "malformed", purpose=client.GATE)
    yield entry("a challenge of a form", "malformed", purpose=client.FORM)
    yield entry("two sub-puzzles", "malformed", count=2)
    yield entry("standing", "malformed", flags=client.STANDING)
    yield entry("no wait", "malformed", difficulty=0)
    yield entry("no lifetime", "malformed", lifetime=0)
    yield entry("one character shorter", "malformed", ticket_text="A" * 85)
    yield entry("empty", "malformed", ticket_text="")
