"""Writes `instants.txt`: the ticks of some expressions in some zones, by Python's zoneinfo.

    python3 -m pip install tzdata  # only if the system has no time zones
    python3 queue-schedules/tests/it/instants.py > queue-schedules/tests/it/instants.txt

It takes some minutes. It is independent of the crate: an expression is a predicate here, and each second or minute is tried. For each expression, zone and
pair of years it writes the number of ticks, a checksum of all of them, and the ticks within a day of each change of the offset.
"""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

# No zone whose rules differ between recent versions of the time zone data.
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo",
         "Pacific/Apia"]
PERIODS = [(2026, 2027), (2027, 2029), (2011, 2012), (2018, 2019)]

# The expression, whether its times are fixed, and its predicate on the local date and time.
EXPRESSIONS = [
    ("0 2 * * *", True, lambda t: (t.hour, t.minute) == (2, 0)),
    ("30 2 * * *", True, lambda t: (t.hour, t.minute) == (2, 30)),
    ("15 0,1,2,3 * * *", True, lambda t: t.hour in (0, 1, 2, 3) and t.minute == 15),
    ("0 0 * * *", True, lambda t: (t.hour, t.minute) == (0, 0)),
    ("30 23 30 12 *", True, lambda t: (t.month, t.day, t.hour, t.minute) == (12, 30, 23, 30)),
    ("*/15 * * * *", False, lambda t: t.minute % 15 == 0),
    ("30 * * * *", False, lambda t: t.minute == 30),
    ("0 */2 * * *", False, lambda t: t.hour % 2 == 0 and t.minute == 0),
    ("0 0 29 2 *", True, lambda t: (t.month, t.day, t.hour, t.minute) == (2, 29, 0, 0)),
    ("0 9 * * 1-5", True, lambda t: t.isoweekday() <= 5 and (t.hour, t.minute) == (9, 0)),
    ("0 3 13 * 5", True, lambda t: (t.day == 13 or t.isoweekday() == 5) and (t.hour, t.minute) == (3, 0)),
]

MINUTE = timedelta(minutes=1)


def ticks(zone, fixed, matches, since, until):
    """The ticks from `since` up to and without `until`, in seconds since the epoch."""
    if not fixed:
        # The wall clock is read at each minute.
        at = since
        while at < until:
            if matches(at.astimezone(zone)):
                yield int(at.timestamp())
            at += MINUTE
        return
    # Each local date and time is tried, and converted to an instant.
    local, found = since.replace(tzinfo=None) - timedelta(days=2), set()
    while local < until.replace(tzinfo=None) + timedelta(days=2):
        if matches(local):
            found.add(instant(zone, local))
        local += MINUTE
    yield from (at for at in sorted(found) if int(since.timestamp()) <= at < int(until.timestamp()))


def instant(zone, local):
    first = local.replace(tzinfo=zone, fold=0)
    utc = first.astimezone(timezone.utc)
    if utc.astimezone(zone).replace(tzinfo=None) == local:
        return int(utc.timestamp())
    # The zone skips this time. The first instant after the gap is found by halving the time around it.
    low, high = int(utc.timestamp()) - 2 * 86400, int(utc.timestamp()) + 2 * 86400
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).replace(tzinfo=None) < local:
            low = middle
        else:
            high = middle
    return high


def changes(zone, since, until):
    """The changes of the zone's offset, to the minute."""
    at, offset = since, since.astimezone(zone).utcoffset()
    while at < until:
        at += MINUTE
        if at.astimezone(zone).utcoffset() != offset:
            offset = at.astimezone(zone).utcoffset()
            yield int(at.timestamp())


def checksum(values):
    """FNV-1a over the values as 8 bytes, big endian."""
    hash = 0xCBF29CE484222325
    for value in values:
        for byte in value.to_bytes(8, "big", signed=True):
            hash = (hash ^ byte) * 0x100000001B3 % 2**64
    return hash


def main():
    for first, last in PERIODS:
        since, until = datetime(first, 1, 1, tzinfo=timezone.utc), datetime(last, 1, 1, tzinfo=timezone.utc)
        for name in ZONES:
            zone = ZoneInfo(name)
            edges = list(changes(zone, since, until))
            for text, fixed, matches in EXPRESSIONS:
                found = list(ticks(zone, fixed, matches, since, until))
                near = [at for at in found if any(abs(at - edge) <= 86400 for edge in edges)]
                fields = [text, name, int(since.timestamp()), int(until.timestamp()), len(found),
                          f"{checksum(found):016x}", " ".join(map(str, near))]
                print("|".join(map(str, fields)))


main()
