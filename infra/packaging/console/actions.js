// Who did what: thresholds, adjustments and retries, newest first; of all merchants, or of one.

import { html, useState } from "./preact.js";
import { ask } from "./api.js";
import { useNames } from "./names.js";
import { Id, Section, Time, Title, Trouble, useLoad, Waiting } from "./parts.js";
import { credits, number, visible } from "./words.js";

const PAGE = 25;

const SENTENCES = {
  adjusted: ({ amount, reason, transaction_id }) => html`${amount > 0 ? "added" : "removed"} <a href="#/transaction/${transaction_id}">${credits(Math.abs(amount))}</a>: ${visible(String(reason))}`,
  threshold_set: ({ low_balance_threshold }) => (low_balance_threshold === null ? "went back to the default threshold" : `set the threshold to ${number(low_balance_threshold)}`),
  levels_set: ({ levels }) => (levels === null ? "went back to the fleet's levels" : levels ? `set the levels ${visible(String(levels))}` : "set no levels"),
  grace_set: ({ hours, credits: owed }) => (hours === null ? "went back to the fleet's grace" : hours || owed ? `set a grace of ${hours ? `${number(hours)} hours` : ""}${hours && owed ? " or " : ""}${owed ? credits(owed) : ""}` : "set no grace"),
  frozen: ({ reason, until, transaction_id }) => html`<a href="#/transaction/${transaction_id}">froze the account</a>${until ? html` until <${Time} at=${until} />` : ""}: ${visible(String(reason))}`,
  unfrozen: ({ reason, transaction_id }) => html`<a href="#/transaction/${transaction_id}">unfroze the account</a>${reason ? `: ${visible(String(reason))}` : ""}`,
  letter_retried: ({ code, event_type }) => `retried a dead letter (${visible(String(code)).replaceAll("_", " ")}${event_type ? `, ${visible(event_type)}` : ""})`,
  letter_discarded: ({ code, reason }) => `discarded a dead letter (${visible(String(code)).replaceAll("_", " ")}): ${visible(String(reason ?? ""))}`,
  linked: ({ name }) => `linked ${visible(String(name))}`,
  unlinked: ({ name }) => `unlinked ${visible(String(name))}`,
};

function List({ merchant, turn }) {
  const [rows, setRows] = useState([]);
  const [cursor, setCursor] = useState(null);
  const more = async (from) => {
    const page = await ask("credits/admin/actions", { parameters: { merchant_id: merchant, limit: PAGE, cursor: from } });
    setRows((before) => (from ? [...before, ...page.data] : page.data));
    setCursor(page.pagination.next_cursor);
    return page;
  };
  const { error, loading, data, reload } = useLoad(() => more(null), [merchant, turn]);
  const named = useNames(merchant ? [] : rows.map((row) => row.merchant_id));
  return html`<${Trouble} error=${error} retry=${reload} />
    ${loading && !data && html`<${Waiting} what="Reading the list…" />`}
    ${data && !rows.length && html`<p class="muted">No admin has changed anything yet.</p>`}
    <ol class="story" data-test="actions">${rows.map((row) => html`<li key=${`${row.time}${row.did}${JSON.stringify(row.details)}`}>
      <p class="when"><${Time} at=${row.time} />${!merchant && row.merchant_id && html` · <a href="#/merchant/${row.merchant_id}">${named(row.merchant_id) ? visible(named(row.merchant_id)) : html`<code>${row.merchant_id.slice(0, 8)}</code>`}</a>`}</p>
      <p><strong>${visible(row.admin_id)}</strong> ${SENTENCES[row.did]?.(row.details) ?? visible(row.did).replaceAll("_", " ")}</p></li>`)}</ol>
    ${cursor && html`<button type="button" onClick=${() => more(cursor)}>More</button>`}`;
}

export const Actions = () => html`<${Title} name="Actions">Who did what<//><div class="card"><${List} merchant=${null} turn=${0} /></div>`;

export const ActionsOf = ({ merchant, turn }) => html`<${Section} name="Who did what"><${List} merchant=${merchant} turn=${turn} /><//>`;
