// One record with everything that is kept of it, and its chain check.

import { html, useEffect, useState } from "./preact.js";
import { ask } from "./api.js";
import { adds, canCheck, canonical, follows, GENESIS, hashOf } from "./chain.js";
import { useNames } from "./names.js";
import { Id, Section, Time, Title, Trouble, useLoad, Waiting } from "./parts.js";
import { called, credits, number, signed } from "./words.js";

const TRIES = 4;

// The list is newest first, so a sequence stands on the page that the length gives; the ledger may grow meanwhile.
async function recordAt(merchant, sequence) {
  let page = 1;
  for (let turn = 0; turn < TRIES; turn += 1) {
    const { data } = await ask("credits/transactions", { parameters: { merchant_id: merchant, limit: 1, page } });
    if (!data.length || data[0].sequence === sequence) return data[0] ?? null;
    if (page === 1 && data[0].sequence < sequence) return null;
    page += data[0].sequence - sequence;
  }
  return null;
}

async function checked(record) {
  const [previous, next, hash] = await Promise.all([
    record.sequence > 1 ? recordAt(record.merchant_id, record.sequence - 1) : null,
    recordAt(record.merchant_id, record.sequence + 1),
    hashOf(record),
  ]);
  const first = record.sequence === 1;
  return [
    [hash === record.hash, "Its content matches its hash", `SHA-256, computed in this browser: ${hash}`],
    [adds(record), "Its balances add up", `${number(record.balance_before)} ${record.amount < 0 ? "−" : "+"} ${number(Math.abs(record.amount))} = ${number(record.balance_after)}`],
    [first || previous ? follows(record, previous) : null, first ? "It is the first of its chain" : `It follows transaction ${number(record.sequence - 1)}`,
      first ? `Its previous hash is ${GENESIS.slice(0, 8)}…, 64 zeros.` : previous ? `Its previous hash and balance are those of that transaction.` : "That transaction could not be read."],
    [next ? follows(next, record) : null, next ? `Transaction ${number(next.sequence)} follows it` : "It is the newest transaction", next ? "That one holds this hash as its previous hash." : "No transaction follows it yet."],
  ];
}

function Check({ record }) {
  const [state, setState] = useState({ steps: null, error: null });
  const run = () => checked(record).then((steps) => setState({ steps, error: null }), (error) => setState({ steps: null, error }));
  useEffect(() => { if (canCheck()) run(); }, [record.id]);
  const holds = state.steps?.every(([right]) => right !== false);
  return html`<${Section} name="Chain check" first>
    ${!canCheck() && html`<p class="muted">This page is not on a secure address, so the browser cannot compute hashes.</p>`}
    <${Trouble} error=${state.error} retry=${run} />
    <div role="status" data-test="check">${state.steps ? html`<p><strong class=${holds ? "good" : "bad"}>${holds ? "This transaction is unchanged and in its place." : "This transaction or its place is wrong. Tell the engineers."}</strong></p>
      <ul class="steps">${state.steps.map(([right, said, how]) => html`<li key=${said} class=${right === false ? "bad" : right ? "good" : "muted"}>
        <span aria-hidden="true">${right === false ? "✗" : right ? "✓" : "·"}</span> <span class="sr">${right === false ? "Fails:" : right ? "Holds:" : ""}</span> ${said}<span class="small muted">${how}</span></li>`)}</ul>`
      : canCheck() && !state.error && html`<p class="waiting">Checking…</p>`}</div>
    <details><summary>What is hashed</summary><p class="small muted">The previous hash, a newline, and:</p><pre tabindex="0">${canonical(record)}</pre></details>
  <//>`;
}

function Facts({ record, shop }) {
  const rows = [
    ["Merchant", html`${shop ? `${shop} ` : ""}<${Id} of=${record.merchant_id} to="merchant" whole />`],
    ["Recorded", html`<${Time} at=${record.created_at} />`],
    ["Happened", record.occurred_at && html`<${Time} at=${record.occurred_at} />`],
    ["Number", number(record.sequence)],
    ["Requested", credits(record.requested)],
    ["Uncovered", record.shortfall ? credits(record.shortfall) : null],
    ["Low at", number(record.threshold)],
    ["Reference", html`<code>${record.reference_id}</code>`],
    ...Object.entries(record.extra_metadata).map(([name, value]) => [name.replaceAll("_", " "), String(value)]),
    ["Idempotency key", html`<code>${record.idempotency_key}</code>`],
    ["Correlation id", record.correlation_id && html`<code>${record.correlation_id}</code>`],
    ["Updated", record.updated_at !== record.created_at && html`<${Time} at=${record.updated_at} /> by a refund, a reversal or an edit`],
    ["Hash", html`<code>${record.hash}</code>`],
    ["Previous hash", html`<code>${record.previous_hash}</code>`],
  ].filter(([, value]) => value);
  return html`<${Section} name="The transaction" first>
    <dl class="facts">${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl><//>`;
}

export function Transaction({ id, admin }) {
  const { data, error, reload } = useLoad(() => ask(`credits/transactions/${id}`), [id]);
  const record = data?.data;
  const shop = useNames(admin && record ? [record.merchant_id] : [])(record?.merchant_id);
  const name = record ? called(record) : "Transaction";
  return html`<${Title} name="${name} ${id.slice(0, 8)}">${name} ${record && record.transaction_type !== "TRIAL" ? html`<code>${record.reference_id}</code>` : ""}<//>
    <${Trouble} error=${error} retry=${reload} />
    ${!record && !error && html`<${Waiting} what="Reading the transaction…" />`}
    ${record && html`<p class="lead"><strong class=${record.amount > 0 ? "good" : ""}>${signed(record.amount)}</strong> ${Math.abs(record.amount) === 1 ? "credit" : "credits"}: balance ${number(record.balance_before)} → ${number(record.balance_after)}, <${Time} at=${record.created_at} relative />.${" "}<a href="#/merchant/${record.merchant_id}">To ${shop ?? "the merchant"}</a></p>
      <div class="columns"><${Facts} record=${record} shop=${shop} /><${Check} key=${record.id} record=${record} /></div>`}`;
}
