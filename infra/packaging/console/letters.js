// What is parked, why, and its retry.

import { html, useState } from "./preact.js";
import { ask } from "./api.js";
import { Badge, EventName, Id, Term, Time, Title, Trouble, useLoad, Waiting } from "./parts.js";
import { indented, number, visible } from "./words.js";

const PARKINGS = { inbox: "event in", outbox: "event out", stream: "stream's record" };

function Message({ letter }) {
  const [state, setState] = useState({ busy: false, error: null, body: letter.body, cut: letter.body_cut });
  const whole = async () => {
    setState((before) => ({ ...before, busy: true, error: null }));
    try {
      const { data } = await ask(`credits/admin/dead-letters/${encodeURIComponent(letter.id)}`);
      setState({ busy: false, error: null, body: data.body, cut: false });
    } catch (error) {
      setState((before) => ({ ...before, busy: false, error }));
    }
  };
  return html`<details><summary>The message</summary>
    <pre tabindex="0">${visible(state.cut ? `${state.body}…` : indented(state.body))}</pre>
    <${Trouble} error=${state.error} />
    ${state.cut && html`<p class="small">This is the beginning of ${number(letter.body_length)} characters.${" "}
      <button type="button" class="quiet" onClick=${whole} disabled=${state.busy}>${state.busy ? "Looking…" : "Show the whole message"}</button></p>`}
  </details>`;
}

function Letter({ letter }) {
  const [state, setState] = useState({ busy: false, error: null, done: false });
  const retry = async () => {
    setState({ busy: true, error: null, done: false });
    try {
      await ask(`credits/admin/dead-letters/${encodeURIComponent(letter.id)}/redrive`, { method: "POST" });
      setState({ busy: false, error: null, done: true });
    } catch (error) {
      setState({ busy: false, error, done: false });
    }
  };
  return html`<li class="card letter" data-test="letter">
    <h2><${Badge} tone="bad">${visible(letter.code).replaceAll("_", " ")}<//> ${letter.event_type ? html`<${EventName} of=${letter.event_type} />` : "no readable event"}</h2>
    <p class="reason">${visible(letter.reason) || "No reason was given."}</p>
    <dl class="facts">
      ${letter.merchant_id && html`<div><dt>Merchant</dt><dd><${Id} of=${letter.merchant_id} to="merchant" /></dd></div>`}
      ${letter.field && html`<div><dt>Field</dt><dd><code>${visible(letter.field)}</code></dd></div>`}
      <div><dt>Came by</dt><dd>${visible(letter.origin ?? "unknown")} (${PARKINGS[letter.parking] ?? letter.parking})</dd></div>
      ${letter.first_seen && html`<div><dt>First seen</dt><dd><${Time} at=${letter.first_seen} /></dd></div>`}
      <div><dt>Parked</dt><dd><${Time} at=${letter.parked_at} relative /></dd></div>
      ${letter.redriven > 0 && html`<div><dt>Retried</dt><dd>${letter.redriven === 1 ? "once before" : `${number(letter.redriven)} times before`}</dd></div>`}
    </dl>
    <${Message} letter=${letter} />
    <${Trouble} error=${state.error} also=${state.error?.status === 404 && html`<p>Somebody has retried it already, or it was looked at elsewhere this moment.</p>`} />
    <div role="status">${state.done && html`<p class="good"><strong>Retried.</strong> It is on its way again now; if its reason still holds, it comes back here.</p>`}</div>
    ${!state.done && (letter.redrivable
      ? html`<button type="button" onClick=${retry} disabled=${state.busy}>${state.busy ? "Retrying…" : "Retry"}</button>`
      : letter.origin === "bridge" ? html`<p class="small muted">NATS keeps its body, which no queue can hold: have it published anew, or raise <code>BRIDGE_MESSAGE_BYTES</code> and replay.</p>`
      : html`<p class="small muted">It holds nothing that could be put back. One that points to records of a stream is published again with <code>credits republish --letter</code>.</p>`)}
  </li>`;
}

export function Letters() {
  const { data, error, loading, reload } = useLoad(() => ask("credits/admin/dead-letters", { parameters: { limit: 50 } }), []);
  const letters = data?.data ?? [];
  const unseen = data ? data.pagination.total - letters.length : 0;
  return html`<${Title} name="Dead letters">Dead letters<//>
    <p class="muted"><${Term} of="dead-letter">Dead letters<//> are messages that could not be applied. Nothing of them counted; their neighbours did. Retrying one is harmless any number of times: a fact moves credits once.</p>
    <p><button type="button" onClick=${reload} disabled=${loading}>${loading ? "Looking…" : "Refresh"}</button></p>
    <${Trouble} error=${error} retry=${reload} />
    ${!data && !error && html`<${Waiting} what="Looking through the queues…" />`}
    ${data && !letters.length && html`<p class="good" role="status">Nothing is parked.</p>`}
    <ul class="letters">${letters.map((letter) => html`<${Letter} key=${letter.id} letter=${letter} />`)}</ul>
    ${unseen > 0 && html`<p class="small muted">The queues count about ${number(unseen)} more: retry some, or refresh.</p>`}`;
}
