// One merchant: is the plugin on, why, since when, what was published, and what can be done about it.

import { html, useEffect, useRef, useState } from "./preact.js";
import { ask } from "./api.js";
import { ActionsOf } from "./actions.js";
import { Chart } from "./chart.js";
import { AccountDays } from "./days.js";
import { Adjust, Threshold } from "./forms.js";
import { Freeze, Frozen } from "./freezing.js";
import { Ledger } from "./ledger.js";
import { Links } from "./links.js";
import { visited } from "./merchants.js";
import { useNames } from "./names.js";
import { Papers } from "./papers.js";
import { Copy, EventName, Id, Scroll, Section, Term, Time, Title, Trouble, useEvery, useLoad, Waiting } from "./parts.js";
import { credits, daysLeft, number, TYPES } from "./words.js";

const EVERY_SECONDS = 5;
// The API names days in UTC.
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });

function Status({ account, story }) {
  const on = account.plugin_status.status === "enabled";
  return html`<section class="status ${on ? "on" : "off"}" aria-labelledby="status-title">
    <div class="state"><h2 id="status-title">The <${Term} of="plugin">plugin<//> is <strong>${on ? "on" : "off"}</strong></h2>
      <p>since <${Time} at=${account.plugin_status.since} /> <span class="muted">(<${Time} at=${account.plugin_status.since} relative />)</span></p></div>
    <dl class="balance"><div><dt><${Term} of="account">Balance<//></dt><dd data-test="balance">${number(account.balance)}</dd></div>
      <div><dt><${Term} of="threshold">Low at<//></dt><dd>${number(account.threshold)}</dd></div>
      <div><dt><${Term} of="shortfall">Shortfall<//></dt><dd>${number(account.total_shortfall)}</dd></div>
      ${account.runway && account.balance > 0 && html`<div><dt>Days left</dt><dd data-test="days-left">${daysLeft(account.runway)}</dd></div>
        ${account.runway.empty_on && html`<div><dt>Empty on (UTC)</dt><dd data-test="empty-on"><time datetime=${account.runway.empty_on}>${DATE.format(new Date(account.runway.empty_on))}</time></dd></div>`}`}
      ${account.debt > 0 && html`<div><dt>Debt</dt><dd class="bad" data-test="debt">${number(account.debt)}</dd></div>`}</dl>
    ${account.freeze && html`<${Frozen} freeze=${account.freeze} />`}
    ${story && html`<p class="why" data-test="why"><strong>Why?</strong> ${story.because}
      ${account.plugin_status.transaction_id && html` <a href="#/transaction/${account.plugin_status.transaction_id}">That transaction</a>.`}
      ${story.since_then && html` ${story.since_then}`} ${story.remedy && html` <span>${story.remedy}</span>`}
      ${on && account.balance > 0 && account.balance <= account.threshold && html` <span>The balance is low: ${credits(account.balance)} left, the threshold is ${number(account.threshold)}.</span>`}</p>`}
    ${account.levels?.levels.length > 0 && html`<p class="small" data-test="levels">${account.levels.own ? "Its own levels" : "Levels"}: ${account.levels.levels
      .map((level) => `${level.name} (${number(level.at)} ${level.unit})${level.below ? ", below it now" : ""}`).join("; ")}.</p>`}
  </section>`;
}

function Chapters({ story }) {
  return html`<${Section} name="What led to it, and what was published">
    <ol class="story">${story.chapters.map((chapter) => html`<li key=${`${chapter.time}${chapter.sequence}`}>
      <p class="when"><${Time} at=${chapter.time} />${chapter.transaction_id && html` · <a href="#/transaction/${chapter.transaction_id}">transaction ${number(chapter.sequence)}</a>`}</p>
      <p>${chapter.sentence}</p>
      ${chapter.events.length > 0 && html`<ul class="said">${chapter.events.map((event) => html`<li key=${event.event_id ?? event.event_type}><${EventName} of=${event.event_type} title=${event.event_id ?? "no id can be derived"} /></li>`)}</ul>`}
    </li>`)}</ol>
    <p class="small muted">${story.source}${story.complete ? "" : " The history is long: only the transactions around this one were read."}</p>
  <//>`;
}

function Totals({ account }) {
  const rows = Object.entries(account.totals);
  return html`<${Section} name="Totals">
    <${Scroll} name="By type"><table><thead><tr><th scope="col">Type</th><th scope="col" class="num">Count</th><th scope="col" class="num">In</th><th scope="col" class="num">Out</th></tr></thead>
    <tbody>${rows.map(([type, total]) => html`<tr key=${type}><th scope="row">${TYPES[type] ?? type}</th>
      <td class="num">${number(total.increases + total.decreases)}</td><td class="num">${number(total.credits_in)}</td><td class="num">${number(total.credits_out)}</td></tr>`)}</tbody></table><//>
    <p class="small muted">Opened <${Time} at=${account.created_at} />.</p><//>`;
}

export function Merchant({ id, admin }) {
  const [turn, setTurn] = useState(0);
  const { data, error, reload } = useLoad(() => ask(`credits/accounts/${id}`), [id]);
  const known = data?.data;
  const seen = known?.updated_at;
  // Told anew where the account has changed; what was told before stays until then.
  const story = useLoad(() => (seen ? ask(`credits/accounts/${id}/story`) : Promise.resolve(null)), [id, seen]);
  const told = useRef(null);
  told.current = story.data?.data ?? told.current;
  useEvery(EVERY_SECONDS, reload);
  const name = useNames(admin ? [id] : [])(id);
  useEffect(() => { if (known) visited(id); }, [Boolean(known), id]);
  const changed = () => { reload(); setTurn((before) => before + 1); };
  return html`<${Title} name=${name ?? `Merchant ${id.slice(0, 8)}`}>${name ? html`${name} <span class="small muted">Merchant <${Id} of=${id} whole /></span>` : html`Merchant <${Id} of=${id} whole />`} <${Copy} text=${id} what="the merchant's id" /><//>
    ${error?.status === 404 ? html`<p class="said">This merchant has no account. Its first event may not have arrived, or may be among its <a href="#/dead-letters/-/${id}">dead letters</a>.</p>`
      : html`<${Trouble} error=${error} retry=${reload} />`}
    ${!known && !error && html`<${Waiting} what="Reading the account…" />`}
    ${known && html`
      <${Status} account=${known} story=${told.current} />
      <${Trouble} error=${story.error} retry=${story.reload} />
      <div class="columns"><div>
        <${Chart} account=${known} />
        <${AccountDays} id=${id} newest=${known.last_transaction_id} />
        ${told.current && html`<${Chapters} story=${told.current} />`}
      </div><div>
        ${admin && html`<${Adjust} key=${known.merchant_id} account=${known} done=${changed} /><${Threshold} key=${`${known.low_balance_threshold}`} account=${known} done=${changed} /><${Freeze} account=${known} done=${changed} />`}
        <${Totals} account=${known} />
        <${Papers} account=${known} />
        ${admin && html`<${Links} id=${id} done=${changed} />`}
        ${admin && html`<${ActionsOf} merchant=${id} turn=${turn} />`}
      </div></div>
      <${Ledger} id=${id} newest=${known.last_transaction_id} turn=${turn} />`}`;
}
