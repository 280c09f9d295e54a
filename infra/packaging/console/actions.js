// Who did what: thresholds, adjustments and retries, newest first; of all merchants, or of one.

import { html } from "./preact.js";
import { ask } from "./api.js";
import { Shop, useNames } from "./names.js";
import { Pages, Section, Time, Title, usePages } from "./parts.js";
import { counted, credits, number, visible } from "./words.js";

const PAGE = 25;

const SENTENCES = {
  adjusted: ({ amount, reason, transaction_id }) => html`${amount > 0 ? "added" : "removed"} <a href="#/transaction/${transaction_id}">${credits(Math.abs(amount))}</a>: ${visible(String(reason))}`,
  threshold_set: ({ low_balance_threshold }) => (low_balance_threshold === null ? "went back to the default threshold" : `set the threshold to ${number(low_balance_threshold)}`),
  levels_set: ({ levels }) => (levels === null ? "went back to the fleet's levels" : levels ? `set the levels ${visible(String(levels))}` : "set no levels"),
  grace_set: ({ hours, credits: owed }) => (hours === null ? "went back to the fleet's grace" : hours || owed ? `set a grace of ${hours ? `${counted(hours, "hour")}` : ""}${hours && owed ? " or " : ""}${owed ? credits(owed) : ""}${hours && owed ? ", whichever comes first" : ""}` : "set no grace"),
  frozen: ({ reason, until, transaction_id }) => html`<a href="#/transaction/${transaction_id}">froze the account</a>${until ? html` until <${Time} at=${until} />` : ""}: ${visible(String(reason))}`,
  unfrozen: ({ reason, transaction_id }) => html`<a href="#/transaction/${transaction_id}">unfroze the account</a>${reason ? `: ${visible(String(reason))}` : ""}`,
  letter_retried: ({ code, event_type }) => `retried a dead letter (${visible(String(code)).replaceAll("_", " ")}${event_type ? `, ${visible(event_type)}` : ""})`,
  letter_discarded: ({ code, reason }) => `discarded a dead letter (${visible(String(code)).replaceAll("_", " ")}): ${visible(String(reason ?? ""))}`,
  linked: ({ name }) => `linked ${visible(String(name))}`,
  unlinked: ({ name }) => `unlinked ${visible(String(name))}`,
};

function List({ merchant, turn }) {
  const pages = usePages((cursor) => ask("credits/admin/actions", { parameters: { merchant_id: merchant, limit: PAGE, cursor } }), [merchant, turn]);
  const named = useNames(merchant ? [] : pages.rows.map((row) => row.merchant_id));
  return html`<ol class="story" data-test="actions">${pages.rows.map((row) => html`<li key=${`${row.time}${row.did}${JSON.stringify(row.details)}`}>
      <p class="when"><${Time} at=${row.time} />${!merchant && row.merchant_id && html` · <${Shop} id=${row.merchant_id} named=${named} />`}</p>
      <p><strong>${visible(row.admin_id)}</strong> ${SENTENCES[row.did]?.(row.details) ?? visible(row.did).replaceAll("_", " ")}</p></li>`)}</ol>
    <${Pages} of=${pages} none="No admin has changed anything yet." />`;
}

export const Actions = () => html`<${Title} name="Actions">Who did what<//><div class="card"><${List} merchant=${null} turn=${0} /></div>`;

export const ActionsOf = ({ merchant, turn }) => html`<${Section} name="Who did what"><${List} merchant=${merchant} turn=${turn} /><//>`;
