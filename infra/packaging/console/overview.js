// The fleet, what happens at this moment, and the shops that need a look.

import { html, useRef } from "./preact.js";
import { ask } from "./api.js";
import { FleetDays } from "./days.js";
import { AccountTable } from "./merchants.js";
import { Shop, useNames } from "./names.js";
import { Badge, Pages, Section, Term, Time, Title, Trouble, useEvery, useLoad, usePages, Waiting } from "./parts.js";
import { ago, EVENTS, inDays, number, shortTime } from "./words.js";

const EVERY_SECONDS = 3;
const KEPT = 40;
const WINDOW_SECONDS = 60;

// Rates are differences of what is counted since the beginning: of the last minute, or of what was seen of it.
function useReadings(now) {
  const readings = useRef([]);
  if (now && readings.current.at(-1)?.as_of !== now.as_of) readings.current = [...readings.current, now].slice(-KEPT);
  return readings.current;
}

const seconds = (later, earlier) => (new Date(later.as_of) - new Date(earlier.as_of)) / 1000;

function rate(readings, name) {
  const last = readings.at(-1);
  const first = readings.find((one) => seconds(last, one) <= WINDOW_SECONDS);
  const passed = last && first ? seconds(last, first) : 0;
  return passed > 0 ? (60 * (last[name] - first[name])) / passed : null;
}

function oldest(readings) {
  const last = readings.at(-1);
  const first = readings.find((one) => seconds(last, one) <= WINDOW_SECONDS);
  const batches = last.batches - first.batches;
  return batches > 0 ? Math.max(0, last.oldest_message_seconds - first.oldest_message_seconds) / batches : null;
}

function grown(readings, name) {
  const last = readings.at(-1);
  const first = readings.find((one) => seconds(last, one) <= WINDOW_SECONDS);
  return first ? last[name] - first[name] : 0;
}

function Spark({ readings }) {
  const rates = readings.slice(1).map((one, place) => {
    const passed = seconds(one, readings[place]);
    return passed > 0 ? (60 * (one.orders - readings[place].orders)) / passed : 0;
  });
  if (rates.length < 2) return html`<svg class="spark" viewBox="0 0 100 24" aria-hidden="true"></svg>`;
  const most = Math.max(...rates, 1);
  const points = rates.map((value, place) => `${(100 * place) / (rates.length - 1)},${23 - (21 * value) / most}`);
  return html`<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
    <polyline points=${points.join(" ")} fill="none" stroke="currentColor" stroke-width="1.5" vector-effect="non-scaling-stroke" /></svg>`;
}

function Figure({ name, value, note, tone, to }) {
  return html`<div class="figure"><dt>${name}</dt><dd class=${tone ?? ""}>${value}</dd>
    ${note && html`<dd class="note">${to ? html`<a href=${to} aria-label="${name}: ${note}">${note}</a>` : note}</dd>`}</div>`;
}

function Live({ readings }) {
  const now = readings.at(-1);
  const orders = rate(readings, "orders");
  const lately = (name) => `+${number(grown(readings, name))} in the last minute`;
  const beat = now.bridge_seen_at && (new Date(now.as_of) - new Date(now.bridge_seen_at)) / 1000;
  return html`<${Section} name="At this moment" first title=${html`At this moment <span class="small muted">as of ${shortTime(now.as_of)}</span>`}>
    <dl class="figures">
      <div class="figure wide"><dt>Orders a minute</dt><dd data-test="orders">${orders === null ? "…" : number(Math.round(orders))}</dd><dd><${Spark} readings=${readings} /></dd></div>
      <${Figure} name="Duplicates" value=${number(now.duplicates)} note=${lately("duplicates")} />
      <${Figure} name="Conflicts" value=${number(now.conflicts)} note=${lately("conflicts")} />
      <${Figure} name="Ignored" value=${number(now.ignored)} note=${lately("ignored")} />
      <${Figure} name="Inbox" value=${number(now.inbox.waiting)} note=${`${number(now.inbox.under_way)} under way`} />
      <${Figure} name="Oldest message" value=${oldest(readings) === null ? "none" : `${number(Math.round(10 * oldest(readings)) / 10)} s`} note="in the last minute" />
      <${Figure} name="Dead letters" value=${number(now.dead_letters)} tone=${now.dead_letters ? "bad" : "good"} to="#/dead-letters" note=${now.dead_letters ? "look at them" : "nothing is parked"} />
      <${Figure} name="Bridge" value=${beat === null ? "never seen" : beat > 45 ? "silent" : "alive"} tone=${beat === null || beat > 45 ? "bad" : "good"} note=${now.bridge_seen_at ? ago(now.bridge_seen_at, new Date(now.as_of)) : "no heartbeat yet"} />
    </dl>
  <//>`;
}

