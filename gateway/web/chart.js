// Candles on a canvas: prices, volumes, a cross that follows the pointer or the arrow keys.

import { draw } from "./net.js";
import { byId, pretty, setText } from "./text.js";

/** Candles that fit, at first; the wheel and + and - change it. */
const SHOWN = { first: 90, least: 20, most: 500 };
/** Room for prices on the right, times below, and the part of the height that volumes have. */
const MARGIN = { right: 74, bottom: 22, top: 10, volume: 0.18 };

export class ChartView {
  #canvas = byId("chart");
  #words = byId("chart-words");
  #candles = [];
  #shown = SHOWN.first;
  #cross = null;
  #end = () => {};
  #market = null;
  #interval = "1m";

  constructor(socket) {
    this.socket = socket;
    new ResizeObserver(() => this.#later()).observe(this.#canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#later());
    this.#canvas.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    this.#canvas.addEventListener("pointerleave", () => this.#aim(null));
    this.#canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.#zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15);
    }, { passive: false });
    this.#canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  show(market, interval) {
    this.#end();
    [this.#market, this.#interval, this.#candles, this.#cross] = [market, interval, [], null];
    this.#later();
    const { coin } = market;
    this.#end = this.socket.subscribe({ type: "candle", coin, interval }, {
      begin: async () => {
        const req = { coin, interval, startTime: 0, endTime: Date.now() + 86_400_000 };
        const candles = await this.socket.ask({ type: "candleSnapshot", req });
        if (this.#market !== market || this.#interval !== interval) return;
        const later = this.#candles.filter((it) => it.t > (candles.at(-1)?.t ?? 0));
        this.#candles = [...candles.map(numbers), ...later];
        this.#later();
      },
      data: (candle) => {
        const last = this.#candles.at(-1);
        if (last?.t === candle.t) this.#candles[this.#candles.length - 1] = numbers(candle);
        else if (!last || last.t < candle.t) this.#candles.push(numbers(candle));
        this.#later();
      },
    });
  }

  #later() {
    draw(this, () => this.#paint());
  }

  #zoom(factor) {
    this.#shown = Math.round(Math.min(Math.max(this.#shown * factor, SHOWN.least), SHOWN.most));
    this.#later();
  }

  /** Few candles are not spread over the room of many, nor over all of it. */
  #slots() {
    return Math.max(Math.min(this.#shown, this.#candles.length), SHOWN.least);
  }

  #visible() {
    return this.#candles.slice(-this.#shown);
  }

  #point(x) {
    const width = this.#canvas.clientWidth - MARGIN.right;
    const index = Math.floor((x / width) * this.#slots()) - (this.#slots() - this.#visible().length);
    this.#aim(index);
  }

  #aim(index) {
    const count = this.#visible().length;
    this.#cross = index === null || count === 0 ? null : Math.min(Math.max(index, 0), count - 1);
    this.#later();
  }

  #key(event) {
    const last = this.#visible().length - 1;
    const at = this.#cross ?? last + 1;
    const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last };
    if (event.key in moves) this.#aim(moves[event.key]);
    else if (event.key === "Escape") this.#aim(null);
    else if (event.key === "+" || event.key === "-") this.#zoom(event.key === "-" ? 1.25 : 0.8);
    else return;
    event.preventDefault();
  }

  #tell(candle) {
    if (!candle) return setText(this.#words, "No trades yet.");
    const price = (value) => pretty(value.toFixed(this.#market.tickDecimals));
    const time = new Date(candle.t).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
    return setText(this.#words, `${time}  O ${price(candle.o)}  H ${price(candle.h)}  L ${price(candle.l)}  `
      + `C ${price(candle.c)}  V ${candle.v}`);
  }

  #paint() {
    const canvas = this.#canvas;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !height || !this.#market) return;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const candles = this.#visible();
    this.#tell(candles[this.#cross ?? candles.length - 1]);
    if (candles.length === 0) return;
    const style = getComputedStyle(document.documentElement);
    const colours = Object.fromEntries(["bid", "ask", "line", "dim", "ink"].map((it) => [it, style.getPropertyValue(`--${it}`)]));
    this.#paintPlot(pen, candles, scaleOf(candles, width, height, this.#slots()), colours);
  }

  #paintPlot(pen, candles, scale, colours) {
    pen.font = "11px system-ui, sans-serif";
    this.#paintGrid(pen, candles, scale, colours);
    candles.forEach((candle, index) => {
      const x = scale.x(index);
      const rises = candle.c >= candle.o;
      const colour = rises ? colours.bid : colours.ask;
      const [open, close] = [scale.y(candle.o), scale.y(candle.c)];
      pen.strokeStyle = colour;
      pen.fillStyle = colour;
      line(pen, x, scale.y(candle.h), x, scale.y(candle.l));
      const [top, body] = [Math.min(open, close), Math.max(Math.abs(open - close), 1)];
      // Rising ones are hollow, so that colour is not all that tells.
      if (rises && scale.body > 3) {
        pen.clearRect(x - scale.body / 2, top, scale.body, body);
        pen.strokeRect(x - scale.body / 2, top, scale.body, body);
      } else pen.fillRect(x - scale.body / 2, top, scale.body, body);
      pen.globalAlpha = 0.35;
      const volume = (candle.v / scale.volume) * scale.volumeHeight;
      pen.fillRect(x - scale.body / 2, scale.bottom - volume, scale.body, volume);
      pen.globalAlpha = 1;
    });
    const last = candles.at(-1);
    this.#paintTag(pen, scale, last.c, last.c >= last.o ? colours.bid : colours.ask);
    if (this.#cross !== null) {
      pen.strokeStyle = colours.dim;
      const x = scale.x(this.#cross);
      line(pen, x, MARGIN.top, x, scale.bottom);
    }
  }

  #paintGrid(pen, candles, scale, colours) {
    pen.strokeStyle = colours.line;
    pen.fillStyle = colours.dim;
    pen.textBaseline = "middle";
    for (const price of steps(scale.low, scale.high, 6)) {
      const y = scale.y(price);
      line(pen, 0, y, scale.right, y);
      pen.fillText(pretty(price.toFixed(this.#market.tickDecimals)), scale.right + 6, y);
    }
    pen.textBaseline = "alphabetic";
    const every = Math.ceil(90 / (scale.right / this.#slots()));
    for (let index = candles.length - 1; index >= 0; index -= every) {
      const time = new Date(candles[index].t);
      const isLong = ["4h", "1d", "1w"].includes(this.#interval);
      const words = isLong ? time.toLocaleDateString([], { month: "short", day: "numeric" })
        : time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
      if (scale.x(index) > 20) pen.fillText(words, scale.x(index) - 16, scale.bottom + 16);
    }
  }

  #paintTag(pen, scale, price, colour) {
    const y = scale.y(price);
    pen.setLineDash([3, 3]);
    pen.strokeStyle = colour;
    line(pen, 0, y, scale.right, y);
    pen.setLineDash([]);
    pen.fillStyle = colour;
    pen.fillRect(scale.right, y - 8, MARGIN.right, 16);
    pen.fillStyle = "#fff";
    pen.textBaseline = "middle";
    pen.fillText(pretty(price.toFixed(this.#market.tickDecimals)), scale.right + 6, y);
    pen.textBaseline = "alphabetic";
  }
}

const numbers = ({ t, o, h, l, c, v }) => ({ t, o: Number(o), h: Number(h), l: Number(l), c: Number(c), v: Number(v) });

/** Where times, prices and volumes go. */
function scaleOf(candles, width, height, slots) {
  const [right, bottom] = [width - MARGIN.right, height - MARGIN.bottom];
  const [least, most] = [Math.min(...candles.map((it) => it.l)), Math.max(...candles.map((it) => it.h))];
  const room = (most - least || most * 0.01 || 1) * 0.08;
  const [low, high] = [least - room, most + room];
  const volumeHeight = height * MARGIN.volume;
  const plot = bottom - volumeHeight - MARGIN.top;
  const step = right / slots;
  const first = slots - candles.length;
  return {
    right, bottom, low, high, volumeHeight,
    volume: Math.max(...candles.map((it) => it.v)) || 1,
    body: Math.min(Math.max(step * 0.66, 1), 14),
    x: (index) => (first + index + 0.5) * step,
    y: (price) => MARGIN.top + ((high - price) / (high - low)) * plot,
  };
}

/** Round numbers between two, about so many. */
function steps(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((it) => it * power).find((it) => it >= rough);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at < high; at += step) found.push(at);
  return found;
}

function line(pen, fromX, fromY, toX, toY) {
  pen.beginPath();
  pen.moveTo(Math.round(fromX) + 0.5, Math.round(fromY) + 0.5);
  pen.lineTo(Math.round(toX) + 0.5, Math.round(toY) + 0.5);
  pen.stroke();
}
