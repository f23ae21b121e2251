// One scenario through the unmodified @nktkas/hyperliquid, against a node of the development network.
//
// Steps are those of docs/API.md, "Conformance". Each prints a line; the first surprise ends it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { createRequire } from "node:module";

// Packages lie where they were installed, which is not beside this file.
const [url, installed] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${installed}/`));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { ExchangeClient, HttpTransport, InfoClient, SubscriptionClient, WebSocketTransport } =
  await load("@nktkas/hyperliquid");
const { signL1Action } = await load("@nktkas/hyperliquid/signing");
const { privateKeyToAccount } = await load("viem/accounts");
// Node 20 has no WebSocket of its own.
globalThis.WebSocket ??= (await load("ws")).default;

const wallets = JSON.parse(readFileSync(new URL("wallets.json", import.meta.url)));
const wallet = (name) => privateKeyToAccount(wallets[name].secret);
const COIN = "BTC/USD";
const ASSET = 10000;

const step = (name) => console.log(`ok  ${name}`);
const order = (b, s, p, tif, c) => ({
  orders: [{ a: ASSET, b, p, s, r: false, t: { limit: { tif } }, ...(c ? { c } : {}) }],
  grouping: "na",
});
const only = (reply) => {
  const [status, ...more] = reply.response.data.statuses;
  assert.deepEqual(more, []);
  return status;
};
const refused = async (words, call) => {
  await assert.rejects(call, (error) => {
    assert.match(`${error.message} ${JSON.stringify(error.response ?? "")}`, words);
    return true;
  });
};
const waitFor = async (look, what) => {
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    const found = await look();
    if (found) return found;
  }
  assert.fail(`never seen: ${what}`);
};

// Messages of a subscription, one after the other.
class Told {
  #waiting = [];
  #messages = [];
  take = (message) => {
    const next = this.#waiting.shift();
    if (next) next(message);
    else this.#messages.push(message);
  };
  async next(wanted, what) {
    for (const end = Date.now() + 20_000; Date.now() < end; ) {
      const message = this.#messages.shift() ?? (await new Promise((take) => this.#waiting.push(take)));
      if (wanted(message)) return message;
    }
    assert.fail(`never told: ${what}`);
  }
}

const http = new HttpTransport({ apiUrl: url, isTestnet: true });
const info = new InfoClient({ transport: http });
const [maker, taker] = ["dev-5", "dev-6"].map((name) => new ExchangeClient({ transport: http, wallet: wallet(name) }));
const user = wallet("dev-5").address;
const openOrders = () => info.openOrders({ user });

const meta = await info.spotMeta();
assert.equal(meta.universe[0].name, COIN);
assert.ok((await info.spotClearinghouseState({ user })).balances.length > 0);
step("load markets");

{
  const resting = only(await maker.order(order(true, "0.5", "400.5", "Gtc"))).resting.oid;
  assert.deepEqual((await openOrders()).map((it) => it.oid), [resting]);
  step("rest");

  await maker.modify({ oid: resting, order: order(true, "0.25", "401", "Gtc").orders[0] });
  const [changed] = await openOrders();
  assert.deepEqual([changed.oid, changed.limitPx, changed.sz], [resting, "401", "0.25"]);
  step("modify");

  assert.equal(only(await maker.cancel({ cancels: [{ a: ASSET, o: resting }] })), "success");
  assert.deepEqual(await openOrders(), []);
  await refused(/never placed, already canceled, or filled/, () =>
    maker.cancel({ cancels: [{ a: ASSET, o: resting }] }));
  step("cancel by id");

  const cloid = `0x${"09".repeat(16)}`;
  assert.equal(only(await maker.order(order(true, "0.25", "400", "Gtc", cloid))).resting.cloid, cloid);
  await maker.cancelByCloid({ cancels: [{ asset: ASSET, cloid }] });
  assert.equal((await info.orderStatus({ user, oid: cloid })).order.status, "canceled");
  step("cancel by client id");

  const ask = only(await maker.order(order(false, "0.5", "402", "Alo"))).resting.oid;
  const filled = only(await taker.order(order(true, "0.2", "403", "Ioc"))).filled;
  assert.deepEqual([filled.totalSz, filled.avgPx], ["0.2", "402"]);
  const fills = await info.userFills({ user });
  assert.ok(fills.some((it) => it.oid === ask && it.px === "402" && !it.crossed));
  await refused(/could not immediately match/, () => taker.order(order(true, "0.2", "350", "Ioc")));
  step("IOC fill");

  await refused(/Post only order would have immediately matched/, () =>
    taker.order(order(true, "0.2", "402", "Alo")));
  await maker.cancel({ cancels: [{ a: ASSET, o: ask }] });
  step("post-only refusal");
}

await maker.order(order(true, "0.1", "390", "Gtc"));
await maker.scheduleCancel({ time: Date.now() + 1_000 });
await waitFor(async () => (await openOrders()).length === 0, "the end of what the switch takes off");
await maker.scheduleCancel();
step("dead-man switch");

{
  const sub = (await maker.createSubAccount({ name: "desk" })).response.data;
  const btc = meta.tokens.find((it) => it.name === "BTC");
  const token = `${btc.name}:${btc.tokenId}`;
  const has = async () => {
    const { balances } = await info.spotClearinghouseState({ user: sub });
    return balances.find((it) => it.coin === "BTC")?.total ?? "0";
  };
  await maker.subAccountSpotTransfer({ subAccountUser: sub, isDeposit: true, token, amount: "2" });
  assert.equal(await has(), "2");
  const inside = { vaultAddress: sub };
  const { oid } = only(await maker.order(order(false, "0.5", "410", "Gtc"), inside)).resting;
  await maker.cancel({ cancels: [{ a: ASSET, o: oid }] }, inside);
  await maker.subAccountSpotTransfer({ subAccountUser: sub, isDeposit: false, token, amount: "2" });
  assert.equal(await has(), "0");
  step("sub-account transfer");

  const agent = wallet("dev-7");
  await maker.approveAgent({ agentAddress: "0x00000000000000000000000000000000000000bb", agentName: "page" });
  assert.ok((await info.extraAgents({ user })).some((it) => it.name === "page"));
  assert.equal((await info.userRole({ user: agent.address })).role, "user");
  await maker.usdSend({ destination: "0x00000000000000000000000000000000000000aa", amount: "1" });
  step("agent and payment");
}

await refused(/expired/, () =>
  maker.order(order(true, "0.1", "390", "Gtc"), { expiresAfter: Date.now() - 60_000 }));
step("expired action");

{
  const [action, nonce] = [{ type: "noop" }, Date.now() + 5_000];
  const signature = await signL1Action({ wallet: wallet("dev-5"), action, nonce, isTestnet: true });
  const post = async () =>
    (await fetch(`${url}/exchange`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ action, signature, nonce }),
    })).json();
  assert.equal((await post()).status, "ok");
  assert.match((await post()).response, /Invalid nonce/);
  step("replayed nonce");
}

for (const round of ["socket snapshot then update", "reconnect"]) {
  const transport = new WebSocketTransport({ url: `${url.replace("http", "ws")}/ws`, isTestnet: true });
  const subscriptions = new SubscriptionClient({ transport });
  // Orders go over the socket, too.
  const here = new ExchangeClient({ transport, wallet: wallet("dev-5") });
  const [book, fills, updates] = [new Told(), new Told(), new Told()];
  await subscriptions.l2Book({ coin: COIN }, book.take);
  await subscriptions.userFills({ user }, fills.take);
  await subscriptions.orderUpdates({ user }, updates.take);
  assert.equal((await book.next(() => true, "a book")).levels.length, 2);
  assert.equal((await fills.next(() => true, "a snapshot of fills")).isSnapshot, true);
  const { oid } = only(await here.order(order(false, "0.3", "404", "Gtc"))).resting;
  await book.next((it) => it.levels[1].some((level) => level.px === "404"), "the ask in the book");
  await updates.next((it) => it.some((u) => u.order.oid === oid && u.status === "open"), "the order");
  assert.equal(only(await taker.order(order(true, "0.3", "404", "Ioc"))).filled.totalSz, "0.3");
  await fills.next((it) => it.fills.some((fill) => fill.oid === oid), "the fill");
  await updates.next((it) => it.some((u) => u.order.oid === oid && u.status === "filled"), "the filled order");
  await transport.close();
  step(round);
}
