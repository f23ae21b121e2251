#!/usr/bin/env python3
"""A client of Keel in Python, written from docs/PROTOCOL.md alone, run against a real node.

It checks the vectors of that page, then trades: it places, replaces, quotes and cancels, takes its
fills, counts its money, compares arrival with execution, breaks rules, loses connections, and asks by nonce what became of what it
sent. Its last line says what it did. An error ends it with another exit code.
"""

import argparse
import asyncio
import re
import time
from collections import Counter

import wire
from session import Closed, session
from wire import ASK, BID, expect

UNKNOWN_MARKET, ORDER_NOT_FOUND, ZERO_PRICE, WOULD_CROSS = 65, 68, 71, 91
MALFORMED, UNEXPECTED_MESSAGE, WRONG_ACCOUNT, BAD_SIGNATURE = 1, 4, 7, 8
SIGNATURE_MISSING, NONCE_REUSED, INSUFFICIENT_FUNDS, EXPIRED_ORDER = 24, 35, 90, 4

done = Counter()


def development_key(name: str) -> wire.Key:
    return wire.Key(wire.development_seed(name))


TLS = development_key("tls").public


# The vectors of the page


def vectors(path: str) -> dict:
    with open(path, encoding="utf-8") as page:
        block = re.search(r"```vectors\n(.*?)```", page.read(), re.DOTALL).group(1)
    found = {}
    for line in block.splitlines():
        if line.startswith("  "):
            found[name] += bytes.fromhex(line)
        else:
            name = line.removesuffix(" =")
            found[name] = b""
    return found


def check_vectors(path: str) -> None:
    """What this client makes of the inputs that the page names is what the page has."""
    page = vectors(path)
    key = development_key("dev-0")
    exporter = bytes(32)
    genesis_hash = page["development genesis hash"]
    frame_key = wire.frame_key(1, genesis_hash)

    def orders(commands, signed=True):
        body = wire.struct.pack("<III4xQQ", 0, 0, 0, 7, 0) + b"".join(commands)
        data = wire.message(wire.ORDERS, len(commands), body + bytes(64))[:-64]
        if not signed:
            return data + wire.ZERO_SIGNATURE
        return data + key.sign(wire.digest(frame_key, data))

    order = wire.place(BID, 0, 10_050, 250_000, label=7)
    plain = [order, wire.cancel_all()]
    armed = wire.slot(6, BID, wire.LIMIT, wire.REST, 0, a=10_050, b=250_000, c=7)
    armed += wire.struct.pack(
        "<QQIIIBBBB", 1_700_000_000_000_000_000, 1_000, 10_040, 0, 0, 1, 2, 0, 0
    )
    longer = [
        armed,
        wire.slot(7, side=1, kind=1, tif=4, market=1, a=8, b=10_060, c=200_000),
        wire.quote_set(1, 3, [(10_000, 500), (9_990, 600)], [(10_100, 700)]),
    ]
    chain = wire.RollingHash(frame_key, exporter, page["rolling hello"], page["rolling welcome"])
    made = {
        "dev-0 seed": wire.development_seed("dev-0"),
        "dev-0 public key": key.public,
        "tls public key": TLS,
        "frame key": frame_key,
        "order id": wire.struct.pack("<Q", wire.order_id(123_456, 517, 42)),
        "hello": wire.hello(1, False, key, exporter),
        "orders": orders(plain),
        "orders digest": wire.digest(frame_key, page["orders"][:-64]),
        "longer orders": orders(longer),
        "rolling hello": wire.hello(1, True, key, exporter),
        "rolling chain": chain.now,
        "unsigned orders": orders(plain, signed=False),
        "unsigned longer orders": orders(longer, signed=False),
        "query balances": wire.query(9, 1),
        "query nonce": wire.query(9, 4, 7),
        "query markets": wire.query(9, 5),
    }
    for name in ("unsigned orders", "unsigned longer orders"):
        chain.add(page[name])
    made["rolling signature"] = chain.sign(key)
    for name, data in made.items():
        expect(data == page[name], f"vector {name}: {data.hex()}")
        done["vectors"] += 1

    def read(name):
        kind, count, whole = wire.split(bytearray(page[name]))
        return kind, count, whole

    def reply(name):
        return wire.parse_reply(*read(name)).records

    ack = wire.parse_ack(*read("ack")[1:])
    _, at_sequence, *_ = wire.parse_reply(*read("balances"))
    checks = {
        "welcome": wire.parse_welcome(read("welcome")[2]).frames_in_flight == 256,
        "rolling welcome": wire.parse_welcome(read("rolling welcome")[2]).unsigned_frames == 64,
        "ack": ack.stages == (1_000, 2_000, 3_000, 4_000)
        and ack.outcomes == [(0, 2, 5), (INSUFFICIENT_FUNDS, 0, 0)],
        "refusing ack": wire.parse_ack(*read("refusing ack")[1:]).refused == NONCE_REUSED,
        "fills": [fill.fee for fill in wire.parse_fills(*read("fills")[1:])] == [-14, 15, -14, 15],
        "receipts": wire.parse_receipts(*read("receipts")[1:], TLS, 1, genesis_hash)
        == [(7, 3, 41), (8, 5, 44)],
        "ended": [end.reason for end in wire.parse_ended(*read("ended")[1:])] == [4, 5, 0, 7],
        "refused": wire.parse_refused(read("refused")[2]) == (7, 11),
        "balances": reply("balances")[0].free == 1 and at_sequence == 41,
        "open orders": [order.label for order in reply("open orders")] == [3, 4, 5],
        "reference": [it.symbol for it in reply("reference")]
        == ["BTC", "ETH", "USD", "BTC-USD", "ETH-USD"],
        "market states": [state.last for state in reply("market states")] == [6_500_000, 0],
        "unknown nonce": reply("unknown nonce") == [],
    }
    for name, holds in checks.items():
        expect(holds, f"vector {name} reads as the page says")
        done["vectors"] += 1


