"""The arithmetic of PROTOCOL §3 in exact fractions.

Amounts are integers of hundredths of a credit; multipliers are decimal strings such as "1.00". What is kept is rounded
down, what is charged is rounded up.
"""

import ipaddress
import math
from fractions import Fraction

DIFFICULTY_MAX = 2**32 - 1
ONE_CREDIT = 100  # in hundredths


def target(difficulty):
    """What the first eight bytes of a digest may be at most."""
    return (2**64 - 1) // difficulty


def full_credits(clearance_credits, verifiers):
    """F: what a full clearance holds, in hundredths."""
    return clearance_credits * ONE_CREDIT // verifiers


def tenth_longest(count):
    """q: p90 ÷ mean of the sum of `count` exponentials (the 0.9 quantile of Erlang's distribution), four places."""
    below, above = 0.0, 10.0 * count
    for _ in range(100):
        middle = (below + above) / 2
        exceeded = math.exp(-middle) * sum(middle**i / math.factorial(i) for i in range(count))
        below, above = (middle, above) if exceeded > 0.1 else (below, middle)
    return Fraction(round(below / count * 10_000), 10_000)


def most_work(max_solve_seconds, slowest_rate, count, rate=1):
    """w: the most work that one challenge may ask, in attempts of `sha256`."""
    return math.floor(max_solve_seconds * slowest_rate * rate / tenth_longest(count))


def difficulty_asked(price, multiplier, ceiling, count, rate):
    """Attempts per sub-puzzle that a challenge asks."""
    asked = min(price * Fraction(multiplier), Fraction(ceiling))
    return min(math.ceil(asked / (count * rate)), DIFFICULTY_MAX)


def due(price, work, multiplier, ceiling, standing, hashwx_ceiling):
    """Attempts that a full clearance costs at redemption; `hashwx_ceiling` is None where only `sha256` is sold."""
    site_price = min(price * Fraction(multiplier), Fraction(max(20 * ceiling, hashwx_ceiling or 0)))
    return max(site_price, Fraction(work)) if standing else site_price


def bought(full, work, attempts_due):
    """Credits in hundredths, or None where the work is outpriced: less than a twentieth of what is due."""
    return None if 20 * work < attempts_due else max(1, min(full, math.floor(full * work / attempts_due)))


def price_paid(price, work, multiplier, full, credits):
    """What later requests are charged against, in whole attempts."""
    return max(price, math.floor(Fraction(full * work) / (credits * Fraction(multiplier))))


def table_least(floor, used, size):
    """The least that a sale costs with `used` of `size` of the table in use, in attempts."""
    return floor * max(Fraction(1), (4 * Fraction(used, size)) ** 4)


def reserve(begun):
    """T, in hundredths; a toll costs the same."""
    return begun // 10


def charge(cost, begun, price_now, price_paid, asset, after_navigation):
    """What a request costs, in hundredths."""
    ratio = max(Fraction(1), Fraction(price_now, price_paid))
    if asset:
        dearest = Fraction(ONE_CREDIT) if after_navigation else math.inf
        return math.ceil(min(Fraction(ONE_CREDIT, 10) * ratio, dearest))
    return math.ceil(min(cost, begun - reserve(begun)) * ratio)


def overdraw(begun, navigation_ratio):
    """How far below zero the assets of an admitted navigation may go, in hundredths."""
    return min(begun, math.floor(6 * ONE_CREDIT * min(Fraction(10), Fraction(navigation_ratio))))


def left_after(left, begun, amount, request, after_navigation, navigation_ratio):
    """What is left when the request is admitted, or None where it is challenged."""
    if request == "unsafe":
        least = 0
    elif request == "asset" and after_navigation:
        least = -overdraw(begun, navigation_ratio)
    else:
        least = reserve(begun)
    return left - amount if left - amount >= least else None


def client_network(address):
    """The prefix a client is known by: /24 or /56; an IPv4-mapped IPv6 address is IPv4."""
    parsed = ipaddress.ip_address(address)
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 56), strict=False))


def answer(case):
    """The fields that `case` must state as its results."""
    kind = case["kind"]
    if kind == "target":
        return {"target": f"{target(case['difficulty']):016x}"}
    if kind == "full_credits":
        return {"full_credits_hundredths": full_credits(case["clearance_credits"], case["verifiers"])}
    if kind == "ceiling":
        return {"ceiling": most_work(case["max_solve_seconds"], case["slowest_attempts_per_second"], case["count"],
                                     case["rate"])}
    if kind == "asked":
        return {"difficulty": difficulty_asked(case["price"], case["multiplier"], case["ceiling"], case["count"],
                                               case["rate"])}
    if kind == "credits":
        attempts_due = due(case["price"], case["work"], case["multiplier"], case["ceiling"], case["standing"],
                           case["hashwx_ceiling"])
        amount = bought(case["full_credits_hundredths"], case["work"], attempts_due)
        hundredths = attempts_due * 100
        assert hundredths.denominator == 1, "multipliers have two places"
        whole, part = divmod(int(hundredths), 100)
        if amount is None:
            return {"due": f"{whole}.{part:02}", "bought_hundredths": "outpriced"}
        paid = price_paid(case["price"], case["work"], case["multiplier"], case["full_credits_hundredths"], amount)
        return {"due": f"{whole}.{part:02}", "bought_hundredths": amount, "price_paid": paid}
    if kind == "table":
        least = table_least(case["floor"], case["used"], case["size"])
        return {"least_due": math.ceil(least)}
    if kind == "reserve":
        return {"reserve_hundredths": reserve(case["begun_hundredths"])}
    if kind == "charge":
        return {"charge_hundredths": charge(case["cost_hundredths"], case["begun_hundredths"], case["price_now"],
                                            case["price_paid"], case["asset"], case["after_navigation"])}
    if kind == "admits":
        after = left_after(case["left_hundredths"], case["begun_hundredths"], case["charge_hundredths"],
                           case["request"], case["after_navigation"], case["navigation_ratio"])
        return {"admitted": after is not None, "left_after_hundredths": case["left_hundredths"] if after is None else after}
    if kind == "network":
        return {"network": client_network(case["address"])}
    raise ValueError(f"no arithmetic of kind {kind}")
