// Order entry: what is typed becomes one signed action, and what became of it is told.

import { byId, isOnGrid, multiply, parseDecimal, pretty, roundToStep, setText, unitsAt, formatUnits } from "./text.js";

/** How far from the best price a market order may go, in percent. */
const SLIPPAGE = 5n;

export class EntryView {
  #form = byId("entry");
  #market = null;
  #balances = new Map();

  constructor(session, book) {
    this.session = session;
    this.book = book;
    this.fields = Object.fromEntries(["kind", "tif", "trigger", "price", "size"].map((id) => [id, byId(id)]));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.place();
    });
    this.#form.addEventListener("input", () => this.#paint());
    for (const id of ["trigger", "price", "size"]) {
      this.fields[id].addEventListener("keydown", (event) => this.#step(event, id));
    }
    for (const button of this.#form.querySelectorAll("[data-part]")) {
      button.addEventListener("click", () => this.#take(BigInt(button.dataset.part)));
    }
    this.#paint();
  }

  show(market) {
    this.#market = market;
    for (const id of ["trigger", "price", "size"]) this.fields[id].value = "";
    for (const unit of this.#form.querySelectorAll(".quote")) setText(unit, market.quote);
    for (const unit of this.#form.querySelectorAll(".base")) setText(unit, market.base);
    setText(byId("price-step"), `price by ${market.tick}`);
    setText(byId("size-step"), `size by ${market.lot}`);
    this.#paint();
  }

  /** By asset, what there is to spend. */
  takeBalances(balances) {
    this.#balances = balances;
    this.#paint();
  }

  get side() {
    return this.#form.elements.side.value;
  }

  set side(side) {
    this.#form.elements.side.value = side;
    this.#paint();
  }

  set kind(kind) {
    this.fields.kind.value = kind;
    this.#paint();
  }

  setPrice(price) {
    const { kind } = this.fields;
    if (kind.value === "market") kind.value = "limit";
    this.fields[kind.value === "limit" || kind.value === "stop-limit" ? "price" : "trigger"].value = price;
    this.#paint();
  }

  focus(id) {
    if (this.fields[id].closest("[hidden]")) return;
    this.fields[id].focus();
    this.fields[id].select?.();
  }

  #needs() {
    const kind = this.fields.kind.value;
    return { tif: kind === "limit", price: kind === "limit" || kind === "stop-limit", trigger: /^(stop|take)/.test(kind) };
  }

  /** The price that what is typed is worth at most. */
  #worst() {
    const { price, trigger } = this.fields;
    const needs = this.#needs();
    if (needs.price) return parseDecimal(price.value);
    const from = needs.trigger ? trigger.value : this.book.best(this.side === "bid" ? "ask" : "bid");
    const best = from && parseDecimal(from);
    if (!best) return null;
    const percent = this.side === "bid" ? 100n + SLIPPAGE : 100n - SLIPPAGE;
    const worst = { units: best.units * percent, decimals: best.decimals + 2 };
    return parseDecimal(roundToStep(worst, this.#market.tickStep, this.side === "ask"));
  }

  #free(asset) {
    return parseDecimal(this.#balances.get(asset)?.free ?? "0");
  }

  #paint() {
    const needs = this.#needs();
    this.#form.querySelector("[data-for=limit]").hidden = !needs.tif;
    this.#form.querySelector("[data-for=price]").hidden = !needs.price;
    this.#form.querySelector("[data-for=trigger]").hidden = !needs.trigger;
    const button = byId("place");
    const isBid = this.side === "bid";
    button.classList.toggle("buy", isBid);
    button.classList.toggle("sell", !isBid);
    const market = this.#market;
    setText(button, !this.session.address ? "Log in to trade" : `${isBid ? "Buy" : "Sell"} ${market?.base ?? ""}`);
    if (!market) return;
    const asset = isBid ? market.quote : market.base;
    setText(byId("free"), this.session.address ? `${pretty(formatShort(this.#free(asset)))} ${asset}` : "–");
    const [worst, size] = [this.#worst(), parseDecimal(this.fields.size.value)];
    setText(byId("value"), worst && size ? `${pretty(multiply(worst, size, 2))} ${market.quote}` : "–");
  }

  /** A step up or down. */
  #step(event, id) {
    const direction = { ArrowUp: 1n, ArrowDown: -1n }[event.key];
    if (!direction || !this.#market) return;
    event.preventDefault();
    const step = id === "size" ? this.#market.lotStep : this.#market.tickStep;
    const field = this.fields[id];
    const start = field.value || (id === "size" ? "0" : this.book.best(this.side) ?? "0");
    const value = parseDecimal(start);
    if (!value) return;
    const times = event.shiftKey ? 100n : 1n;
    const decimals = Math.max(value.decimals, step.decimals);
    const units = unitsAt(value, decimals) + direction * times * unitsAt(step, decimals);
    field.value = formatUnits(units > 0n ? units : 0n, decimals);
    this.#paint();
  }

  /** A part of what is free, in whole lots. */
  #take(percent) {
    const market = this.#market;
    const isBid = this.side === "bid";
    const free = this.#free(isBid ? market.quote : market.base);
    const price = this.#worst();
    if (isBid && !price) return this.tell("Enter a price first.", "bad");
    const most = isBid ? quotient(free, price) : free;
    const part = { units: most.units * percent, decimals: most.decimals + 2 };
    this.fields.size.value = roundToStep(part, market.lotStep);
    return this.#paint();
  }

  #isRight(id, step) {
    const isRight = isOnGrid(this.fields[id].value, step);
    this.fields[id].setAttribute("aria-invalid", String(!isRight));
    return isRight;
  }

  /** What is asked for, or nothing if a field is wrong: then it says so and has the focus. */
  #order() {
    const market = this.#market;
    const needs = this.#needs();
    for (const id of ["trigger", "price", "size"]) {
      const step = id === "size" ? market.lotStep : market.tickStep;
      const isNeeded = id === "size" || needs[id];
      if (isNeeded && !this.#isRight(id, step)) {
        this.focus(id);
        this.tell(`The ${id} must be a whole number of ${id === "size" ? market.lot : market.tick}.`, "bad");
        return null;
      }
    }
    const worst = this.#worst();
    if (!worst) {
      this.tell("Nobody is there to trade with.", "bad");
      return null;
    }
    const kind = this.fields.kind.value;
    const canonical = (value) => formatUnits(value.units, value.decimals);
    return {
      a: market.asset,
      b: this.side === "bid",
      p: canonical(worst),
      s: canonical(parseDecimal(this.fields.size.value)),
      r: false,
      t: needs.trigger
        ? { trigger: {
          isMarket: kind !== "stop-limit",
          triggerPx: canonical(parseDecimal(this.fields.trigger.value)),
          tpsl: kind === "take-market" ? "tp" : "sl",
        } }
        : { limit: { tif: kind === "market" ? "Ioc" : this.fields.tif.value } },
    };
  }

  async place() {
    if (!this.session.address) {
      byId("account").click();
      return;
    }
    const order = this.#market && this.#order();
    if (!order) return;
    const button = byId("place");
    button.setAttribute("aria-busy", "true");
    try {
      const { data } = await this.session.act({ type: "order", orders: [order], grouping: "na" });
      this.#tellStatus(data.statuses[0], order);
    } catch (error) {
      this.tell(error.message, "bad");
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  #tellStatus(status, order) {
    const { base } = this.#market;
    if (status.error) this.tell(status.error, "bad");
    else if (status.filled) this.tell(`Filled ${status.filled.totalSz} ${base} at ${pretty(status.filled.avgPx)}.`, "good");
    else this.tell(`Order ${status.resting.oid}: ${order.s} ${base} at ${pretty(order.p)} ${order.t.trigger ? "waits for its trigger" : "is open"}.`, "good");
  }

  tell(words, kind) {
    const result = byId("result");
    result.dataset.kind = kind;
    // The same words again are news again.
    result.textContent = "";
    result.textContent = words;
  }
}

function quotient(a, b) {
  const decimals = 12;
  if (b.units === 0n) return { units: 0n, decimals };
  const units = (a.units * 10n ** BigInt(decimals + b.decimals)) / (b.units * 10n ** BigInt(a.decimals));
  return { units, decimals };
}

const formatShort = (value) => formatUnits(unitsAt(value, Math.min(value.decimals, 4)), Math.min(value.decimals, 4));
