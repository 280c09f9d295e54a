// Freeze: the banner of a frozen account, and the form that freezes it or ends that, once under the form's key.

import { html, useRef, useState } from "./preact.js";
import { ask } from "./api.js";
import { Id, Section, Time, Trouble } from "./parts.js";
import { newKey, visible } from "./words.js";

export function Frozen({ freeze }) {
  return html`<p class="wrong" role="status" data-test="frozen"><strong>Frozen</strong> since <${Time} at=${freeze.since} /> by ${visible(freeze.admin_id)}${freeze.until ? html`, until <${Time} at=${freeze.until} />` : ", until it is unfrozen"}:
    ${` ${visible(freeze.reason)}. `}Orders, payments and adjustments are recorded as ever. <${Id} of=${freeze.transaction_id} to="transaction" /></p>`;
}

export function Freeze({ account, done }) {
  const { freeze } = account;
  const key = useRef(newKey());
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState("");
  const [state, setState] = useState({ busy: false, error: null, said: null });
  const past = until !== "" && !(new Date(until) > new Date());
  const possible = reason.trim() !== "" && !past && !state.busy;

  const send = async (options, said) => {
    setState({ busy: true, error: null, said: null });
    try {
      await ask(`credits/admin/accounts/${account.merchant_id}/freeze`, { ...options, headers: { "Idempotency-Key": key.current } });
      key.current = newKey();
      setReason("");
      setUntil("");
      setState({ busy: false, error: null, said });
      done();
    } catch (error) {
      if (!error.unsure) key.current = newKey();
      setState({ busy: false, error, said: null });
    }
  };
  const freezes = (event) => {
    event.preventDefault();
    const body = { reason: reason.trim(), ...(until && { until: new Date(until).toISOString() }) };
    if (possible) send({ method: "PUT", body }, freeze ? "The freeze was replaced." : "Frozen: the plugin is off.");
  };
  const ends = () => send({ method: "DELETE", parameters: { reason: reason.trim() } }, "Unfrozen.");

  return html`<${Section} name="Freeze">
    <p>${freeze ? "The account is frozen: its plugin is off whatever its balance." : "Switches the plugin off whatever the balance. Everything is recorded as ever."}</p>
    <form onSubmit=${freezes}>
      <label for="freeze-reason">Reason for it</label>
      <input id="freeze-reason" autocomplete="off" maxlength="500" value=${reason} placeholder="for whoever asks why" onInput=${(event) => setReason(event.currentTarget.value)} />
      <label for="freeze-until">Until (your time; empty: without an end)</label>
      <input id="freeze-until" type="datetime-local" value=${until} aria-invalid=${past ? "true" : undefined} onInput=${(event) => setUntil(event.currentTarget.value)} />
      ${past && html`<p class="wrong" role="alert">The end has to be ahead.</p>`}
      <button type="submit" disabled=${!possible}>${freeze ? "Replace the freeze" : "Freeze the account"}</button>
      ${freeze && html` <button type="button" class="quiet" disabled=${state.busy} onClick=${ends}>Unfreeze</button>`}
    </form>
    <div aria-live="polite">${state.said && html`<p class="good">${state.said}</p>`}</div>
    <${Trouble} error=${state.error} also=${state.error?.unsure && html`<p>It may have been done. Send it again: under this form's key it counts once.</p>`} />
  <//>`;
}
