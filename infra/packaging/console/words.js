// Numbers, times and the contract's names, as people read them.

const numbers = new Intl.NumberFormat();
const relative = new Intl.RelativeTimeFormat();
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
// A phone has no room for the seconds, which stay in the title.
const phone = matchMedia("(max-width: 36rem)");
const [shortMoment, shorterMoment] = ["2-digit", undefined].map((second) => new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second }));

const UNITS = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];

export const number = (value) => numbers.format(value);
export const signed = (value) => (value > 0 ? "+" : value < 0 ? "−" : "±") + numbers.format(Math.abs(value));
export const time = (text) => moment.format(new Date(text));
export const shortTime = (text) => (phone.matches ? shorterMoment : shortMoment).format(new Date(text));
export const counted = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
export const credits = (value) => counted(value, "credit");
export const short = (id) => (id ? `${id.slice(0, 8)}…${id.slice(-4)}` : "");

// In whole units, rounded down, as the days left are.
export function ago(text, now = Date.now()) {
  const seconds = (new Date(text) - now) / 1000;
  if (Math.abs(seconds) < 1) return "now";
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size);
  return relative.format(Math.trunc(seconds / size), unit);
}

// How many days the credits last, and when they are used up, of a runway that is known.
export const daysLeft = ({ days_left: days }) => (days === null ? "> 3,650" : days ? number(days) : "< 1");
export const inDays = ({ days_left: days }) => (days ? relative.format(days, "day") : "within a day");

export const TYPES = {
  TRIAL: "Trial",
  OPENING: "Opening",
  ORDER_PAID: "Order",
  ORDER_EDITED: "Order edit",
  REFUND: "Refund",
  PAYMENT: "Payment",
  SUBSCRIPTION: "Renewal",
  MANUAL: "Adjustment",
  REVERSAL: "Reversal",
  REVERSAL_RETURNED: "Returned reversal",
  DEBT_REPAID: "Debt repayment",
  EXPIRY: "Lapse",
};

const FREEZES = { frozen: "Freeze", unfrozen: "Unfreeze", ended: "End of the freeze" };

// Returns what a transaction is called: its type, or what it did to a freeze.
export const called = (record) => FREEZES[record.extra_metadata.freeze] ?? TYPES[record.transaction_type] ?? record.transaction_type;

export const EVENTS = {
  "evt.credits.low_balance_reached": ["Balance low", "warn"],
  "evt.credits.balance_restored": ["Balance restored", "good"],
  "evt.credits.balance_exhausted": ["No credits left", "bad"],
  "evt.credits.expiring": ["Credits will lapse", "warn"],
  "evt.credits.plugin_status_changed": ["Plugin switched", "plain"],
};

const ID = /^[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}$/i;

// Returns the id as the API writes it, null for what is none.
export function uuid(text) {
  const given = text.trim().toLowerCase();
  if (!ID.test(given)) return null;
  const hex = given.replaceAll("-", "");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

// Controls, marks of direction and of no width, halves of characters: a page obeys them, a reader has to see them.
const OBEYED = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

// Returns a text that somebody else wrote with an escape for each of them, but for ends of lines and tabs.
export const visible = (text) =>
  text.replace(OBEYED, (sign) => (sign === "\n" || sign === "\t" ? sign : `\\u{${sign.codePointAt(0).toString(16)}}`));

const packed = (text) => text.replace(/\s+/g, "");

// Returns JSON indented, and as it came where it would not be the same: with a name twice, or a number too long.
export function indented(text) {
  try {
    const content = JSON.parse(text);
    return packed(JSON.stringify(content)) === packed(text) ? JSON.stringify(content, null, 2) : text;
  } catch {
    return text;
  }
}

// Only a secure context has randomUUID.
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
