"""Keel's native protocol, byte by byte, as docs/PROTOCOL.md describes it.

Nothing here does I/O. Whatever a server sends that the page does not allow raises `NotKeel`.
"""

import struct
from dataclasses import dataclass
from typing import NamedTuple

from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

VERSION = 1
HELLO, WELCOME, ORDERS, ACK, FILLS, REFUSED, QUERY = range(1, 8)
BALANCES, OPEN_ORDERS, REFERENCE, UNKNOWN_NONCE, ENDED, MARKET_STATES = range(8, 14)
ROLLING_SIGNATURE, RECEIPTS = 24, 25
BID, ASK = 0, 1
LIMIT, POST_ONLY, POST_ONLY_SLIDING, MARKET = range(4)
REST, IOC, FOK = range(3)
ZERO_SIGNATURE = bytes(64)
ALL_MARKETS, BOTH_SIDES = 65535, 255


class NotKeel(Exception):
    """The server does not keep to the protocol."""


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise NotKeel(what)


# Keys and digests


def development_seed(name: str) -> bytes:
    return blake3(
        name.encode(), derive_key_context="keel 2026-11-23 development key"
    ).digest()


class Key:
    """An Ed25519 key."""

    def __init__(self, seed: bytes):
        self.secret = Ed25519PrivateKey.from_private_bytes(seed)
        public = self.secret.public_key()
        self.public = public.public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, digest: bytes) -> bytes:
        return self.secret.sign(digest)


def frame_key(network: int, genesis_hash: bytes) -> bytes:
    material = struct.pack("<BI", VERSION, network) + genesis_hash
    return blake3(material, derive_key_context="keel 2026-11-23 signed frame").digest()


def digest(key: bytes, signed: bytes) -> bytes:
    return blake3(signed, key=key).digest()


class RollingHash:
    """The running hash over the frames of a session, and the next signature over it."""

    def __init__(self, key: bytes, exporter: bytes, hello: bytes, welcome: bytes):
        context = "keel 2026-11-26 rolling signatures"
        material = exporter + hello + welcome
        self.key = key
        self.now = blake3(material, derive_key_context=context).digest()
        self.signed = self.now
        self.frames = 0

    def add(self, frame: bytes) -> None:
        self.now = blake3(self.now + digest(self.key, frame[:-64]), key=self.key).digest()
        self.frames += 1

    def sign(self, key: Key) -> bytes:
        body = struct.pack("<II", self.frames, 0) + self.signed + key.sign(self.now)
        self.signed, self.frames = self.now, 0
        return message(ROLLING_SIGNATURE, 0, body)


# Messages to the server


