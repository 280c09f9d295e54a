// Freeze: the banner of a frozen account, and the form that freezes it or ends that, once under the form's key.

import { html, useRef, useState } from "./preact.js";
import { ask } from "./api.js";
import { Section, Time, Trouble } from "./parts.js";
import { newKey, visible } from "./words.js";

export function Frozen({ freeze }) {
  return html`<p class="wrong" role="status" data-test="frozen"><strong>Frozen</strong> since <${Time} at=${freeze.since} /> by ${visible(freeze.admin_id)}, until ${freeze.until ? html`<${Time} at=${freeze.until} />` : "it is unfrozen"}: ${visible(freeze.reason)}. Everything is recorded as ever.</p>`;
}

export function Freeze({ account, done }) {
  const { freeze } = account;
  const key = useRef(newKey());
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState("");
  const [state, setState] = useState({});
  const past = until && !(new Date(until) > new Date());

  const send = async (method, options, said) => {
    setState({ busy: true });
    try {
      await ask(`credits/admin/accounts/${account.merchant_id}/freeze`, { method, headers: { "Idempotency-Key": key.current }, ...options });
      key.current = newKey();
      setReason("");
      setUntil("");
      setState({ said });
      done();
    } catch (error) {
      // What may have been done is sent again under its key, so that it counts once.
      if (!error.unsure) key.current = newKey();
      setState({ error });
    }
  };
  const freezes = (event) => {
    event.preventDefault();
    send("PUT", { body: { reason: reason.trim(), until: until ? new Date(until).toISOString() : null } }, "Frozen.");
  };

  return html`<${Section} name="Freeze">
    <p>Switches the plugin off whatever the balance.</p>
    <form onSubmit=${freezes}>
      <label for="freeze-reason">Reason for it</label>
      <input id="freeze-reason" autocomplete="off" maxlength="500" value=${reason} onInput=${(event) => setReason(event.currentTarget.value)} />
      <label for="freeze-until">Until (optional)</label>
      <input id="freeze-until" type="datetime-local" value=${until} onInput=${(event) => setUntil(event.currentTarget.value)} />
      ${past && html`<p class="wrong" role="alert">The end must be in the future.</p>`}
      <button type="submit" disabled=${!reason.trim() || past || state.busy}>${freeze ? "Replace the freeze" : "Freeze the account"}</button>
      ${freeze && html` <button type="button" class="quiet" disabled=${state.busy} onClick=${() => send("DELETE", { parameters: { reason: reason.trim() } }, "Unfrozen.")}>Unfreeze</button>`}
    </form>
    <div aria-live="polite">${state.said && html`<p class="good">${state.said}</p>`}</div>
    <${Trouble} error=${state.error} />
  <//>`;
}
