// What an admin can change: an adjustment, once under its form's key, and the low-balance threshold.

import { html, useRef, useState } from "./preact.js";
import { ask } from "./api.js";
import { Id, Section, Trouble } from "./parts.js";
import { credits, newKey, number } from "./words.js";

const MOST = 1_000_000_000;

const UNANSWERED = "credits.adjustment.";

// What was sent and not answered outlives the page, reloaded or left: sent again under its key it counts once.
function unanswered(merchant) {
  try {
    return JSON.parse(sessionStorage.getItem(UNANSWERED + merchant));
  } catch {
    return null;
  }
}

function whole(text) {
  return /^[0-9]+$/.test(text.trim()) ? Number(text) : NaN;
}

function effect(account, direction, amount) {
  if (!(amount >= 1)) return { said: "Give whole credits, from 1.", possible: false };
  if (amount > MOST) return { said: `At most ${credits(MOST)} at once.`, possible: false };
  // What is added pays debt first.
  const paid = direction === "INCREASE" ? Math.min(amount, account.debt) : 0;
  const after = account.balance + (direction === "INCREASE" ? amount - paid : -amount);
  if (after < 0) {
    return { said: `The balance is ${number(account.balance)}: ${credits(amount)} cannot be taken from it.`, possible: false };
  }
  const { status, reason } = account.plugin_status;
  const on = after > 0 || reason === "grace";
  const plugin = ["closed", "frozen"].includes(reason) ? `The plugin stays off: the account is ${reason}.` : `The plugin ${on === (status === "enabled") ? "stays" : "goes"} ${on ? "on" : "off"}.`;
  const debt = paid ? ` ${credits(paid)} of it pay debt.` : "";
  const low = after > 0 && after <= account.threshold ? ` That is low: the threshold is ${number(account.threshold)}.` : "";
  return { said: `Balance ${number(account.balance)} → ${number(after)}.${debt} ${plugin}${low}`, possible: true };
}

// It can be undone once the page has the balance that it left.
function Outcome({ account, outcome, another, undo }) {
  const { repeated, record } = outcome;
  return html`<div class="done" role="status">
    <p><strong>${repeated ? "Already applied." : "Applied."}</strong>
      ${repeated ? " This form's adjustment had been recorded before; nothing was moved again." : ""}
      ${` ${record.amount > 0 ? "Added" : "Removed"} ${credits(record.credits_used)}: balance ${number(record.balance_before)} → ${number(record.balance_after)}.`}</p>
    <p>Transaction <${Id} of=${record.id} to="transaction" /></p>
    <button type="button" onClick=${another}>Another adjustment</button> ${account.updated_at >= record.created_at && html`<button type="button" class="quiet" onClick=${() => undo(record)}>Undo it</button>`}
  </div>`;
}