def message(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("<IBBH", 8 + len(body), kind, VERSION, count) + body


def hello(network: int, rolling: bool, key: Key, exporter: bytes, receipts=False) -> bytes:
    body = struct.pack("<IBB2x", network, rolling, receipts) + key.public
    signed = struct.pack("<IBBH", 8 + len(body) + 64, HELLO, VERSION, 0) + body
    opening = blake3(
        exporter + signed, derive_key_context="keel 2026-11-23 session opening"
    ).digest()
    return signed + key.sign(opening)


def slot(operation, side=0, kind=0, tif=0, market=0, asset=0, a=0, b=0, c=0) -> bytes:
    return struct.pack("<BBBBHHQQQ", operation, side, kind, tif, market, asset, a, b, c)


def place(side, market, price, lots, label=0, kind=LIMIT, tif=REST) -> bytes:
    return slot(1, side, kind, tif, market, a=price, b=lots, c=label)


def place_extended(
    side, market, price, lots, label=0, kind=LIMIT, tif=REST, expires_at=0, display=0, self_trade=0
) -> bytes:
    first = slot(6, side, kind, tif, market, a=price, b=lots, c=label)
    return first + struct.pack("<QQIIIBBBB", expires_at, display, 0, 0, 0, 0, self_trade, 0, 0)


def cancel(order_id: int) -> bytes:
    return slot(2, a=order_id)


def cancel_label(market: int, label: int) -> bytes:
    return slot(3, market=market, c=label)


def cancel_all(market=ALL_MARKETS, side=BOTH_SIDES) -> bytes:
    return slot(4, side=side, market=market)


def replace(order_id: int, price: int, lots: int, may_take: bool) -> bytes:
    return slot(7, side=may_take, a=order_id, b=price, c=lots)


def quote_set(market: int, number: int, bids: list, asks: list) -> bytes:
    levels = b"".join(struct.pack("<QQ", price, lots) for price, lots in bids + asks)
    levels += bytes(-len(levels) % 32)
    return slot(8, side=len(bids), kind=len(asks), market=market, a=number) + levels


def transfer(asset: int, receiver: int, amount: int) -> bytes:
    return slot(5, asset=asset, a=receiver, b=amount % 2**64, c=amount >> 64)


def query(request: int, question: int, nonce: int = 0) -> bytes:
    return message(QUERY, 0, struct.pack("<QB7xQ", request, question, nonce))


# Messages from the server


@dataclass
class Terms:
    network: int
    account: int
    key: int
    epoch: int
    genesis_hash: bytes
    next_nonce: int
    frames_in_flight: int
    unsigned_frames: int


def split(buffer: bytearray):
    """Takes the next whole message off a buffer: its kind, its count and all its bytes."""
    if len(buffer) < 8:
        return None
    length, kind, version, count = struct.unpack_from("<IBBH", buffer)
    expect(8 <= length <= 65536, f"a message of {length} bytes")
    expect(version == VERSION, f"version {version}")
    if len(buffer) < length:
        return None
    whole = bytes(buffer[:length])
    del buffer[:length]
    return kind, count, whole


def parse_welcome(whole: bytes) -> Terms:
    expect(len(whole) == 72, "a welcome has 72 bytes")
    network, account, key, epoch = struct.unpack_from("<IIII", whole, 8)
    next_nonce, in_flight, unsigned = struct.unpack_from("<QII", whole, 56)
    return Terms(network, account, key, epoch, whole[24:56], next_nonce, in_flight, unsigned)


class Outcome(NamedTuple):
    reason: int
    affected: int
    lots: int


@dataclass
class Ack:
    nonce: int
    first_sequence: int
    received_at: int
    stages: tuple
    repeated: bool
    refused: int
    outcomes: list


def parse_ack(count: int, whole: bytes) -> Ack:
    expect(len(whole) == 56 + 16 * count, "an ack has 16 bytes for each outcome")
    nonce, sequence, received_at = struct.unpack_from("<QQQ", whole, 8)
    stages = struct.unpack_from("<IIII", whole, 32)
    flags, reserved, refused, reserved_too = struct.unpack_from("<BBHI", whole, 48)
    expect(flags <= 1 and reserved == 0 and reserved_too == 0, "reserved bytes are zero")
    outcomes = []
    for reason, zero, affected, lots in struct.iter_unpack("<HHIQ", whole[56:]):
        expect(zero == 0, "reserved bytes are zero")
        outcomes.append(Outcome(reason, affected, lots))
    return Ack(nonce, sequence, received_at, stages, bool(flags), refused, outcomes)


class Fill(NamedTuple):
    role: int
    side: int
    market: int
    in_auction: bool
    sequence: int
    order_id: int
    label: int
    price: int
    lots: int
    remaining: int
    fee: int


def parse_fills(count: int, whole: bytes) -> list:
    expect(len(whole) == 8 + 72 * count, "a fill has 72 bytes")
    fills = []
    for at in range(8, len(whole), 72):
        role, side, market, flags = struct.unpack_from("<BBHB3x", whole, at)
        numbers = struct.unpack_from("<QQQQQQ", whole, at + 8)
        fee = int.from_bytes(whole[at + 56 : at + 72], "little", signed=True)
        fills.append(Fill(role, side, market, bool(flags), *numbers, fee))
    return fills


class Ended(NamedTuple):
    order_id: int
    label: int
    sequence: int
    price: int
    lots: int
    remaining: int
    market: int
    side: int
    reason: int


def parse_ended(count: int, whole: bytes) -> list:
    expect(len(whole) == 8 + 56 * count, "an end has 56 bytes")
    return [Ended(*fields) for fields in struct.iter_unpack("<QQQQQQHBB4x", whole[8:])]


def parse_refused(whole: bytes):
    expect(len(whole) == 24, "a refusal has 24 bytes")
    return struct.unpack_from("<QH", whole, 8)


class Receipt(NamedTuple):
    nonce: int
    arrival: int
    first_sequence: int


def parse_receipts(count: int, whole: bytes, server: bytes, network: int, genesis_hash: bytes):
    """Receipts that the server of this public key signed."""
    expect(len(whole) == 88 + 24 * count and count > 0, "a receipt has 24 bytes")
    material = struct.pack("<I", network) + genesis_hash
    key = blake3(material, derive_key_context="keel 2026-11-26 receipts").digest()
    signed = blake3(whole[:24] + whole[88:], key=key).digest()
    try:
        Ed25519PublicKey.from_public_bytes(server).verify(whole[24:88], signed)
    except InvalidSignature:
        raise NotKeel("receipts that the server did not sign") from None
    return [Receipt(*fields) for fields in struct.iter_unpack("<QQQ", whole[88:])]


class Reply(NamedTuple):
    request: int
    sequence: int
    more: bool
    records: list


class Balance(NamedTuple):
    asset: int
    free: int
    held: int


class OpenOrder(NamedTuple):
    order_id: int
    label: int
    price: int
    remaining: int
    display: int
    expires_at: int
    trigger: int
    stop_trigger: int
    stop_limit: int
    market: int
    side: int
    condition: int
    flags: int
    stop_self_trade: int


class Asset(NamedTuple):
    symbol: str
    decimals: int


class Market(NamedTuple):
    symbol: str
    tick_decimals: int
    lot_decimals: int
    base: int
    quote: int
    tick_units: int
    lot_units: int
    maker_fee: int
    taker_fee: int


class MarketState(NamedTuple):
    market: int
    status: int
    last: int
    indicative: int


def u128(bytes_: bytes) -> int:
    return int.from_bytes(bytes_, "little")


def parse_balance(record: bytes) -> Balance:
    return Balance(u128(record[:2]), u128(record[8:24]), u128(record[24:40]))


def parse_open_order(record: bytes) -> OpenOrder:
    return OpenOrder(*struct.unpack("<QQQQQQIIIHBBBB6x", record))


def parse_reference(record: bytes):
    symbol = record[:16].rstrip(b"\0").decode("ascii")
    kind, decimals, tick_decimals, lot_decimals = record[16:20]
    if kind == 0:
        return Asset(symbol, decimals)
    expect(kind == 1, "a reference record is an asset or a market")
    rest = struct.unpack_from("<HHQQii", record, 20)
    return Market(symbol, tick_decimals, lot_decimals, *rest)


def parse_market_state(record: bytes) -> MarketState:
    return MarketState(*struct.unpack_from("<HB5xQQ", record))


RECORDS = {
    BALANCES: (40, parse_balance),
    OPEN_ORDERS: (72, parse_open_order),
    REFERENCE: (96, parse_reference),
    MARKET_STATES: (64, parse_market_state),
    UNKNOWN_NONCE: (1, None),
}


def parse_reply(kind: int, count: int, whole: bytes) -> Reply:
    length, parse = RECORDS[kind]
    expect(len(whole) == 32 + length * count, "records have their length")
    request, sequence, more = struct.unpack_from("<QQB7x", whole, 8)
    starts = range(32, len(whole), length)
    return Reply(request, sequence, bool(more), [parse(whole[at : at + length]) for at in starts])


def order_id(sequence: int, market: int, index: int = 0) -> int:
    return sequence << 16 | market << 6 | index
