// Numbers as the exchange writes them: decimal text, computed on whole numbers and never on floats.

/** "0.05" to { units: 5n, decimals: 2 }; null for anything that is no plain decimal. */
export function parseDecimal(text) {
  const match = /^(\d+)(?:\.(\d*))?$|^\.(\d+)$/.exec(String(text).trim());
  if (!match) return null;
  const fraction = match[2] ?? match[3] ?? "";
  return { units: BigInt((match[1] ?? "0") + fraction), decimals: fraction.length };
}

/** Whole number of units at so many decimals, rounded down. */
export function unitsAt(value, decimals) {
  const shift = decimals - value.decimals;
  return shift >= 0 ? value.units * 10n ** BigInt(shift) : value.units / 10n ** BigInt(-shift);
}

/** Units at so many decimals as text, without zeros at the end. */
export function formatUnits(units, decimals) {
  const digits = units.toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = decimals ? digits.slice(-decimals).replace(/0+$/, "") : "";
  return fraction ? `${whole}.${fraction}` : whole;
}

/** A value in whole steps, as text: rounded down, or up. */
export function roundToStep(value, step, up = false) {
  const decimals = Math.max(value.decimals, step.decimals);
  const size = unitsAt(step, decimals);
  const units = unitsAt(value, decimals);
  const steps = (units + (up ? size - 1n : 0n)) / size;
  return formatUnits(steps * size, decimals);
}

/** Whether a text is a whole number of steps, and more than none. */
export function isOnGrid(text, step) {
  const value = parseDecimal(text);
  if (!value || value.units === 0n) return false;
  const decimals = Math.max(value.decimals, step.decimals);
  return unitsAt(value, decimals) % unitsAt(step, decimals) === 0n;
}

/** The product of two decimals, to so many decimals. */
export function multiply(a, b, decimals) {
  const product = { units: a.units * b.units, decimals: a.decimals + b.decimals };
  return formatUnits(unitsAt(product, decimals), decimals);
}

/** With separators between thousands, and zeros up to so many decimals. */
export function pretty(text, decimals = 0) {
  const [whole, fraction = ""] = String(text).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const padded = fraction.padEnd(decimals, "0");
  return padded ? `${grouped}.${padded}` : grouped;
}

/** 0x1234…abcd */
export const shortAddress = (address) => `${address.slice(0, 6)}…${address.slice(-4)}`;

export const clock = (millis) => new Date(millis).toLocaleTimeString([], { hour12: false });

/** An element with attributes, listeners ("onclick") and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Sets a text where it is another one, so that nothing is announced or laid out anew for nothing. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
