"""One scenario through the unmodified ccxt, REST and ccxt.pro, against a node of the development network.

Steps are those of docs/API.md, "Conformance". Each prints a line; the first surprise ends it.
"""

import asyncio
import json
import pathlib
import sys
import time

import ccxt
import ccxt.pro

SYMBOL = "BTC/USD"
WALLETS = json.loads((pathlib.Path(__file__).parent / "wallets.json").read_text())


def options(url, name):
    """All that differs from the original: addresses, and signatures that are for no main network."""
    address = url.removeprefix("http://")
    return {
        "walletAddress": WALLETS[name]["address"],
        "privateKey": WALLETS[name]["secret"],
        "enableRateLimit": False,
        "options": {"sandboxMode": True, "defaultType": "spot"},
        "urls": {
            "api": {"public": url, "private": url, "ws": {"public": f"ws://{address}/ws"}},
        },
    }


def step(name):
    print(f"ok  {name}", flush=True)


def refused(kind, words, call):
    try:
        call()
    except kind as error:
        assert words in str(error), error
        return
    raise AssertionError(f"not refused: {words}")


def wait_for(look, what, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.01)
    raise AssertionError(f"never seen: {what}")


def trade(maker, taker):
    resting = maker.create_order(SYMBOL, "limit", "buy", 0.5, 200.5)
    (order,) = maker.fetch_open_orders(SYMBOL)
    assert (order["id"], order["price"], order["amount"]) == (resting["id"], 200.5, 0.5), order
    step("rest")

    maker.edit_order(resting["id"], SYMBOL, "limit", "buy", 0.25, 201)
    (order,) = maker.fetch_open_orders(SYMBOL)
    assert (order["id"], order["price"], order["amount"]) == (resting["id"], 201, 0.25), order
    step("modify")

    maker.cancel_order(resting["id"], SYMBOL)
    assert maker.fetch_open_orders(SYMBOL) == []
    words = "Order was never placed, already canceled, or filled."
    refused(ccxt.OrderNotFound, words, lambda: maker.cancel_order(resting["id"], SYMBOL))
    step("cancel by id")

    label = "0x" + "07" * 16
    labelled = {"clientOrderId": label}
    placed = maker.create_order(SYMBOL, "limit", "buy", 0.25, 200, labelled)
    assert maker.fetch_order(placed["id"], SYMBOL)["clientOrderId"] == label
    maker.cancel_order(None, SYMBOL, labelled)
    assert maker.fetch_order(placed["id"], SYMBOL)["status"] == "canceled"
    step("cancel by client id")

    ask = maker.create_order(SYMBOL, "limit", "sell", 0.5, 202, {"postOnly": True})
    book = taker.fetch_order_book(SYMBOL)
    assert [202, 0.5] in [level[:2] for level in book["asks"]], book
    filled = taker.create_order(SYMBOL, "limit", "buy", 0.2, 203, {"timeInForce": "ioc"})
    assert (filled["filled"], filled["average"]) == (0.2, 202), filled
    market = taker.create_order(SYMBOL, "market", "buy", 0.1, 203)
    assert (market["filled"], market["average"]) == (0.1, 202), market
    mine = [it for it in taker.fetch_my_trades(SYMBOL) if it["order"] == filled["id"]]
    assert [(it["price"], it["amount"], it["takerOrMaker"]) for it in mine] == [(202, 0.2, "taker")]
    assert taker.fetch_trades(SYMBOL), "a tape"
    assert taker.fetch_ohlcv(SYMBOL, "1m"), "candles"
    words = "Order could not immediately match"
    order = (SYMBOL, "limit", "buy", 0.2, 150, {"timeInForce": "ioc"})
    refused(ccxt.InvalidOrder, words, lambda: taker.create_order(*order))
    step("IOC fill")

    words = "Post only order would have immediately matched,"
    order = (SYMBOL, "limit", "buy", 0.2, 202, {"postOnly": True})
    refused(ccxt.InvalidOrder, words, lambda: taker.create_order(*order))
    maker.cancel_order(ask["id"], SYMBOL)
    step("post-only refusal")