# Trading


class Units:
    """Prices and sizes of one market in ticks and lots, from decimal text."""

    def __init__(self, reference: list, symbol: str):
        assets = [record for record in reference if isinstance(record, wire.Asset)]
        markets = [record for record in reference if isinstance(record, wire.Market)]
        self.id = [market.symbol for market in markets].index(symbol)
        self.market = markets[self.id]
        market, base, quote = self.market, assets[self.market.base], assets[self.market.quote]
        self.base_atoms = market.lot_units * 10 ** (base.decimals - market.lot_decimals)
        self.quote_atoms = (
            market.tick_units
            * market.lot_units
            * 10 ** (quote.decimals - market.tick_decimals - market.lot_decimals)
        )

    def ticks(self, text: str) -> int:
        return self.steps(text, self.market.tick_decimals, self.market.tick_units)

    def lots(self, text: str) -> int:
        return self.steps(text, self.market.lot_decimals, self.market.lot_units)

    @staticmethod
    def steps(text: str, decimals: int, units: int) -> int:
        whole, _, part = text.partition(".")
        value = int(whole + part.ljust(decimals, "0"))
        expect(value % units == 0 and len(part) <= decimals, f"{text} is no multiple of the step")
        return value // units


def count(ack: wire.Ack) -> list:
    """The reasons of an ack's outcomes; the frame itself must be good."""
    expect(ack.refused == 0, f"the frame of nonce {ack.nonce} is executed: {ack}")
    done["accepted"] += sum(outcome.reason == 0 for outcome in ack.outcomes)
    done["rejected"] += sum(outcome.reason != 0 for outcome in ack.outcomes)
    return [outcome.reason for outcome in ack.outcomes]


async def balances(trader) -> dict:
    return {record.asset: record.free + record.held for record in await trader.ask(1)}


async def trade(maker, taker) -> None:
    """Asks rest, a taker with rolling signatures lifts them, and the money adds up."""
    units = Units(await maker.ask(3), "BTC-USD")
    before = [await balances(maker), await balances(taker)]
    lots = units.lots("0.25")
    prices = [units.ticks(f"650{n:02}.5") for n in range(10)]
    asks = [wire.place(ASK, units.id, price, lots, label=n + 1) for n, price in enumerate(prices)]
    ack = await maker.do(asks + [wire.place(ASK, units.id, 0, lots)])
    expect(count(ack) == [0] * 10 + [ZERO_PRICE], "ten asks rest, a price of zero does not")

    for size in ("0.25", "0.3", "0.2"):
        order = wire.place(BID, units.id, prices[3], units.lots(size), tif=wire.IOC)
        taker.queue(taker.frame([order])[1])
    taker.flush()
    for size in ("0.25", "0.3", "0.2"):
        ack = await taker.next_answer()
        expect(count(ack) == [0] and ack.outcomes[0].lots == units.lots(size), f"{size} filled")
    expect(len(taker.fills) == 4, f"four fills, not {len(taker.fills)}")
    while len(maker.fills) < 4:
        await maker.receive()
    for mine, theirs in zip(maker.fills, taker.fills):
        expect((mine.role, theirs.role, mine.side, theirs.side) == (0, 1, ASK, BID), "roles")
        expect(mine[7:9] == theirs[7:9] and mine.sequence == theirs.sequence, "one trade")
    rests = maker.fills[-1].remaining
    expect(rests == 0, f"three quarters fill three asks to their end, not {rests}")
    done["fills"] += len(maker.fills) + len(taker.fills)
    await settle(units, maker, taker, before)
    await withdraw(units, maker, ack_sequence=ack.first_sequence)


