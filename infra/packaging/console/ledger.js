// A merchant's records, newest first, by cursor and without an end; and the whole chain, checked here.

import { html, useEffect, useRef, useState } from "./preact.js";
import { ask } from "./api.js";
import { broken, canCheck } from "./chain.js";
import { Pages, Scroll, Section, Time, Trouble, usePages } from "./parts.js";
import { called, counted, number, signed, TYPES } from "./words.js";

const PAGE = 25;
const CHAIN_PAGE = 100;
const NO_FILTERS = { transaction_type: "", operation_type: "", start_date: "", end_date: "" };

const page = (id, parameters) => ask("credits/transactions", { parameters: { merchant_id: id, ...parameters } });

function Filters({ filters, set }) {
  const change = (name) => (event) => set({ ...filters, [name]: event.currentTarget.value });
  return html`<form class="filters" aria-label="Filter the ledger" onSubmit=${(event) => event.preventDefault()}>
    <div><label for="type">Type</label><select id="type" value=${filters.transaction_type} onChange=${change("transaction_type")}>
      <option value="">all types</option>${Object.entries(TYPES).map(([type, name]) => html`<option key=${type} value=${type}>${name}s</option>`)}</select></div>
    <div><label for="way">Direction</label><select id="way" value=${filters.operation_type} onChange=${change("operation_type")}>
      <option value="">both</option><option value="INCREASE">in</option><option value="DECREASE">out</option></select></div>
    <div><label for="from">From (UTC)</label><input id="from" type="date" value=${filters.start_date} onChange=${change("start_date")} /></div>
    <div><label for="to">To (UTC)</label><input id="to" type="date" value=${filters.end_date} onChange=${change("end_date")} /></div>
    <button type="button" class="quiet" onClick=${() => set(NO_FILTERS)}>Clear filters</button>
  </form>`;
}

function Row({ record }) {
  const note = record.extra_metadata.reason ?? (record.shortfall ? `${number(record.shortfall)} short` : "");
  return html`<tr>
    <td class="num wide">${number(record.sequence)}</td>
    <td><${Time} at=${record.created_at} brief /></td>
    <td><a href="#/transaction/${record.id}">${called(record)} <span class="ref">${record.transaction_type === "TRIAL" ? "" : record.reference_id}</span></a>${note && html`<span class="small muted note">${note}</span>`}</td>
    <td class="num ${record.amount > 0 ? "good" : ""}">${signed(record.amount)}</td>
    <td class="num">${number(record.balance_after)}</td></tr>`;
}

// More is read when the end of the list comes into view; the button is for keyboards, and where nothing observes.
function More({ more, busy }) {
  const place = useRef(null);
  useEffect(() => {
    const watch = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && more(), { rootMargin: "200px" });
    watch.observe(place.current);
    return () => watch.disconnect();
  });
  return html`<button type="button" class="more" ref=${place} disabled=${busy} onClick=${more}>${busy ? "Reading…" : "Older transactions"}</button>`;
}

function Chain({ id }) {
  const [state, setState] = useState(null);
  const stopped = useRef(false);
  useEffect(() => () => { stopped.current = true; }, []);
  const check = async () => {
    stopped.current = false;
    let [cursor, checked, held, wrong] = [null, 0, [], []];
    try {
      do {
        const { data, pagination } = await page(id, { limit: CHAIN_PAGE, cursor });
        cursor = pagination.next_cursor;
        // The oldest of a page waits for its predecessor, which is on the next one.
        const rows = [...held, ...data];
        held = cursor ? rows.slice(-1) : [];
        wrong = [...wrong, ...(await broken(cursor ? rows.slice(0, -1) : rows, held[0]))];
        checked += cursor ? rows.length - 1 : rows.length;
        setState({ checked, wrong, done: !cursor });
      } while (cursor && !stopped.current);
    } catch (error) {
      setState({ checked, wrong, error });
    }
  };
  if (!canCheck()) return html`<p class="small muted">This page is not on a secure address, so the browser cannot check the chain.</p>`;
  return html`<div class="chain">
    <button type="button" onClick=${check} disabled=${state && !state.done && !state.error}>Check the whole chain</button>
    <p role="status" data-test="chain">${state && (state.wrong.length
      ? html`<strong class="bad">The chain is broken at ${state.wrong.map(number).join(", ")}.</strong> Tell the engineers: a transaction was changed, removed or inserted.`
      : state.done ? html`<strong class="good">${counted(state.checked, "transaction")}: every hash and every balance is right.</strong>`
      : !state.error && `${counted(state.checked, "transaction")} so far…`)}</p>
    <${Trouble} error=${state?.error} retry=${check} />
  </div>`;
}

export function Ledger({ id, newest, turn }) {
  const [filters, setFilters] = useState(NO_FILTERS);
  const backwards = filters.start_date && filters.end_date && filters.start_date > filters.end_date;
  const read = (cursor) => (backwards ? Promise.resolve({ data: [], pagination: {} }) : page(id, { ...filters, limit: PAGE, cursor }));
  const pages = usePages(read, [id, turn, JSON.stringify(filters)]);
  const { rows, older, more } = pages;
  const known = useRef(newest);
  useEffect(() => {
    // What comes in while the beginning is looked at joins it; who has gone further down is left in peace.
    if (known.current !== newest && older.rows.length === 0) pages.reload();
    known.current = newest;
  }, [newest]);
  const total = pages.data?.pagination.total;
  return html`<${Section} name="Ledger" first kind="card ledger" title=${html`Ledger ${typeof total === "number" && html`<span class="small muted">${counted(total, "transaction")}</span>`}`}>
    <${Filters} filters=${filters} set=${setFilters} />
    ${backwards && html`<p class="wrong" role="alert">The first day is after the last.</p>`}
    ${rows.length > 0 && html`<${Scroll} name="Transactions, newest first"><table><caption class="sr">Transactions, newest first</caption><thead><tr><th scope="col" class="num wide">No.</th><th scope="col">When</th><th scope="col">Type</th><th scope="col" class="num">Credits</th><th scope="col" class="num">Balance</th></tr></thead>
      <tbody>${rows.map((record) => html`<${Row} key=${record.id} record=${record} />`)}</tbody></table><//>`}
    <${Pages} of=${pages} none="No transaction matches." button=${html`<${More} more=${more} busy=${older.busy} />`} />
    <${Chain} id=${id} />
  <//>`;
}
