// A merchant's papers: the statement of a month, and its transactions as a file. Owners have their own.

import { html, useEffect, useRef, useState } from "./preact.js";
import { ask, askText } from "./api.js";
import { Scroll, Section, Trouble, useLoad, Waiting } from "./parts.js";
import { credits, number, signed, TYPES } from "./words.js";

const PAGE = 100;
const FORMS = { csv: "text/csv", jsonl: "application/x-ndjson" };
const monthName = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric", timeZone: "UTC" });
const named = (month) => monthName.format(new Date(`${month}-01T00:00:00Z`));

// The months from the account's opening to the present one, newest first, as the API writes them.
function months(opened) {
  const found = [];
  const [year, month] = opened.split("-").map(Number);
  const now = new Date();
  for (let turn = now.getUTCFullYear() * 12 + now.getUTCMonth(); turn >= year * 12 + month - 1; turn -= 1) {
    found.push(`${String(Math.floor(turn / 12)).padStart(4, "0")}-${String((turn % 12) + 1).padStart(2, "0")}`);
  }
  return found;
}

function bounds(month) {
  const [year, number] = month.split("-").map(Number);
  const ends = new Date(Date.UTC(year, number, 1) - 1).toISOString();
  return { start_date: `${month}-01T00:00:00.000Z`, end_date: ends };
}

// Hands a text to the browser as a file.
function save(parts, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function Months({ account, month, set }) {
  return html`<label for="month">Month (UTC)</label>
    <select id="month" value=${month} onChange=${(event) => set(event.currentTarget.value)}>
      ${months(account.created_at).map((one) => html`<option key=${one} value=${one}>${named(one)}</option>`)}</select>`;
}

function Statement({ id, month, newest }) {
  const place = `credits/accounts/${id}/statements/${month}`;
  const { data, error, loading, reload } = useLoad(() => ask(place), [place, newest]);
  const [failed, setFailed] = useState(null);
  const said = data?.data;
  const print = async () => {
    setFailed(null);
    try {
      const { text } = await askText(place, { accept: "text/html" });
      save([text], `statement-${id}-${month}.html`, "text/html");
    } catch (refused) {
      setFailed(refused);
    }
  };
  return html`<${Trouble} error=${error ?? failed} retry=${error ? reload : print} />
    ${loading && !said && html`<${Waiting} what="Reading the statement…" />`}
    ${said && html`<${Scroll} name=${named(month)}><table data-test="statement"><caption class="sr">What moved in ${named(month)}</caption>
      <thead><tr><th scope="col">Type</th><th scope="col" class="num">Count</th><th scope="col" class="num">Credits</th></tr></thead>
      <tbody><tr><th scope="row">Opening balance</th><td></td><td class="num">${number(said.opening.balance)}</td></tr>
      ${Object.entries(said.by_type).map(([type, total]) => html`<tr key=${type}><th scope="row">${TYPES[type] ?? type}</th><td class="num">${number(total.increases + total.decreases)}</td><td class="num">${signed(total.credits_in - total.credits_out)}</td></tr>`)}
      <tr><th scope="row"><strong>${said.open ? "Balance now" : "Closing balance"}</strong></th><td class="num">${number(said.transaction_count)}</td><td class="num"><strong>${number(said.closing.balance)}</strong></td></tr></tbody></table><//>
      ${said.total_shortfall > 0 && html`<p class="small muted">Shortfall: ${credits(said.total_shortfall)}.</p>`}
      <p><button type="button" onClick=${print}>Download to print</button></p>`}`;
}

function Export({ id, month }) {
  const [all, setAll] = useState(false);
  const [state, setState] = useState({ rows: 0, busy: false, error: null, done: false });
  const open = useRef(true);
  useEffect(() => () => { open.current = false; }, []);
  const write = async (form) => {
    const parts = [];
    let cursor = null;
    let rows = 0;
    setState({ rows, busy: true, error: null, done: false });
    try {
      do {
        const parameters = { merchant_id: id, limit: PAGE, cursor, ...(all ? {} : bounds(month)) };
        const { text, next } = await askText("credits/transactions", { accept: FORMS[form], parameters });
        // Every page of a CSV begins with its heading.
        const lines = form === "csv" && parts.length ? text.slice(text.indexOf("\n") + 1) : text;
        parts.push(lines);
        rows += PAGE;
        cursor = next;
        setState({ rows, busy: true, error: null, done: false });
      } while (cursor && open.current);
      if (open.current) save(parts, `transactions-${id}${all ? "" : `-${month}`}.${form}`, FORMS[form]);
      setState({ rows, busy: false, error: null, done: true });
    } catch (error) {
      setState({ rows, busy: false, error, done: false });
    }
  };
  return html`<fieldset><legend>Transactions as a file</legend>
      <label class="choice"><input type="radio" name="range" checked=${!all} onChange=${() => setAll(false)} /> Of this month</label>
      <label class="choice"><input type="radio" name="range" checked=${all} onChange=${() => setAll(true)} /> All</label></fieldset>
    <p><button type="button" disabled=${state.busy} onClick=${() => write("csv")}>CSV</button> <button type="button" disabled=${state.busy} onClick=${() => write("jsonl")}>JSON Lines</button></p>
    <div role="status" class="small muted" data-test="export">${state.busy && `About ${number(state.rows)} rows so far…`}${state.done && "The file is among your downloads, newest first."}</div>
    <${Trouble} error=${state.error} />`;
}

export function Papers({ account }) {
  const id = account.merchant_id;
  const [month, setMonth] = useState(() => months(account.created_at)[0]);
  return html`<${Section} name="Statement and export">
    <${Months} account=${account} month=${month} set=${setMonth} />
    <${Statement} key=${month} id=${id} month=${month} newest=${account.last_transaction_id} />
    <${Export} id=${id} month=${month} />
  <//>`;
}