def dead_man(maker):
    maker.create_order(SYMBOL, "limit", "buy", 0.1, 190)
    maker.cancel_all_orders_after(1_000)
    wait_for(lambda: maker.fetch_open_orders(SYMBOL) == [], "the end of what the switch takes off")
    step("dead-man switch")


def accounts(maker):
    assert maker.fetch_balance({"type": "spot"})["BTC"]["free"] > 0
    sub = maker.create_sub_account("desk")["response"]["data"]
    spot = {"type": "spot"}
    maker.transfer("BTC", 2, "main", sub, spot)
    assert maker.fetch_balance({"type": "spot", "user": sub})["BTC"]["total"] == 2
    inside = {"vaultAddress": sub}
    order = maker.create_order(SYMBOL, "limit", "sell", 0.5, 210, inside)
    maker.cancel_order(order["id"], SYMBOL, inside)
    maker.transfer("BTC", 2, sub, "main", spot)
    assert maker.fetch_balance({"type": "spot", "user": sub}).get("BTC", {}).get("total", 0) == 0
    step("sub-account transfer")


def refusals(maker):
    # ccxt takes an expiry with this, and signs it.
    past = {"expiresAfter": maker.milliseconds() - 60_000}
    refused(ccxt.ExchangeError, "expired", lambda: maker.create_sub_account("late", past))
    step("expired action")

    nonce, action = maker.milliseconds() + 5_000, {"type": "noop"}
    body = {"action": action, "nonce": nonce, "signature": maker.sign_l1_action(action, nonce)}
    assert maker.private_post_exchange(body)["status"] == "ok"
    refused(ccxt.ExchangeError, "Invalid nonce", lambda: maker.private_post_exchange(body))
    step("replayed nonce")


async def sockets(url, maker):
    """Orders go over the socket, too."""
    for time_around in ("socket snapshot then update", "reconnect"):
        watcher = ccxt.pro.hyperliquid(options(url, "dev-2"))
        try:
            await watcher.load_markets()
            first = await asyncio.wait_for(watcher.watch_order_book(SYMBOL), 20)
            assert first["symbol"] == SYMBOL, first
            # The first trades are those of before.
            await asyncio.wait_for(watcher.watch_my_trades(SYMBOL), 20)
            # What is told while nobody watches is not told again.
            orders = asyncio.create_task(watcher.watch_orders(SYMBOL))
            book = watching(watcher.watch_order_book, lambda it: [204, 0.3] in it["asks"])
            placed = await watcher.create_order_ws(SYMBOL, "limit", "sell", 0.3, 204)
            await book
            fills = watching(
                watcher.watch_my_trades,
                lambda it: any(fill["order"] == placed["id"] for fill in it),
            )
            order = (SYMBOL, "limit", "buy", 0.3, 204, {"timeInForce": "ioc"})
            await asyncio.to_thread(maker.create_order, *order)
            await fills
            told = await asyncio.wait_for(orders, 20)
            assert any(it["id"] == placed["id"] for it in told), told
        finally:
            await watcher.close()
        step(time_around)


def watching(watch, wanted):
    return asyncio.create_task(seen(watch, wanted))


async def seen(watch, wanted):
    deadline = time.monotonic() + 20
    while not wanted(found := await asyncio.wait_for(watch(SYMBOL), 20)):
        assert time.monotonic() < deadline, found


def main(url):
    maker, taker = (ccxt.hyperliquid(options(url, name)) for name in ("dev-2", "dev-3"))
    # Clients round prices by the last one, so there has to be one.
    seed = ccxt.hyperliquid(options(url, "dev-4"))
    seed.load_markets()
    first = seed.create_order(SYMBOL, "limit", "sell", 1, 300)
    for client in (maker, taker):
        market = client.load_markets()[SYMBOL]
        assert market["spot"] and market["precision"]["amount"] == 1e-6, market
    step("load markets")
    trade(maker, taker)
    dead_man(maker)
    accounts(maker)
    refusals(maker)
    asyncio.run(sockets(url, taker))
    seed.cancel_order(first["id"], SYMBOL)


if __name__ == "__main__":
    main(sys.argv[1])
