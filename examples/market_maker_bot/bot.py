"""A market maker that quotes both sides around a reference, through the unmodified hyperliquid-python-sdk.

It opens with one post-only order a side, moves both (one `batchModify`) when the reference has moved, and
cancels everything when its time is over or somebody presses Ctrl-C. What it prints at the end is what its
fills add up to. It is an example, not a strategy: see README.md.
"""

import argparse
import dataclasses
import decimal
import queue
import time

from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info

POST_ONLY = {"limit": {"tif": "Alo"}}
# What the exchange says of an order that is not open any more.
GONE = "Order was never placed, already canceled, or filled."


@dataclasses.dataclass
class Quote:
    """One side's order, if it rests: its id and its price."""

    is_bid: bool
    oid: int | None = None
    price: float = 0.0


class Bot:
    def __init__(self, options):
        wallet = Account.from_key(options.secret)
        self.options = options
        self.user = wallet.address
        self.info = Info(options.url)
        self.exchange = Exchange(wallet, options.url)
        self.tick, self.lot = grid(self.info, options.coin)
        self.quotes = [Quote(True), Quote(False)]
        self.fills = queue.Queue()
        self.inventory = decimal.Decimal(0)
        self.cash = decimal.Decimal(0)
        self.count = 0
        self.placed = 0
        self.moved = 0
        self.latencies = []

    def run(self):
        options = self.options
        self.info.subscribe({"type": "userFills", "user": self.user}, self.fills.put)
        end = time.monotonic() + options.seconds
        told = time.monotonic()
        try:
            while time.monotonic() < end:
                self.take_fills()
                self.quote(self.reference())
                if time.monotonic() - told >= 1:
                    told = time.monotonic()
                    self.tell()
                time.sleep(options.interval)
        except KeyboardInterrupt:
            print("stopped by hand")
        finally:
            self.cancel_all()
            self.take_fills()
            self.tell("end: ")
            self.info.disconnect_websocket()

    def reference(self):
        """The middle between the best prices of others; where a side has none, the last trade or what was given."""
        levels = self.timed(lambda: self.info.l2_snapshot(self.options.coin))["levels"]
        own = {(quote.is_bid, quote.price) for quote in self.quotes if quote.oid}
        best = []
        for is_bid, side in ((True, levels[0]), (False, levels[1])):
            others = [float(it["px"]) for it in side if it["n"] > 1 or (is_bid, float(it["px"])) not in own]
            if not others:
                return float(self.options.reference)
            best.append(others[0])
        return sum(best) / 2

    def quote(self, reference):
        """Both sides around the reference, leaning against what it has."""
        options = self.options
        lean = float(self.inventory) / options.inventory_max * options.spread
        middle = reference * (1 - lean / 2)
        wanted = []
        for quote in self.quotes:
            away = -options.spread / 2 if quote.is_bid else options.spread / 2
            price = self.rounded(middle * (1 + away), quote.is_bid)
            is_full = abs(self.inventory) >= options.inventory_max and quote.is_bid == (self.inventory > 0)
            if not is_full:
                wanted.append((quote, price))
        new = [(quote, price) for quote, price in wanted if quote.oid is None]
        moves = [(quote, price) for quote, price in wanted if quote.oid and self.is_far(quote.price, price)]
        if new:
            orders = [self.order(quote, price) for quote, price in new]
            answers = statuses(self.timed(lambda: self.exchange.bulk_orders(orders)))
            for (quote, price), answer in zip(new, answers):
                # Whoever would have taken is refused, and tries again at the next reference.
                quote.oid = answer.get("resting", {}).get("oid")
                quote.price = price
                self.placed += quote.oid is not None
        if moves:
            changes = [{"oid": quote.oid, "order": self.order(quote, price)} for quote, price in moves]
            answers = statuses(self.timed(lambda: self.exchange.bulk_modify_orders_new(changes)))
            for (quote, price), answer in zip(moves, answers):
                if "resting" in answer:
                    quote.price = price
                    self.moved += 1
                elif GONE in answer.get("error", ""):
                    quote.oid = None

    def order(self, quote, price):
        return {
            "coin": self.options.coin,
            "is_buy": quote.is_bid,
            "sz": self.options.size,
            "limit_px": price,
            "order_type": POST_ONLY,
            "reduce_only": False,
        }

    def rounded(self, price, is_bid):
        """To a whole tick, away from the middle."""
        tick = self.tick
        rounding = decimal.ROUND_FLOOR if is_bid else decimal.ROUND_CEILING
        return float((decimal.Decimal(price) / tick).to_integral_value(rounding) * tick)

    def is_far(self, before, after):
        return abs(after - before) > self.options.spread / 8 * before

    def take_fills(self):
        """What has filled since the last time; the snapshot at the start is of before."""
        while not self.fills.empty():
            data = self.fills.get()["data"]
            if data.get("isSnapshot"):
                continue
            for fill in data["fills"]:
                size, price = decimal.Decimal(fill["sz"]), decimal.Decimal(fill["px"])
                sign = 1 if fill["side"] == "B" else -1
                # What is bought or sold, and the fee, in what it was taken in.
                base, quote = self.options.coin.split("/")
                fee = decimal.Decimal(fill["fee"])
                self.inventory += sign * size - (fee if fill["feeToken"] == base else 0)
                self.cash -= sign * size * price + (fee if fill["feeToken"] == quote else 0)
                self.count += 1
                for mine in self.quotes:
                    if mine.oid == fill["oid"]:
                        mine.oid = self.still_open(mine.oid)

    def still_open(self, oid):
        """An order that has filled in part still rests."""
        open_orders = self.info.open_orders(self.user)
        return oid if any(it["oid"] == oid for it in open_orders) else None

    def cancel_all(self):
        """Whatever of ours is open in this market, whether it was ours or from a run before."""
        own = [it for it in self.info.open_orders(self.user) if it["coin"] == self.options.coin]
        if own:
            self.exchange.bulk_cancel([{"coin": it["coin"], "oid": it["oid"]} for it in own])
        left = [it for it in self.info.open_orders(self.user) if it["coin"] == self.options.coin]
        assert not left, left

    def tell(self, prefix=""):
        mids = self.info.all_mids()
        middle = decimal.Decimal(mids.get(self.options.coin) or self.options.reference)
        profit = self.cash + self.inventory * middle
        delays = sorted(self.latencies) or [0.0]
        half, most = delays[len(delays) // 2], delays[len(delays) * 99 // 100]
        print(
            f"{prefix}{self.placed} placed, {self.moved} moved, {self.count} fills, "
            f"inventory {self.inventory:f}, profit {profit:.2f}, "
            f"latency {half * 1000:.1f} ms (99%: {most * 1000:.1f} ms)",
            flush=True,
        )

    def timed(self, ask):
        start = time.perf_counter()
        answer = ask()
        self.latencies.append(time.perf_counter() - start)
        return answer


def statuses(reply):
    """What became of each order; a refusal as a whole is an error."""
    if reply["status"] != "ok":
        raise RuntimeError(reply["response"])
    return reply["response"]["data"]["statuses"]


def grid(info, coin):
    """The steps of prices and sizes of a market, as the node says it: clients of the dialect round to less."""
    markets = {it["coin"]: it for it in get_status(info)["markets"]}
    if coin not in markets:
        raise SystemExit(f"there is no market {coin}: {', '.join(markets)}")
    return decimal.Decimal(markets[coin]["tick"]), decimal.Decimal(markets[coin]["lot"])


def get_status(info):
    return info.session.get(info.base_url + "/status", timeout=10).json()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:3001", help="the node's trader API")
    parser.add_argument("--secret", required=True, help="the wallet's secret key, 0x and 64 digits")
    parser.add_argument("--coin", default="BTC/USD")
    parser.add_argument("--reference", type=float, default=60000.0, help="the middle while nobody else quotes")
    parser.add_argument("--spread", type=float, default=0.002, help="from bid to ask, as a part of the price")
    parser.add_argument("--size", type=float, default=0.01, help="of each order")
    parser.add_argument("--inventory-max", type=float, default=0.1, help="beyond it only one side is quoted")
    parser.add_argument("--interval", type=float, default=0.1, help="seconds between two looks at the book")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long it trades")
    Bot(parser.parse_args()).run()


if __name__ == "__main__":
    main()
