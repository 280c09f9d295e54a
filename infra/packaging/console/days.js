// Figures by day: bars of what was used, over the balance's line; the rows are in a table beneath, for whoever cannot see it.

import { html, useState } from "./preact.js";
import { ask } from "./api.js";
import { Scroll, Section, Trouble, useLoad, Waiting } from "./parts.js";
import { counted, credits, number } from "./words.js";

const SPANS = [7, 30, 90];
const HEIGHT = 100;
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const named = (text) => day.format(new Date(`${text}T00:00:00Z`));

// Bars from the floor, and a line in steps, each to its own scale.
function Picture({ rows, bars, line }) {
  const width = 100 / rows.length;
  const most = Math.max(1, ...rows.map((row) => row[bars]));
  const highest = Math.max(1, ...rows.map((row) => row[line]));
  const level = (value) => HEIGHT - (HEIGHT - 4) * Math.max(0, value) / highest;
  const steps = rows.map((row, place) => `${place ? "H" : "M"}${place * width}${place ? "" : ` ${level(row[line])}`}V${level(row[line])}`).join("");
  return html`<svg class="days" viewBox="0 0 100 ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
    ${rows.map((row, place) => html`<rect key=${row.day} x=${place * width + width * 0.15} width=${width * 0.7} y=${HEIGHT - (HEIGHT - 4) * Math.max(0, row[bars]) / most} height=${(HEIGHT - 4) * Math.max(0, row[bars]) / most}><title>${named(row.day)}: ${number(row[bars])}</title></rect>`)}
    <path d="${steps}H100" vector-effect="non-scaling-stroke" /></svg>
    <p class="ends small muted"><span>${named(rows[0].day)}</span><span>${named(rows.at(-1).day)}</span></p>`;
}

function Table({ rows, columns }) {
  return html`<details><summary>Each day</summary><${Scroll} name="Each day"><table><thead><tr><th scope="col">Day (UTC)</th>${columns.map(([, name]) => html`<th key=${name} scope="col" class="num">${name}</th>`)}</tr></thead>
    <tbody>${[...rows].reverse().map((row) => html`<tr key=${row.day}><td class="nowrap">${named(row.day)}</td>${columns.map(([key]) => html`<td key=${key} class="num">${number(row[key])}</td>`)}</tr>`)}</tbody></table><//></details>`;
}

function Days({ path, name, what, bars, line, columns, turn }) {
  const [span, setSpan] = useState(30);
  const { data, error, reload } = useLoad(() => ask(path, { parameters: { days: span } }), [path, span, turn]);
  const rows = data?.data.days;
  return html`<${Section} name=${name}>
    <fieldset class="spans"><legend class="sr">How many days</legend>${SPANS.map((one) => html`<label class="choice" key=${one}><input type="radio" name="span-${name}" checked=${one === span} onChange=${() => setSpan(one)} /> ${one} days</label>`)}</fieldset>
    <${Trouble} error=${error} retry=${reload} />
    ${!rows && !error && html`<${Waiting} what="Reading the days…" />`}
    ${rows?.length > 0 && html`<p>${what(rows)}</p><${Picture} rows=${rows} bars=${bars} line=${line} /><${Table} rows=${rows} columns=${columns} />`}
    ${rows?.length === 0 && html`<p class="muted">There are no figures by day yet.</p>`}
  <//>`;
}

const sum = (rows, key) => rows.reduce((all, row) => all + row[key], 0);
const COLUMNS = [["orders", "Orders"], ["used", "Used"], ["credits_in", "In"], ["credits_out", "Out"], ["shortfall", "Uncovered"], ["balance", "Balance"]];

export const AccountDays = ({ id, newest }) => html`<${Days} path=${`credits/accounts/${id}/days`} name="Days" turn=${newest} bars="used" line="balance" columns=${COLUMNS}
  what=${(rows) => `${counted(sum(rows, "orders"), "order")} used ${credits(sum(rows, "used"))}, ${number(Math.round(10 * sum(rows, "used") / rows.length) / 10)} a day; ${number(sum(rows, "credits_in"))} came in. Bars: credits used. Line: the balance at the day's end.`} />`;

export const FleetDays = () => html`<${Days} path="credits/admin/days" name="The fleet by day" turn=${0} bars="orders" line="enabled" columns=${[["enabled", "On"], ["disabled", "Off"], ["low", "Low"], ...COLUMNS, ["parked", "Parked"]]}
  what=${(rows) => rows.length < 2 ? "What a day moves is known from the second day on." : `${counted(sum(rows, "orders"), "order")} used ${credits(sum(rows, "used"))}; ${number(sum(rows, "credits_in"))} came in. Parked: ${counted(sum(rows, "parked"), "message")}. Bars: orders. Line: plugins that are on.`} />`;
