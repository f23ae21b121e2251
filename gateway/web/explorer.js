// The explorer: latest blocks, what is in one, and accounts with a proof that is checked here.

import { fromHex } from "./hex.js";
import { get, info } from "./net.js";
import { nameOf, readRecord, rootOf, SYSTEM_NUMBERS } from "./proof.js";
import { byId, clock, formatUnits, make, pretty, setText } from "./text.js";

/** How often the list is asked for. */
const EVERY = 1_000;
/** A checkpoint may be made between the question for it and the one for a proof: then both are asked again. */
const TRIES = 5;

class ExplorerPage {
  #proof = null;
  /** What was asked for: a number, or an address. */
  #asked = null;
  #assets = [];

  async begin() {
    const { tokens } = await info({ type: "spotMeta" });
    this.#assets = tokens.map(({ name, weiDecimals }) => ({ name, decimals: weiDecimals }));
    byId("search").addEventListener("submit", (event) => {
      event.preventDefault();
      const wanted = byId("wanted").value.trim();
      if (wanted) this.#go({ [event.submitter?.value ?? "account"]: wanted });
    });
    byId("root-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#check();
    });
    addEventListener("popstate", () => this.#show());
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-query]");
      if (!link || event.ctrlKey || event.metaKey || event.button !== 0) return;
      event.preventDefault();
      this.#go(Object.fromEntries(new URLSearchParams(link.dataset.query)));
    });
    await Promise.all([this.#show(), this.#refresh()]);
  }

  #go(query) {
    history.pushState(null, "", `?${new URLSearchParams(query)}`);
    return this.#show();
  }

  async #show() {
    const query = new URLSearchParams(location.search);
    byId("account-panel").hidden = true;
    byId("block-panel").hidden = true;
    this.#tell("");
    try {
      if (query.has("account")) await this.#showAccount(query.get("account"));
      if (query.has("block")) await this.#showBlock(query.get("block"));
    } catch (error) {
      this.#tell(error.message);
    }
  }

  #tell(words) {
    byId("result").dataset.kind = words ? "bad" : "";
    setText(byId("result"), words);
  }

  async #refresh() {
    if (!document.hidden) {
      try {
        const [status, { blocks }, checkpoint] = await Promise.all([get("/status"), get("/blocks"), get("/checkpoint")]);
        byId("connection").dataset.state = "open";
        setText(byId("connection"), "connected");
        setText(byId("durable"), pretty(status.durableSequence));
        setText(byId("checkpoint"), checkpoint ? pretty(checkpoint.sequence) : "–");
        this.#paintBlocks(blocks);
      } catch {
        byId("connection").dataset.state = "closed";
        setText(byId("connection"), "not connected");
      }
    }
    setTimeout(() => this.#refresh(), EVERY);
  }

  #paintBlocks(blocks) {
    const body = byId("blocks").querySelector("tbody");
    const newest = String(blocks[0]?.height ?? "");
    if (body.dataset.newest === newest) return;
    const focused = body.contains(document.activeElement) ? document.activeElement.dataset.query : null;
    body.dataset.newest = newest;
    body.replaceChildren(...blocks.map((block) => row(
      link({ block: block.height }, pretty(block.height)), `${block.firstSequence} – ${block.lastSequence}`, clock(block.sealedAt),
      block.frames, block.commands, block.fills, `${pretty(block.durableAfterMicros)} µs`,
    )));
    if (focused) body.querySelector(`[data-query="${focused}"]`)?.focus();
  }

  async #showBlock(height) {
    const block = await get(`/blocks/${encodeURIComponent(height)}`);
    byId("block-panel").hidden = false;
    setText(byId("block-title"), `Block ${pretty(block.height)}`);
    facts("block-facts", [
      ["Sequence", `${block.firstSequence} – ${block.lastSequence}`],
      ["Sealed", new Date(block.sealedAt).toLocaleString()],
      ["Durable after", `${pretty(block.durableAfterMicros)} µs`],
      ["Frames", `${block.frames}, and ${block.ownEntries} entries of the node`],
      ["Commands", `${block.commands}, of which ${block.kept.length} are shown`],
      ["Record hash", make("code", {}, block.recordHash)],
      ["Outcome hash", make("code", {}, block.outcomeHash)],
    ]);
    const words = ({ kind, order }) => (order ? `${kind} ${order.side} ${order.size} ${order.coin} at ${order.price}` : kind);
    byId("block-commands").querySelector("tbody").replaceChildren(...block.kept.map((it) => row(
      it.sequence, link({ account: it.account }, nameOf(it.account)), words(it), it.outcome,
    )));
  }

  async #showAccount(named) {
    const { checkpoint, proof } = await newestProof(named);
    const number = proof.account;
    const isOrdinary = proof.record !== null && number < SYSTEM_NUMBERS.get("inbox");
    const known = isOrdinary ? await get(`/accounts/${number}`) : null;
    byId("account-panel").hidden = false;
    setText(byId("account-title"), `Account ${nameOf(number)}`);
    facts("account-facts", [
      ["Number", String(number)],
      ["Address", known ? make("code", {}, known.address) : "none: an account of the system, or none at all"],
      ...(known?.main == null ? [] : [["Of", link({ account: known.main }, `account ${known.main}`)]]),
    ]);
    this.#proof = proof;
    // Another account of an owner has an address of its own, which no record says.
    this.#asked = known?.main == null ? numberOf(named) ?? named.toLowerCase() : number;
    byId("root").value = checkpoint.state_root;
    byId("download").href = `/proof/${number}`;
    await this.#check();
    const orders = known ? await info({ type: "openOrders", user: known.address }) : [];
    byId("account-orders").querySelector("tbody").replaceChildren(...orders.map((it) => row(
      it.coin, it.side === "B" ? "Buy" : "Sell", it.limitPx, it.sz, it.oid,
    )));
  }

  async #check() {
    const proof = this.#proof;
    const wanted = byId("root").value.trim().replace(/^0x/, "").toLowerCase();
    let verdict;
    let record = null;
    try {
      const isNumber = typeof this.#asked === "number";
      const root = await rootOf(proof, isNumber ? this.#asked : proof.account);
      record = proof.record === null ? null : readRecord(fromHex(proof.record));
      if (!isNumber && record?.owner !== this.#asked) throw new Error("the record is of another owner");
      verdict = root === wanted
        ? ["good", proof.record === null
          ? "Proven: under this root there is no such account." : "Proven: this browser has computed this root from the record and its 32 siblings."]
        : ["bad", `Refused: the proof leads to another root, ${root}.`];
    } catch (error) {
      verdict = ["bad", `Refused: ${error.message}.`];
    }
    byId("verdict").dataset.kind = verdict[0];
    setText(byId("verdict"), verdict[1]);
    const isGood = verdict[0] === "good";
    facts("proof-facts", isGood ? [
      ["Checkpoint", `height ${pretty(proof.height)}, sequence ${pretty(proof.sequence)}`],
      ...(record?.owner ? [["Owner", make("code", {}, record.owner)]] : []),
      ...(record?.consumed === undefined ? [] : [["Consumed", `${record.consumed} entries of the inbox`]]),
    ] : []);
    // What is not proven is not shown.
    const assets = isGood ? record?.assets ?? [] : [];
    byId("proof-assets").querySelector("tbody").replaceChildren(...assets.map((it) => {
      const { name, decimals } = this.#assets[it.asset] ?? { name: `asset ${it.asset}`, decimals: 0 };
      const amount = (atoms) => pretty(formatUnits(atoms, decimals));
      return row(name, amount(it.free), amount(it.held), amount(it.withdrawn));
    }));
  }
}

/** The number that names an account, if it is not its address. */
function numberOf(named) {
  if (SYSTEM_NUMBERS.has(named)) return SYSTEM_NUMBERS.get(named);
  return /^\d+$/.test(named) ? Number(named) : null;
}

/** A proof, and the checkpoint that it is of. */
async function newestProof(named) {
  for (let tries = 1; ; tries += 1) {
    const proof = await get(`/proof/${encodeURIComponent(named)}`);
    const checkpoint = await get("/checkpoint");
    if (proof.height === checkpoint?.height || tries === TRIES) return { checkpoint, proof };
  }
}

function facts(id, pairs) {
  byId(id).replaceChildren(...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function link(query, words) {
  const text = String(new URLSearchParams(query));
  return make("a", { href: `?${text}`, "data-query": text }, words);
}

const row = (...cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell instanceof Node ? cell : String(cell))));

new ExplorerPage().begin().catch((error) => setText(byId("result"), error.message));