async def settle(units, maker, taker, before: list) -> None:
    """Balances changed by what the fills say, atom for atom."""
    after = [await balances(maker), await balances(taker)]
    base, quote = units.market.base, units.market.quote
    bought = sum(fill.lots for fill in taker.fills) * units.base_atoms
    paid = sum(fill.lots * fill.price for fill in taker.fills) * units.quote_atoms
    fees = [sum(fill.fee for fill in trader.fills) for trader in (maker, taker)]
    expect(after[0][base] == before[0][base] - bought, "the maker gives base")
    expect(after[0][quote] == before[0][quote] + paid - fees[0], "and receives quote less a fee")
    expect(after[1][base] == before[1][base] + bought - fees[1], "the taker receives base less a fee")
    expect(after[1][quote] == before[1][quote] - paid, "and gives quote")


async def withdraw(units, maker, ack_sequence: int) -> None:
    """Orders change and go, in every way that there is."""
    orders = await maker.ask(2)
    expect([order.label for order in orders] == list(range(4, 11)), "seven asks are left")
    first, second = orders[0], orders[1]
    expect(first.order_id >> 16 < ack_sequence, "an order id has the sequence of its command")
    higher = wire.replace(first.order_id, first.price + 100, first.remaining, may_take=False)
    ack = await maker.do(
        [
            higher,
            wire.cancel(second.order_id),
            wire.cancel(second.order_id),
            wire.cancel_label(units.id, 10),
            wire.place(BID, units.id, first.price + 200, 100, kind=wire.POST_ONLY),
            wire.place(BID, 999, 1, 1),
        ]
    )
    expected = [0, 0, ORDER_NOT_FOUND, 0, WOULD_CROSS, UNKNOWN_MARKET]
    expect(count(ack) == expected, f"{ack.outcomes}")
    bids = [(units.ticks("64000"), 1_000), (units.ticks("63999"), 2_000)]
    quotes = wire.quote_set(units.id, time.time_ns(), bids, [(units.ticks("66000"), 500)])
    ack = await maker.do([quotes])
    expect(count(ack) == [0] and ack.outcomes[0].affected == 3, "three quotes")
    bid = wire.order_id(ack.first_sequence, units.id, 0)
    expect(bid in [order.order_id for order in await maker.ask(2)], "a quote has the id of its level")

    # An order that expires by itself is reported, although nobody asks.
    soon = time.time_ns() + 50_000_000
    place = wire.place_extended(BID, units.id, units.ticks("60000"), 1_000, expires_at=soon)
    ack = await maker.do([place])
    expect(count(ack) == [0], "an order that expires rests")
    while not maker.ended:
        await maker.receive()
    end = maker.ended[0]
    mine = wire.order_id(ack.first_sequence, units.id)
    expect((end.order_id, end.reason, end.lots) == (mine, EXPIRED_ORDER, 1_000), f"{end}")
    done["ended"] += len(maker.ended)

    ack = await maker.do([wire.cancel_all(units.id, ASK), wire.cancel_all()])
    expect(count(ack) == [0, 0], "cancel all")
    expect([outcome.affected for outcome in ack.outcomes] == [6, 2], f"{ack.outcomes}")
    expect(await maker.ask(2) == [], "nothing is left")
    ack = await maker.do([wire.transfer(units.market.quote, 2, 10**8)])
    expect(count(ack) == [0], "a transfer")
    states = await maker.ask(5)
    expect(states[units.id].status == 0 and states[units.id].last > 0, "the market has traded")


# Connections that are lost


