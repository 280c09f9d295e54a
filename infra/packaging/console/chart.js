// The balance as it burns down, the low-balance threshold, and when it would be empty.

import { html, useEffect, useMemo, useRef, useState } from "./preact.js";
import { Ahead, lapses, levels, past } from "./ahead.js";
import { ask } from "./api.js";
import { Section, Time, Trouble, useLoad, Waiting } from "./parts.js";
import { inDays, number, time } from "./words.js";

const PAGE = 100;
const PAGES_MAX = 3;
const DAY = 86_400;
// Of the time that is shown, at most this share more is given to what is to come.
const AHEAD = 0.5;
// More of it where credits lapse then.
const LAPSES_AHEAD = 2;
// Levels above the balance are drawn up to this share of it, so that they do not flatten the line.
const LEVELS_ABOVE = 1.5;
// Further off than a century is no date.
const DAYS_MAX = 36_525;
// Widths in the axes' font, in pixels: of the widest time, and of a digit.
const LABEL = 76;
const DIGIT = 7.5;

async function newest(id) {
  const rows = [];
  let cursor = null;
  for (let turn = 0; turn < PAGES_MAX; turn += 1) {
    const { data, pagination } = await ask("credits/transactions", { parameters: { merchant_id: id, limit: PAGE, cursor } });
    rows.push(...data);
    cursor = pagination.next_cursor;
    if (!cursor) break;
  }
  return rows.reverse();
}

const at = (record) => new Date(record.created_at) / 1000;

// By the account's daily use, once that is known; before, by what orders and their edits use, less what their refunds give
// back, over the time that is looked at.
function projected(records, { balance, runway }, now) {
  if (balance > 0 && runway?.days_left != null) return { perDay: runway.per_day, empty: now + (balance * DAY) / runway.per_day };
  const used = records.reduce((sum, one) => (["ORDER_PAID", "ORDER_EDITED", "REFUND"].includes(one.transaction_type) ? sum - one.amount : sum), 0);
  const days = records.length ? (now - at(records[0])) / DAY : 0;
  if (!(balance > 0) || !(used > 0) || !(days > 0) || (balance * days) / used > DAYS_MAX) return null;
  return { perDay: used / days, empty: now + (balance * days * DAY) / used, since: records[0].created_at };
}

// Where the axis ends: with the projection, or the last lapse that is near enough to be shown.
function end(records, account, outlook, now) {
  const shown = now - at(records[0]);
  const near = lapses(account).map((lot) => lot.moment).filter((moment) => moment <= now + shown * LAPSES_AHEAD);
  return Math.max(now, Math.min(outlook?.empty ?? now, now + shown * AHEAD), ...near);
}

