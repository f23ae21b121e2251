"""One session over QUIC: opening, sending, and messages as they come.

aioquic has no call for two things that the protocol needs, so they are done here: the exported
keying material, which binds a session to its connection, and the pinned public key, which takes the
place of all authorities and names.
"""

import asyncio
import ssl
import struct
from contextlib import asynccontextmanager

from aioquic import tls
from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamDataReceived
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import wire

PATIENCE = 10.0


def export(secret: bytes, algorithm: hashes.HashAlgorithm, label: bytes) -> bytes:
    """RFC 8446, section 7.5, with an empty context and 32 bytes."""
    empty = hashes.Hash(algorithm).finalize()
    size = algorithm.digest_size
    derived = tls.hkdf_expand_label(algorithm, secret, label, empty, size)
    return tls.hkdf_expand_label(algorithm, derived, b"exporter", empty, 32)


def keep_exporter_secrets() -> None:
    """Makes every key schedule keep its exporter master secret. It hashes the handshake up to the
    server's Finished, which is where the client's application secret is derived."""
    derive = tls.KeySchedule.derive_secret

    def derive_and_keep(self, label: bytes) -> bytes:
        if label == b"c ap traffic":
            self.exporter_secret = derive(self, b"exp master")
        return derive(self, label)

    tls.KeySchedule.derive_secret = derive_and_keep


keep_exporter_secrets()


class Closed(Exception):
    """The server closed the connection; `reason` is a number of the table of reject reasons."""

    def __init__(self, reason: int, phrase: str):
        super().__init__(f"closed: {reason} {phrase}")
        self.reason = reason


