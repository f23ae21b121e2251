"""One scenario through the unmodified hyperliquid-python-sdk, against a node of the development network.

Steps are those of docs/API.md, "Conformance". Each prints a line; the first surprise ends it.
"""

import json
import pathlib
import queue
import sys
import time

from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.signing import get_timestamp_ms, sign_l1_action
from hyperliquid.utils.types import Cloid

COIN = "BTC/USD"
GTC = {"limit": {"tif": "Gtc"}}
IOC = {"limit": {"tif": "Ioc"}}
ALO = {"limit": {"tif": "Alo"}}
WALLETS = json.loads((pathlib.Path(__file__).parent / "wallets.json").read_text())


def wallet(name):
    return Account.from_key(WALLETS[name]["secret"])


def step(name):
    print(f"ok  {name}", flush=True)


def status(reply):
    """The one status of a reply about one order."""
    assert reply["status"] == "ok", reply
    (only,) = reply["response"]["data"]["statuses"]
    return only


def wait_for(look, what, seconds=20):
    """Looks again until it is true; reads follow what was answered a moment later at most."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.01)
    raise AssertionError(f"never seen: {what}")


def next_of(messages, wanted, what):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        message = messages.get(timeout=20)
        if wanted(message):
            return message
    raise AssertionError(f"never told: {what}")


def trade(url, maker, taker, info):
    me = maker.wallet.address
    resting = status(maker.order(COIN, True, 0.5, 100.5, GTC))["resting"]["oid"]
    assert [it["oid"] for it in info.open_orders(me)] == [resting]
    step("rest")

    changed = status(maker.modify_order(resting, COIN, True, 0.25, 101, GTC))
    assert changed["resting"]["oid"] == resting, changed
    (order,) = info.open_orders(me)
    assert (order["limitPx"], order["sz"]) == ("101", "0.25"), order
    step("modify")

    assert status(maker.cancel(COIN, resting)) == "success"
    assert info.open_orders(me) == []
    gone = status(maker.cancel(COIN, resting))["error"]
    assert "Order was never placed, already canceled, or filled." in gone, gone
    step("cancel by id")

    label = Cloid.from_int(7)
    reply = status(maker.order(COIN, True, 0.25, 100, GTC, cloid=label))["resting"]
    assert reply["cloid"] == label.to_raw(), reply
    found = info.query_order_by_cloid(me, label)
    assert found["order"]["order"]["cloid"] == label.to_raw(), found
    assert status(maker.cancel_by_cloid(COIN, label)) == "success"
    assert info.query_order_by_cloid(me, label)["order"]["status"] == "canceled"
    step("cancel by client id")

    ask = status(maker.order(COIN, False, 0.5, 101, ALO))["resting"]["oid"]
    filled = status(taker.order(COIN, True, 0.2, 102, IOC))["filled"]
    assert (filled["totalSz"], filled["avgPx"]) == ("0.2", "101"), filled
    (fill,) = [it for it in info.user_fills(taker.wallet.address) if it["oid"] == filled["oid"]]
    assert fill["crossed"] and fill["px"] == "101" and fill["feeToken"] == "BTC", fill
    (mine,) = [it for it in info.user_fills(me) if it["oid"] == ask]
    assert not mine["crossed"] and mine["tid"] == fill["tid"], mine
    missed = status(taker.order(COIN, True, 0.2, 100, IOC))["error"]
    assert "Order could not immediately match" in missed, missed
    step("IOC fill")

    crossed = status(taker.order(COIN, True, 0.2, 101, ALO))["error"]
    assert "Post only order would have immediately matched" in crossed, crossed
    off_grid = status(taker.order(COIN, True, 0.2, 100.505, GTC))["error"]
    assert "Price must be divisible by tick size." in off_grid, off_grid
    assert status(maker.cancel(COIN, ask)) == "success"
    step("post-only refusal")


def dead_man(maker, info):
    me = maker.wallet.address
    status(maker.order(COIN, True, 0.1, 90, GTC))
    reply = maker.schedule_cancel(get_timestamp_ms() + 1_000)
    assert reply["status"] == "ok", reply
    wait_for(lambda: info.open_orders(me) == [], "the end of what the switch takes off")
    assert maker.schedule_cancel(None)["status"] == "ok"
    step("dead-man switch")


def accounts(url, maker, info):
    reply = maker.create_sub_account("desk")
    assert reply["status"] == "ok", reply
    sub = reply["response"]["data"]
    assert maker.sub_account_transfer(sub, True, 5_000_000)["status"] == "ok"
    assert maker.sub_account_spot_transfer(sub, True, "BTC:0x0", 2)["status"] == "ok"

    def has(coin, amount):
        balances = info.spot_user_state(sub)["balances"]
        return any(it["coin"] == coin and it["total"] == amount for it in balances)

    assert has("USD", "5") and has("BTC", "2"), info.spot_user_state(sub)
    through = Exchange(maker.wallet, url, vault_address=sub)
    resting = status(through.order(COIN, False, 0.5, 110, GTC))["resting"]["oid"]
    assert [it["oid"] for it in info.open_orders(sub)] == [resting]
    assert status(through.cancel(COIN, resting)) == "success"
    assert maker.sub_account_spot_transfer(sub, False, "BTC:0x0", 2)["status"] == "ok"
    assert not has("BTC", "2")
    step("sub-account transfer")

    reply, secret = maker.approve_agent("desk")
    assert reply["status"] == "ok", reply
    agent = Exchange(Account.from_key(secret), url, account_address=maker.wallet.address)
    resting = status(agent.order(COIN, True, 0.1, 95, GTC))["resting"]["oid"]
    assert [it["oid"] for it in info.open_orders(maker.wallet.address)] == [resting]
    assert status(agent.cancel(COIN, resting)) == "success"
    refused = agent.usd_transfer(1, wallet("dev-3").address)
    assert refused["status"] == "err", refused
    assert maker.usd_transfer(1, "0x00000000000000000000000000000000000000aa")["status"] == "ok"
    refused = maker.approve_builder_fee("0x00000000000000000000000000000000000000aa", "0.1%")
    assert refused["status"] == "err", refused
    step("agent, payment, no builder fees")


def refusals(maker):
    maker.set_expires_after(get_timestamp_ms() - 60_000)
    expired = maker.order(COIN, True, 0.1, 95, GTC)
    maker.set_expires_after(None)
    assert expired["status"] == "err" and "expired" in expired["response"], expired
    step("expired action")

    action, nonce = {"type": "noop"}, get_timestamp_ms() + 5_000
    signature = sign_l1_action(maker.wallet, action, None, nonce, None, False)
    body = {"action": action, "nonce": nonce, "signature": signature, "vaultAddress": None}
    assert maker.post("/exchange", body)["status"] == "ok"
    replayed = maker.post("/exchange", body)
    assert replayed["status"] == "err" and "Invalid nonce" in replayed["response"], replayed
    step("replayed nonce")


def sockets(url, maker, taker):
    for time_around in ("socket snapshot then update", "reconnect"):
        info = Info(url)
        book, fills, updates = queue.Queue(), queue.Queue(), queue.Queue()
        info.subscribe({"type": "l2Book", "coin": COIN}, book.put)
        info.subscribe({"type": "userFills", "user": maker.wallet.address}, fills.put)
        info.subscribe({"type": "orderUpdates", "user": maker.wallet.address}, updates.put)
        first = next_of(book, lambda it: True, "a book")
        assert len(first["data"]["levels"]) == 2, first
        snapshot = next_of(fills, lambda it: True, "a snapshot of fills")
        assert snapshot["data"]["isSnapshot"] is True, snapshot
        price = 103.0
        ask = status(maker.order(COIN, False, 0.3, price, GTC))["resting"]["oid"]
        next_of(
            book,
            lambda it: any(level["px"] == "103" for level in it["data"]["levels"][1]),
            "the ask in the book",
        )
        next_of(
            updates,
            lambda it: any(u["order"]["oid"] == ask and u["status"] == "open" for u in it["data"]),
            "the order",
        )
        status(taker.order(COIN, True, 0.3, price, IOC))["filled"]
        told = next_of(
            fills,
            lambda it: any(fill["oid"] == ask for fill in it["data"]["fills"]),
            "the fill",
        )
        assert "isSnapshot" not in told["data"], told
        next_of(
            updates,
            lambda it: any(u["order"]["oid"] == ask and u["status"] == "filled" for u in it["data"]),
            "the filled order",
        )
        info.disconnect_websocket()
        step(time_around)


def main(url):
    info = Info(url, skip_ws=True)
    assert info.name_to_asset(COIN) == 10_000
    maker, taker = (Exchange(wallet(name), url) for name in ("dev-0", "dev-1"))
    assert info.spot_user_state(maker.wallet.address)["balances"], "a funded account"
    assert info.user_state(maker.wallet.address)["assetPositions"] == []
    step("load markets")
    trade(url, maker, taker, info)
    dead_man(maker, info)
    accounts(url, maker, info)
    refusals(maker)
    sockets(url, maker, taker)


if __name__ == "__main__":
    main(sys.argv[1])
