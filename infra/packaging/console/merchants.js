// All merchants, or those of whom a name, domain or id begins so; the address holds what is searched.

import { html, useEffect, useState } from "./preact.js";
import { ask } from "./api.js";
import { Shop, useNames } from "./names.js";
import { Badge, Copy, Id, Pages, Scroll, Time, Title, usePages } from "./parts.js";
import { number } from "./words.js";

const PAGE = 50;
const RECENT = "credits.recent";
const RECENT_MOST = 8;

export function recent() {
  try {
    return JSON.parse(sessionStorage.getItem(RECENT)) ?? [];
  } catch {
    return [];
  }
}

export function visited(id) {
  sessionStorage.setItem(RECENT, JSON.stringify([id, ...recent().filter((one) => one !== id)].slice(0, RECENT_MOST)));
}

function State({ account }) {
  if (account.plugin_status.status !== "enabled") return html`<${Badge} tone="bad">off<//>`;
  if (!account.balance) return html`<${Badge} tone="warn">grace<//>`;
  return account.balance <= account.threshold ? html`<${Badge} tone="warn">low<//>` : html`<${Badge} tone="good">on<//>`;
}

export function AccountTable({ rows, name, last = "Last change", at = (row) => html`<${Time} at=${row.updated_at} relative />` }) {
  const named = useNames(rows.map((row) => row.merchant_id));
  return html`<${Scroll} name=${name} kind="card"><table><thead><tr><th scope="col">Merchant</th><th scope="col">Plugin</th><th scope="col" class="num">Balance</th><th scope="col" class="num wide">Low at</th><th scope="col" class="wide">${last}</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row.merchant_id}><td>${named(row.merchant_id) && html`<strong><${Shop} id=${row.merchant_id} named=${named} /></strong> `}<span class="nowrap"><${Id} of=${row.merchant_id} to="merchant" /><span class="wide"><${Copy} text=${row.merchant_id} what="the id ${row.merchant_id}" /></span></span></td>
      <td><${State} account=${row} /></td><td class="num">${number(row.balance)}</td><td class="num wide">${number(row.threshold)}</td><td class="wide">${at(row)}</td></tr>`)}</tbody></table><//>`;
}

function Recent() {
  const ids = recent();
  const named = useNames(ids);
  if (!ids.length) return null;
  return html`<p class="recent"><span class="muted">Recently visited:</span> ${ids.map((id) => html`<${Shop} key=${id} id=${id} named=${named} />`)}</p>`;
}

export function Merchants({ search }) {
  const pages = usePages((cursor) => ask("credits/admin/merchants", { parameters: { search, limit: PAGE, cursor } }), [search]);
  const [text, setText] = useState(search);
  useEffect(() => setText(search), [search]);
  const send = (event) => {
    event.preventDefault();
    location.hash = `#/merchants/${encodeURIComponent(text.trim())}`;
  };
  return html`<${Title} name="Merchants">Merchants<//>
    <form class="filters" role="search" aria-label="Filter the merchants" onSubmit=${send}>
      <div class="grow"><label for="starting">Name, domain or id (the beginning is enough)</label><input id="starting" value=${text} autocomplete="off" spellcheck=${false} maxlength="255" placeholder="Last Penny Books, last-penny.myshopify.com or 4f1c6f0e" onInput=${(event) => setText(event.currentTarget.value)} /></div>
      <button type="submit">Filter</button><a class="button" href="#/off">Off</a><a class="button" href="#/low">Low</a><a class="button" href="#/week">Out within a week</a>
    </form>
    <${Recent} />
    ${pages.rows.length > 0 && html`<${AccountTable} rows=${pages.rows} name="Merchants" />`}
    <${Pages} of=${pages} none="No merchant matches." />`;
}