export function Adjust({ account, done }) {
  // The key belongs to the form, not to a try: whatever happens on the way, its adjustment is recorded once.
  const [before] = useState(() => unanswered(account.merchant_id));
  const key = useRef(before?.key ?? newKey());
  const [direction, setDirection] = useState(before?.direction ?? "INCREASE");
  const [amount, setAmount] = useState(before?.amount ?? "");
  const [reason, setReason] = useState(before?.reason ?? "");
  const [state, setState] = useState({
    busy: false,
    error: before && { title: "This adjustment was sent, but no answer came.", advice: "", unsure: true },
    outcome: null,
  });
  const preview = effect(account, direction, whole(amount));
  // One that may have been applied may be sent again, whatever the balance has become by it.
  const possible = (preview.possible || (state.error?.unsure && whole(amount) >= 1)) && reason.trim() !== "";

  const send = async (event) => {
    event.preventDefault();
    if (!possible || state.busy) return;
    setState((last) => ({ ...last, busy: true }));
    sessionStorage.setItem(UNANSWERED + account.merchant_id, JSON.stringify({ key: key.current, direction, amount, reason }));
    try {
      const answer = await ask("credits/admin/adjustments", {
        method: "POST",
        headers: { "Idempotency-Key": key.current },
        body: { merchant_id: account.merchant_id, operation_type: direction, credits: whole(amount), reason: reason.trim() },
      });
      sessionStorage.removeItem(UNANSWERED + account.merchant_id);
      setState({ busy: false, error: null, outcome: { repeated: answer.status === 200, record: answer.data } });
      done();
    } catch (error) {
      if (!error.unsure) sessionStorage.removeItem(UNANSWERED + account.merchant_id);
      setState({ busy: false, error, outcome: null });
    }
  };
  const another = () => {
    sessionStorage.removeItem(UNANSWERED + account.merchant_id);
    key.current = newKey();
    setAmount("");
    setReason("");
    setState({ busy: false, error: null, outcome: null });
  };

  // The opposite, filled in: its effect is shown first, as of any adjustment.
  const undo = (record) => {
    another();
    setDirection(record.amount > 0 ? "DECREASE" : "INCREASE");
    setAmount(String(Math.abs(record.amount)));
    setReason(`Undo of transaction ${record.id}`);
  };

  return html`<${Section} name="Adjust credits">
    ${state.outcome ? html`<${Outcome} account=${account} outcome=${state.outcome} another=${another} undo=${undo} />` : html`<form onSubmit=${send}>
      <fieldset><legend>Direction</legend>
        ${[["INCREASE", "Add"], ["DECREASE", "Remove"]].map(([value, name]) => html`<label class="choice" key=${value}>
          <input type="radio" name="direction" value=${value} checked=${direction === value} onChange=${() => setDirection(value)} /> ${name}</label>`)}
      </fieldset>
      <label for="amount">Credits</label>
      <input id="amount" inputmode="numeric" autocomplete="off" required value=${amount} aria-describedby="effect" onInput=${(event) => setAmount(event.currentTarget.value)} />
      <label for="reason">Reason</label>
      <input id="reason" autocomplete="off" maxlength="500" required value=${reason} placeholder="for whoever reads the ledger later" onInput=${(event) => setReason(event.currentTarget.value)} />
      <p id="effect" class="effect" data-test="effect" aria-live="polite">${amount ? preview.said : "Its effect is shown here first."}</p>
      <${Trouble} error=${state.error} also=${state.error?.unsure
        ? html`<p>It may have been applied. Send it again: under this form's key it counts once.</p>`
        : state.error?.code === "KEY_REUSED" && html`<p>This form was applied before with other content. <button type="button" class="quiet" onClick=${another}>Start a new one</button></p>`} />
      <button class="main" type="submit" disabled=${!possible || state.busy}>${state.busy ? "Sending…" : state.error?.unsure ? "Send again" : `${direction === "INCREASE" ? "Add" : "Remove"} ${whole(amount) >= 1 ? credits(whole(amount)) : "credits"}`}</button>
    </form>`}
  <//>`;
}

export function Threshold({ account, done }) {
  const own = account.low_balance_threshold;
  const [text, setText] = useState(own === null ? "" : String(own));
  const [state, setState] = useState({ busy: false, error: null, said: null });
  const value = text.trim() === "" ? null : whole(text);
  const wrong = value !== null && !(value >= 0 && value <= MOST);

  const set = async (event, wanted) => {
    event.preventDefault();
    if (wrong && wanted !== null) return;
    setState({ busy: true, error: null, said: null });
    try {
      const { data } = await ask(`credits/admin/accounts/${account.merchant_id}/low-balance-threshold`, {
        method: "PUT",
        body: { low_balance_threshold: wanted },
      });
      setState({ busy: false, error: null, said: `Low at ${number(data.threshold)} from now on.` });
      done();
    } catch (error) {
      setState({ busy: false, error, said: null });
    }
  };

  return html`<${Section} name="Low-balance threshold">
    <p>${own === null ? html`The default applies: low at ${number(account.threshold)}.` : html`A custom threshold: low at ${number(own)}.`}</p>
    <form class="inline" onSubmit=${(event) => set(event, value)}>
      <label for="threshold">Custom threshold</label>
      <input id="threshold" inputmode="numeric" autocomplete="off" value=${text} aria-invalid=${wrong ? "true" : undefined} placeholder=${number(account.threshold)} onInput=${(event) => setText(event.currentTarget.value)} />
      <button type="submit" disabled=${state.busy || wrong || value === null}>Set</button>
      ${own !== null && html`<button type="button" class="quiet" disabled=${state.busy} onClick=${(event) => set(event, null)}>Back to the default</button>`}
    </form>
    ${wrong && html`<p class="wrong" role="alert">Whole credits, from 0 to ${number(MOST)}.</p>`}
    <div aria-live="polite">${state.said && html`<p class="good">${state.said}</p>`}</div>
    <${Trouble} error=${state.error} />
  <//>`;
}
