// What one account has: open orders, fills, balances.

import { draw } from "./net.js";
import { byId, clock, formatUnits, make, parseDecimal, pretty, setText, unitsAt } from "./text.js";

/** Fills that are shown. */
const FILLS = 100;
/** The least time between two questions for all open orders. */
const REFRESH = 250;

export class AccountView {
  #orders = new Map();
  #rows = new Map();
  #fills = [];
  #balances = new Map();
  #ends = [];
  #refresh = null;

  constructor({ socket, session, markets, onBalances, tell }) {
    Object.assign(this, { socket, session, markets, onBalances, tell });
    const tabs = [...document.querySelectorAll("[role=tab]")];
    for (const tab of tabs) {
      tab.addEventListener("click", () => this.open(tab.getAttribute("aria-controls")));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!step) return;
        const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
        this.open(next.getAttribute("aria-controls"));
        next.focus();
      });
    }
    byId("cancel-all").addEventListener("click", () => this.cancelAll());
  }

  open(panel) {
    for (const tab of document.querySelectorAll("[role=tab]")) {
      const isOpen = tab.getAttribute("aria-controls") === panel;
      tab.setAttribute("aria-selected", String(isOpen));
      tab.tabIndex = isOpen ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = !isOpen;
    }
  }

  /** Follows the account of this address; of nobody, shows nothing. */
  follow(user) {
    for (const end of this.#ends.splice(0)) end();
    this.#orders.clear();
    this.#fills = [];
    this.#balances = new Map();
    this.#later();
    this.onBalances(this.#balances);
    if (!user) return;
    const subscribe = (type, data, begin) => this.#ends.push(this.socket.subscribe({ type, user }, { data, begin }));
    subscribe("orderUpdates", (updates) => this.#takeOrders(updates), () => this.#askOrders(user));
    subscribe("userFills", ({ isSnapshot, fills }) => {
      // A snapshot has the latest first, what comes later the latest last.
      this.#fills = isSnapshot ? fills.slice(0, FILLS) : [...fills.toReversed(), ...this.#fills].slice(0, FILLS);
      this.#later();
    });
    subscribe("spotState", ({ spotState }) => {
      this.#balances = new Map(spotState.balances.map((it) => [it.coin, { ...it, free: difference(it.total, it.hold) }]));
      this.onBalances(this.#balances);
      this.#later();
    });
  }

  /** All of them, in full. Updates say less, and nothing of those that were open before. */
  async #askOrders(user) {
    const orders = await this.socket.ask({ type: "frontendOpenOrders", user });
    if (this.session.address !== user) return;
    this.#orders = new Map(orders.map((order) => [order.oid, order]));
    this.#later();
  }

  #takeOrders(updates) {
    let isNew = false;
    for (const { order, status } of updates) {
      if (status !== "open" && status !== "triggered") this.#orders.delete(order.oid);
      else {
        isNew ||= !this.#orders.has(order.oid);
        this.#orders.set(order.oid, { ...this.#orders.get(order.oid), ...order });
      }
    }
    this.#later();
    // Its kind and trigger are not part of an update.
    if (isNew) this.#refresh ??= setTimeout(() => this.#refreshOrders(), REFRESH);
  }

  #refreshOrders() {
    this.#refresh = null;
    const user = this.session.address;
    // Without a connection they are asked for after the next.
    if (user) this.#askOrders(user).catch(() => {});
  }

  async cancel(orders) {
    if (orders.length === 0) return;
    const cancels = orders.map(({ coin, oid }) => ({ a: this.markets.get(coin).asset, o: oid }));
    try {
      const { data } = await this.session.act({ type: "cancel", cancels });
      const failed = data.statuses.filter((status) => status !== "success");
      const done = data.statuses.length - failed.length;
      if (failed.length) this.tell(`${done} cancelled; ${failed[0].error}`, "bad");
      else this.tell(`${done} ${done === 1 ? "order" : "orders"} cancelled.`, "good");
    } catch (error) {
      this.tell(error.message, "bad");
    }
  }

  /** In as many actions as it takes: one has 256 parts at most. */
  async cancelAll() {
    const orders = [...this.#orders.values()];
    for (let at = 0; at < orders.length; at += 256) await this.cancel(orders.slice(at, at + 256));
  }

  #later() {
    draw(this, () => this.#paint());
  }

  #paint() {
    const count = this.#orders.size;
    setText(byId("orders-count"), count ? String(count) : "");
    byId("cancel-all").disabled = count === 0;
    this.#paintOrders();
    const decimals = (coin) => this.markets.get(coin) ?? { tickDecimals: 0, lotDecimals: 0 };
    fill("fills", this.#fills.map((it) => [
      clock(it.time), it.coin, side(it.side), pretty(it.px, decimals(it.coin).tickDecimals),
      pretty(it.sz, decimals(it.coin).lotDecimals), `${it.fee} ${it.feeToken}`, it.crossed ? "taker" : "maker",
    ]));
    fill("balances", [...this.#balances.values()].map((it) => [it.coin, pretty(it.total), pretty(it.free), pretty(it.hold)]));
  }

  /** Rows stay where they are while their order does, so a focus in one is not lost. */
  #paintOrders() {
    const body = byId("orders").querySelector("tbody");
    const shown = [...this.#orders.values()].sort((a, b) => b.timestamp - a.timestamp || b.oid - a.oid);
    for (const [oid, row] of this.#rows) {
      if (this.#orders.has(oid)) continue;
      if (row.contains(document.activeElement)) byId("orders").focus();
      row.remove();
      this.#rows.delete(oid);
    }
    shown.forEach((order, index) => {
      const market = this.markets.get(order.coin);
      const kind = order.isTrigger ? `${order.orderType} ${pretty(order.triggerPx)}` : order.tif === "Alo" ? "Post only" : "Limit";
      const texts = [order.coin, side(order.side), kind, pretty(order.limitPx, market.tickDecimals),
        pretty(order.sz, market.lotDecimals), pretty(order.origSz, market.lotDecimals), clock(order.timestamp)];
      let row = this.#rows.get(order.oid);
      if (!row) {
        const button = make("button", {
          type: "button", "aria-label": `Cancel ${side(order.side)} ${order.sz} ${order.coin} at ${order.limitPx}`,
          onclick: () => this.cancel([this.#orders.get(order.oid)].filter(Boolean)),
        }, "Cancel");
        row = make("tr", { "data-oid": order.oid }, ...texts.map((_, at) => make("td", { class: at === 6 ? "wide" : null })), make("td", {}, button));
        row.children[1].className = order.side === "B" ? "up" : "down";
        this.#rows.set(order.oid, row);
      }
      texts.forEach((text, at) => setText(row.children[at], text));
      if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
    });
  }
}

const side = (letter) => (letter === "B" ? "Buy" : "Sell");

function difference(a, b) {
  const [x, y] = [parseDecimal(a), parseDecimal(b)];
  const decimals = Math.max(x.decimals, y.decimals);
  return formatUnits(unitsAt(x, decimals) - unitsAt(y, decimals), decimals);
}

/** Fills a table that nobody has a focus in. */
function fill(id, rows) {
  const body = byId(id).querySelector("tbody");
  const key = JSON.stringify(rows);
  if (body.dataset.key === key) return;
  body.dataset.key = key;
  body.replaceChildren(...rows.map((cells) => make("tr", {}, ...cells.map((cell, at) => {
    const colour = cell === "Buy" ? "up" : cell === "Sell" ? "down" : at === 6 ? "wide" : null;
    return make("td", { class: colour }, cell);
  }))));
}