function Fleet({ fleet }) {
  return html`<${Section} name="The fleet" first>
    <dl class="figures">
      <${Figure} name=${html`<${Term} of="merchant">Merchants<//>`} value=${number(fleet.total_merchants)} />
      <${Figure} name=${html`<${Term} of="plugin">Plugins<//> on`} value=${number(fleet.enabled_count)} tone="good" note=${`${number(fleet.enabled_percentage)} %`} />
      <${Figure} name="Plugins off" value=${number(fleet.disabled_count)} tone=${fleet.disabled_count ? "bad" : ""} to="#/off" note="list them" />
      <${Figure} name="Running low" value=${number(fleet.low_balance_count)} tone=${fleet.low_balance_count ? "warn" : ""} to="#/low" note="list them" />
      <${Figure} name=${html`<${Term} of="credit">Credits<//> a merchant`} value=${number(Math.round(fleet.average_balance))} note="on average" />
    </dl><//>`;
}

function Events({ events }) {
  const named = useNames(events.map((event) => event.merchant_id));
  return html`<${Section} name="Latest threshold events">
    ${events.length ? html`<ol class="events">${events.map((event) => {
      const [words, tone] = EVENTS[event.event_type] ?? [event.event_type, "plain"];
      const on = event.status === "enabled";
      return html`<li key=${event.event_id}>
        <${Badge} tone=${event.status ? (on ? "good" : "bad") : tone}>${event.status ? `Plugin ${on ? "on" : "off"}` : words}<//>
        <${Shop} id=${event.merchant_id} named=${named} /><span>balance ${number(event.balance)}</span>
        <span class="small muted"><${Time} at=${event.time} relative /></span></li>`;
    })}</ol>` : html`<p class="muted">No balance has passed a threshold yet.</p>`}
    <p class="small muted">Each is a <${Term} of="crossing">crossing<//>.</p>
  <//>`;
}

export function Overview() {
  const { data, error, reload } = useLoad(() => ask("credits/admin/activity"), []);
  const readings = useReadings(data?.data);
  useEvery(EVERY_SECONDS, reload);
  return html`<${Title} name="Overview">Overview<//>
    <${Trouble} error=${error} retry=${reload} />
    ${!data && !error && html`<${Waiting} what="Reading the figures…" />`}
    ${data && html`<${Live} readings=${readings} /><${Fleet} fleet=${data.data.fleet} /><${FleetDays} /><${Events} events=${data.data.threshold_events} />`}`;
}

const LISTS = {
  off: ["merchants", "Merchants whose plugin is off", "No plugin is off.", { status: "disabled" }],
  low: ["low-balance", "Merchants with a low balance", "No balance is low."],
  week: ["low-balance", "Merchants that run out within a week", "No low balance is expected to be used up within a week.", { days: 7 }],
};

// What the last column of each list tells.
const LAST = {
  off: ["Off since", (row) => html`<${Time} at=${row.plugin_status.since} relative />`],
  low: [],
  week: ["Runs out", (row) => inDays(row.runway)],
};

export function Accounts({ which }) {
  const [path, title, none, narrowed] = LISTS[which];
  const pages = usePages((cursor) => ask(`credits/admin/${path}`, { parameters: { limit: 50, cursor, ...narrowed } }), [which]);
  const [last, at] = LAST[which];
  return html`<${Title} name=${title}>${title}<//>
    ${pages.rows.length > 0 && html`<${AccountTable} rows=${pages.rows} name=${title} last=${last} at=${at} />`}
    <${Pages} of=${pages} none=${none} />`;
}