async def lose_connections(address, name: str, rolling: bool) -> None:
    """Frames whose answers nobody waited for are executed once, whatever is sent again."""
    key = development_key(name)
    sent = []
    async with session(address, key, TLS, rolling) as lost:
        for n in range(20):
            nonce, frame = lost.frame([wire.place(BID, 1, 1_000 + n, 100_000, label=900 + n)])
            lost.queue(frame)
            sent.append((nonce, frame))
        lost.flush()
        # The last two are never sent: as if the connection had been lost before.
        for n in range(2):
            sent.append(lost.frame([wire.place(BID, 1, 2_000 + n, 100_000, label=990 + n)]))
        # Its first answer shows that they arrived; nobody waits for the others.
        await lost.next_answer()
        done.update(lost.counts)
    async with session(address, key, TLS, rolling) as again:
        done["reconnects"] += 1
        unknown = []
        for nonce, frame in sent:
            ack = await again.ask(4, nonce)
            if ack is None:
                unknown.append((nonce, frame))
            else:
                expect(count(ack) == [0], "what was executed is answered")
                done["answers by nonce"] += 1
        expect(len(unknown) >= 2, "what was never sent is unknown")
        for nonce, frame in unknown + sent[:3]:
            again.queue(frame)
            again.flush()
            ack = await again.next_answer()
            expect(ack.nonce == nonce and ack.refused == 0, f"{ack}")
            done["repeated"] += ack.repeated
        again.nonce = max(nonce for nonce, _ in sent) + 1
        other = again.frame([wire.cancel_all()], nonce=sent[0][0])[1]
        again.queue(other)
        again.flush()
        ack = await again.next_answer()
        expect(ack.refused == NONCE_REUSED, "other bytes under a used nonce")
        orders = await again.ask(2)
        expect(len(orders) == len(sent), f"{len(sent)} orders, each once, not {len(orders)}")
        ack = await again.do([wire.cancel_all()])
        expect(ack.outcomes[0].affected == len(sent), "all of them go")
        await again.finish()
        done.update(again.counts)


# Rules that are broken


async def break_rules(address) -> None:
    """What is refused leaves the session open, or costs it, as the page says."""
    key = development_key("dev-3")
    async with session(address, key, TLS) as rude:
        nonce, frame = rude.frame([wire.cancel_all()])
        for change, reason in [((20, 1), MALFORMED), ((8, 9), WRONG_ACCOUNT), ((40, 99), MALFORMED)]:
            changed = bytearray(frame)
            changed[change[0]] = change[1]
            rude.send(bytes(changed))
            expect(await rude.next_answer() == (nonce, reason), f"a changed byte {change[0]}")
        rude.send(wire.message(wire.WELCOME, 0, bytes(64)))
        expect(await rude.next_answer() == (0, UNEXPECTED_MESSAGE), "a message of the server's")
        done["refused"] += 4
        changed = frame[:-1] + bytes([frame[-1] ^ 1])
        rude.send(changed)
        expect(await rude.next_answer() == (nonce, BAD_SIGNATURE), "a forged signature")
        await closed(rude, BAD_SIGNATURE)
    async with session(address, key, TLS, rolling=True) as rude:
        rude.queue(rude.frame([wire.cancel_all()])[1])
        rude.send(rude.queued)
        await closed(rude, SIGNATURE_MISSING)
    async with session(address, key, TLS, rolling=True) as rude:
        rude.queue(rude.frame([wire.cancel_all()])[1])
        rude.hash.now = bytes(32)
        rude.flush()
        kind, _, data = await rude.receive()
        expect(kind == wire.REFUSED and wire.parse_refused(data)[1] == BAD_SIGNATURE, "a wrong hash")
        await closed(rude, BAD_SIGNATURE)


async def closed(rude, reason: int) -> None:
    try:
        while True:
            await rude.receive()
    except Closed as end:
        expect(end.reason == reason, f"closed for {reason}, not {end}")
        done["closed"] += 1


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--connect", default="127.0.0.1:7001")
    arguments.add_argument("--protocol", default="docs/PROTOCOL.md")
    options = arguments.parse_args()
    host, _, port = options.connect.rpartition(":")
    address = (host, int(port))

    check_vectors(options.protocol)
    expected = vectors(options.protocol)["development genesis hash"]
    async with (
        session(address, development_key("dev-0"), TLS) as maker,
        session(address, development_key("dev-1"), TLS, rolling=True) as taker,
    ):
        expect(maker.terms.genesis_hash == expected, "the development network")
        expect((maker.terms.unsigned_frames, taker.terms.unsigned_frames) == (0, 64), "modes")
        await trade(maker, taker)
        for trader in (maker, taker):
            done.update(trader.counts)
            await trader.finish()
    receipts = sorted(maker.receipts + taker.receipts, key=lambda receipt: receipt.arrival)
    expect(len(receipts) == done["frames"], "a receipt for every frame")
    places = [receipt.first_sequence for receipt in receipts]
    expect(places == sorted(places), "what arrived first was sequenced first")
    done["receipts"] += len(receipts)
    await lose_connections(address, "dev-0", rolling=False)
    await lose_connections(address, "dev-1", rolling=True)
    await break_rules(address)
    facts = ", ".join(f"{number} {what}" for what, number in done.items())
    print(f"python client: {facts}: ok")


if __name__ == "__main__":
    asyncio.run(main())