class Connection(QuicConnectionProtocol):
    """Collects what comes on the stream."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.messages = asyncio.Queue()
        self.buffer = bytearray()

    def quic_event_received(self, event) -> None:
        if isinstance(event, StreamDataReceived):
            self.buffer += event.data
            while (whole := wire.split(self.buffer)) is not None:
                self.messages.put_nowait(whole)
        elif isinstance(event, ConnectionTerminated):
            self.messages.put_nowait(Closed(event.error_code, event.reason_phrase))


class Session:
    """An open session."""

    def __init__(self, connection: Connection, key: wire.Key, rolling: bool):
        self.connection = connection
        self.key = key
        self.rolling = rolling
        self.stream = connection._quic.get_next_available_stream_id()
        self.queued = b""
        self.fills = []
        self.ended = []
        self.receipts = []
        self.request = 0
        self.counts = {"frames": 0, "commands": 0}

    async def open(self, network: int, pin: bytes) -> None:
        context = self.connection._quic.tls
        public = context._peer_certificate.public_key()
        presented = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        wire.expect(presented == pin, "the server has the pinned key")
        schedule = context.key_schedule
        label = b"EXPORTER-keel-session-1"
        exporter = export(schedule.exporter_secret, schedule.algorithm, label)
        self.pin = pin
        opening = wire.hello(network, self.rolling, self.key, exporter, receipts=True)
        self.send(opening)
        kind, _, welcome = await self.receive()
        wire.expect(kind == wire.WELCOME, f"a welcome, not kind {kind}")
        self.terms = wire.parse_welcome(welcome)
        self.nonce = self.terms.next_nonce
        self.frame_key = wire.frame_key(self.terms.network, self.terms.genesis_hash)
        if self.rolling:
            self.hash = wire.RollingHash(self.frame_key, exporter, opening, welcome)

    # Sending

    def frame(self, commands: list, nonce: int = None, expires_at: int = 0) -> tuple:
        """A frame of these commands: its nonce and its bytes. It is not sent."""
        if nonce is None:
            nonce, self.nonce = self.nonce, self.nonce + 1
        terms = self.terms
        body = struct.pack("<III4xQQ", terms.account, terms.key, terms.epoch, nonce, expires_at)
        body += b"".join(commands)
        length = 8 + len(body) + 64
        signed = struct.pack("<IBBH", length, wire.ORDERS, wire.VERSION, len(commands)) + body
        if self.rolling:
            return nonce, signed + wire.ZERO_SIGNATURE
        return nonce, signed + self.key.sign(wire.digest(self.frame_key, signed))

    def queue(self, frame: bytes) -> None:
        if self.rolling:
            self.hash.add(frame)
        self.queued += frame
        self.counts["frames"] += 1
        self.counts["commands"] += struct.unpack_from("<H", frame, 6)[0]

    def flush(self) -> None:
        """Sends what is queued, with a signature over it if the session has rolling ones."""
        if self.rolling and self.hash.frames:
            self.queued += self.hash.sign(self.key)
        self.send(self.queued)
        self.queued = b""

    def send(self, data: bytes) -> None:
        self.connection._quic.send_stream_data(self.stream, data)
        self.connection.transmit()

    # Receiving

    async def receive(self) -> tuple:
        """The next message. Executions, ends and receipts are kept, too, each in a list."""
        whole = await asyncio.wait_for(self.connection.messages.get(), PATIENCE)
        if isinstance(whole, Exception):
            raise whole
        kind, count, data = whole
        if kind == wire.FILLS:
            self.fills += wire.parse_fills(count, data)
        elif kind == wire.ENDED:
            self.ended += wire.parse_ended(count, data)
        elif kind == wire.RECEIPTS:
            terms = self.terms
            self.receipts += wire.parse_receipts(
                count, data, self.pin, terms.network, terms.genesis_hash
            )
        return whole

    async def next_answer(self):
        """The next ack, or the next refusal as (nonce, reason)."""
        while True:
            kind, count, data = await self.receive()
            if kind == wire.ACK:
                return wire.parse_ack(count, data)
            if kind == wire.REFUSED:
                return wire.parse_refused(data)

    async def do(self, commands: list) -> wire.Ack:
        """One frame there and its ack back."""
        nonce, frame = self.frame(commands)
        self.queue(frame)
        self.flush()
        ack = await self.next_answer()
        wire.expect(isinstance(ack, wire.Ack), f"an ack, not a refusal: {ack}")
        wire.expect(ack.nonce == nonce and not ack.repeated, f"the ack of nonce {nonce}")
        return ack

    async def ask(self, question: int, nonce: int = 0):
        """A list of records; for a nonce its ack, or None."""
        self.request += 1
        self.send(wire.query(self.request, question, nonce))
        records = []
        while True:
            kind, count, data = await self.receive()
            if kind == wire.ACK:
                ack = wire.parse_ack(count, data)
                if question == 4 and ack.repeated and ack.nonce == nonce:
                    return ack
            elif kind in wire.RECORDS:
                reply = wire.parse_reply(kind, count, data)
                wire.expect(reply.request == self.request, "the reply to this question")
                if kind == wire.UNKNOWN_NONCE:
                    return None
                records += reply.records
                if not reply.more:
                    return records

    async def finish(self) -> None:
        """Sends no more, takes what is owed, and waits for the server to close with code 0."""
        self.connection._quic.send_stream_data(self.stream, b"", end_stream=True)
        self.connection.transmit()
        try:
            while True:
                await self.receive()
        except Closed as closed:
            wire.expect(closed.reason == 0, f"an end without a reason, not {closed}")


@asynccontextmanager
async def session(address: tuple, key: wire.Key, pin: bytes, rolling=False, network=1):
    configuration = QuicConfiguration(
        is_client=True,
        alpn_protocols=["keel/1"],
        # The pin is checked instead, when the session opens.
        verify_mode=ssl.CERT_NONE,
        server_name="keel",
    )
    async with connect(
        *address, configuration=configuration, create_protocol=Connection
    ) as connection:
        opened = Session(connection, key, rolling)
        await opened.open(network, pin)
        yield opened