function perTime(perDay) {
  const [unit, size] = [["a day", 1], ["an hour", 24], ["a minute", 1440]].find(([, size]) => perDay / size < 500) ?? ["a minute", 1440];
  const rate = perDay / size;
  return `${rate < 10 ? Math.round(10 * rate) / 10 : number(Math.round(rate))} credits ${unit}`;
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(["ink", "muted", "line", "accent", "warn", "bad"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

// Lines over one axis of times: the balance and the threshold in steps, and what is to come. A threshold that changed
// after the last transaction did so when the account did.
function lines(records, account, outlook, now) {
  const until = end(records, account, outlook, now);
  const come = until > now ? [...(outlook?.empty < until ? [outlook.empty] : []), until] : [];
  const changed = new Date(account.updated_at) / 1000;
  const since = changed > at(records.at(-1)) && changed < now ? [changed, now] : [now];
  const later = [...since.map(() => account.balance), ...come.map(() => null)];
  const times = [...records.map(at), ...since, ...come];
  const balances = [...records.map((one) => one.balance_after), ...later];
  const thresholds = [...records.map((one) => one.threshold), ...later.map(() => account.threshold)];
  const ahead = times.map((moment) => (moment < now || !outlook ? null : Math.max(0, account.balance * (1 - (moment - now) / (outlook.empty - now)))));
  // Transactions of one millisecond stand side by side.
  for (let place = 1; place < times.length; place += 1) if (times[place] <= times[place - 1]) times[place] = times[place - 1] + 1e-4;
  return [times, balances, thresholds, ahead];
}

const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 4 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const precise = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

function moments(plot, ticks) {
  const shown = plot.scales.x.max - plot.scales.x.min;
  const form = shown < 600 ? precise : shown < 2 * DAY ? clock : day;
  return ticks.map((tick) => form.format(tick * 1000));
}

// Credits that lapse as bands above those that never lapse: as they were after each transaction, and from now until they
// lapse, with a mark where each ends; and the levels as lines with their names beside them.
function bands(records, account, now, colour) {
  const before = past(records, account);
  return (plot) => {
    const { ctx, bbox } = plot;
    const right = bbox.left + bbox.width;
    const [x, y] = [(moment) => Math.round(Math.min(right, plot.valToPos(moment, "x", true))), (value) => plot.valToPos(value, "y", true)];
    const band = (from, until, low, high, fill) => { ctx.fillStyle = fill; ctx.fillRect(x(from), y(high), x(until) - x(from), y(low) - y(high)); };
    // Those next to each other differ, from the last to lapse on: the first is used first.
    const lot = (from, until, low, credits, above) => band(from, until, low, low + credits, `${colour.warn}${above % 2 ? "2b" : "4d"}`);
    const lots = lapses(account);
    ctx.save();
    records.forEach((record, place) => {
      const until = place + 1 < records.length ? at(records[place + 1]) : now;
      let top = record.balance_after;
      before[place].forEach(([, credits], above, { length }) => lot(at(record), until, (top -= credits), credits, length - above));
      band(at(record), until, 0, top, `${colour.accent}1f`);
    });
    if (lots.length) band(now, plot.scales.x.max, 0, lots.at(-1).left, `${colour.accent}1f`);
    lots.forEach((one, above) => {
      lot(now, one.moment, one.left, one.credits, lots.length - above);
      ctx.fillStyle = colour.warn;
      if (one.moment <= plot.scales.x.max) ctx.fillRect(x(one.moment) - 2, bbox.top, 2, bbox.height);
    });
    ctx.fillStyle = ctx.strokeStyle = colour.muted;
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    ctx.setLineDash([1, 3]);
    const [gap, beside] = [14 * devicePixelRatio, right + 8 * devicePixelRatio];
    const shown = levels(account).filter(({ credits }) => credits !== null && credits <= plot.scales.y.max).sort((one, other) => one.credits - other.credits);
    // Each name is at the height of its line or, where that is taken, next to the other name.
    let free = bbox.top + bbox.height;
    for (const one of shown) free = (one.at = Math.min(y(one.credits), free)) - gap;
    free = bbox.top;
    for (const one of shown.reverse()) {
      free = (one.at = Math.max(one.at, free)) + gap;
      ctx.beginPath();
      ctx.moveTo(bbox.left, y(one.credits));
      ctx.lineTo(right, y(one.credits));
      ctx.lineTo(beside - 2, one.at);
      ctx.stroke();
      ctx.fillText(one.name, beside, one.at, ctx.canvas.width - beside);
    }
    ctx.restore();
  };
}

function options(Plot, place, say, records, account, now) {
  const colour = colours();
  const lines = levels(account).map((level) => level.credits);
  const names = Math.max(0, ...levels(account).map((level) => level.name.length));
  const stepped = Plot.paths.stepped({ align: 1 });
  const axis = { stroke: colour.muted, grid: { stroke: colour.line, width: 1 }, ticks: { stroke: colour.line }, font: "12px system-ui, sans-serif" };
  return {
    width: place.clientWidth,
    height: 256,
    // Half a label's width, which would else be cut off at the end of the axis, or the levels' names.
    padding: [null, Math.max(LABEL / 2, Math.min(names * DIGIT + 10, place.clientWidth / 3)), null, null],
    legend: { show: false },
    cursor: { y: false, points: { size: 7 } },
    scales: { y: { range: (_, __, most) => [0, Math.max(1, ...[most, ...lines.filter((line) => line <= most * LEVELS_ABOVE)].map((line) => line * 1.08))] } },
    axes: [{ ...axis, space: 80, values: moments }, { ...axis, size: (_, labels) => 24 + DIGIT * Math.max(3, ...(labels ?? []).map((label) => label.length)), values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? (ticks.at(-1) < 1e6 ? number : compact.format)(tick) : "")) }],
    series: [
      {},
      { stroke: colour.accent, width: 2, paths: stepped, points: { show: false } },
      { stroke: colour.warn, width: 1.5, dash: [6, 4], paths: stepped, points: { show: false } },
      { stroke: colour.bad, width: 1.5, dash: [2, 4], points: { show: false } },
    ],
    hooks: { drawAxes: [bands(records, account, now, colour)], setCursor: [(plot) => say(plot.cursor.idx)] },
  };
}

const plotter = () => import("./uplot.js");

function Plotted({ records, account, outlook, now }) {
  const place = useRef(null);
  const [said, setSaid] = useState("");
  useEffect(() => {
    let plot = null;
    let gone = false;
    const data = lines(records, account, outlook, now);
    const say = (index) => {
      const balance = index === null || index === undefined ? null : data[1][index];
      setSaid(balance === null || balance === undefined ? "" : `${time(data[0][index] * 1000)}: ${number(balance)}`);
    };
    const draw = async () => {
      const { default: Plot } = await plotter();
      if (gone || !place.current) return;
      plot?.destroy();
      plot = new Plot(options(Plot, place.current, say, records, account, now), data, place.current);
    };
    draw();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    const resized = new ResizeObserver(() => plot?.setSize({ width: place.current.clientWidth, height: 256 }));
    resized.observe(place.current);
    return () => {
      gone = true;
      dark.removeEventListener("change", draw);
      resized.disconnect();
      plot?.destroy();
    };
  }, [records, now]);
  return html`<div class="plot" ref=${place} aria-hidden="true"></div><output class="small muted" aria-hidden="true">${said}</output>`;
}

export function Chart({ account }) {
  // What draws is fetched while the transactions are read.
  useEffect(() => void plotter(), []);
  const { data, error, reload } = useLoad(() => newest(account.merchant_id), [account.merchant_id, account.last_transaction_id]);
  const last = useRef(null);
  if (data) last.current = data;
  const records = last.current;
  const now = useMemo(() => Date.now() / 1000, [records, account.updated_at, account.runway?.days_left]);
  const outlook = useMemo(() => records && projected(records, account, now), [now]);
  const empty = outlook && new Date(outlook.empty * 1000).toISOString();
  return html`<${Section} name="Burn-down" first kind="card chart">
    <${Trouble} error=${error} retry=${reload} />
    ${!records && !error && html`<${Waiting} what="Reading the transactions…" />`}
    ${records?.length > 0 && html`<p data-test="outlook">${outlook
      ? html`At ${perTime(outlook.perDay)}, ${outlook.since ? html`by its use since <${Time} at=${outlook.since} />` : "by its use of the last weeks"}, it is empty about <strong><${Time} at=${empty} /></strong> (${outlook.since ? html`<${Time} at=${empty} relative />` : inDays(account.runway)}).${outlook.since ? " That is a guess: the daily use is known after three days and ten orders." : ""}`
      : account.balance === 0 ? "It is empty." : "Recent orders used few credits or none, so no date can be projected."}</p>
      <${Plotted} records=${records} account=${account} outlook=${outlook} now=${now} />
      <p class="small muted">The line: the balance after each of the newest ${number(records.length)} transactions. Dashed: the threshold. Dotted: the projection.${records.some((one) => one.drawn.length) && " Bands: credits that lapse, as they were, and from now until they do, if no orders come."}${levels(account).length > 0 && " Named lines: levels."}</p>
      <${Ahead} account=${account} />`}
  <//>`;
}
