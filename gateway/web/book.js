// The order book of one market: asks above, bids below, a bar behind each level for what lies up to it.

import { draw } from "./net.js";
import { byId, make, parseDecimal, formatUnits, pretty, setText, unitsAt } from "./text.js";

/** Levels a side. */
const LEVELS = 12;

export class BookView {
  #rows = { ask: [], bid: [] };
  #list = byId("book-levels");
  #selected = null;
  #market = null;
  #book = null;

  /** `onPick(price)` when somebody takes a level's price. */
  constructor(onPick) {
    this.onPick = onPick;
    const row = (side, index) => {
      const cells = ["price", "size", "sum"].map((name) => make("span", { class: name }));
      const element = make("div", {
        class: `level ${side}`, role: "option", id: `level-${side}-${index}`, "aria-selected": "false",
        onclick: () => this.#pick(element),
      }, ...cells);
      return { element, cells };
    };
    for (const side of ["ask", "bid"]) {
      this.#rows[side] = Array.from({ length: LEVELS }, (_, index) => row(side, index));
    }
    this.spread = make("div", { class: "spread", role: "presentation" });
    const asks = this.#rows.ask.map((it) => it.element).reverse();
    this.#list.append(...asks, this.spread, ...this.#rows.bid.map((it) => it.element));
    this.#list.addEventListener("keydown", (event) => this.#key(event));
  }

  show(market) {
    this.#market = market;
    this.#book = null;
    this.#paint();
  }

  /** The best price of a side, as text. */
  best(side) {
    return this.#book?.levels[side === "bid" ? 0 : 1][0]?.px ?? null;
  }

  take(book) {
    this.#book = book;
    draw(this, () => this.#paint());
  }

  #paint() {
    const sides = { bid: this.#book?.levels[0] ?? [], ask: this.#book?.levels[1] ?? [] };
    const decimals = this.#market?.lotDecimals ?? 0;
    const priceDecimals = this.#market?.tickDecimals ?? 0;
    const sums = {};
    let most = 1n;
    for (const side of ["ask", "bid"]) {
      let sum = 0n;
      sums[side] = sides[side].slice(0, LEVELS).map(({ sz }) => (sum += unitsAt(parseDecimal(sz), decimals)));
      if (sum > most) most = sum;
    }
    for (const side of ["ask", "bid"]) {
      this.#rows[side].forEach(({ element, cells }, index) => {
        const level = sides[side][index];
        element.classList.toggle("empty", !level);
        element.dataset.price = level?.px ?? "";
        const sum = sums[side][index];
        setText(cells[0], level ? pretty(level.px, priceDecimals) : "");
        setText(cells[1], level ? pretty(level.sz, decimals) : "");
        setText(cells[2], level ? pretty(formatUnits(sum, decimals), decimals) : "");
        element.style.setProperty("--depth", level ? String(Number((sum * 1000n) / most) / 1000) : "0");
        const words = level ? `${side} ${level.px}, size ${level.sz}, ${level.n} orders` : "";
        if (element.getAttribute("aria-label") !== words) element.setAttribute("aria-label", words);
      });
    }
    const [bid, ask] = [sides.bid[0], sides.ask[0]];
    setText(this.spread, bid && ask ? `Spread ${this.#difference(ask.px, bid.px)}` : "No spread: one side is empty");
  }

  #difference(ask, bid) {
    const decimals = this.#market.tickDecimals;
    return formatUnits(unitsAt(parseDecimal(ask), decimals) - unitsAt(parseDecimal(bid), decimals), decimals);
  }

  #key(event) {
    const shown = [...this.#list.querySelectorAll(".level:not(.empty)")];
    if (event.key === "Enter" && this.#selected) {
      // Else the same key would place the order, for the focus goes to its size.
      event.preventDefault();
      return this.#pick(this.#selected);
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || shown.length === 0) return undefined;
    event.preventDefault();
    const at = shown.indexOf(this.#selected);
    const first = shown.findIndex((it) => it.classList.contains("bid"));
    const next = at < 0 ? Math.max(first, 0) : Math.min(Math.max(at + step, 0), shown.length - 1);
    this.#select(shown[next]);
    return undefined;
  }

  #select(element) {
    this.#selected?.setAttribute("aria-selected", "false");
    this.#selected = element;
    element.setAttribute("aria-selected", "true");
    this.#list.setAttribute("aria-activedescendant", element.id);
  }

  #pick(element) {
    if (!element.dataset.price) return;
    this.#select(element);
    this.onPick(element.dataset.price);
  }
}
