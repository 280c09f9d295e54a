// Many adjustments at once: a file's plan, its rows applied one by one, taken back, and what waits for another admin.

import { html, useEffect, useRef, useState } from "./preact.js";
import { ask, who } from "./api.js";
import { Shop, useNames } from "./names.js";
import { Scroll, Section, Time, Title, Trouble, useLoad, Waiting } from "./parts.js";
import { counted, credits, number, signed, visible } from "./words.js";

const ADJUSTMENTS = "credits/admin/adjustments";
const UNFINISHED = "credits.batch";
const SHOWN = 50;
const BATCH = /^(batch-[0-9a-f]+)-\d+(-undo)?$/;
const STATES = { apply: "", applied: "applied", done: "done before", skipped: "never applied", refused: "refused", waiting: "waits for another admin" };
const TONES = { applied: "good", done: "muted", skipped: "muted", refused: "bad", waiting: "warn" };

// A run that broke off is offered again: each of its rows counts once.
function unfinished() {
  try {
    return JSON.parse(sessionStorage.getItem(UNFINISHED));
  } catch {
    return null;
  }
}

function kept(run) {
  try {
    sessionStorage.setItem(UNFINISHED, JSON.stringify(run));
  } catch {
    // Too large for the session: whoever runs the file again has it.
  }
}

const adjust = ({ merchant_id, adjustment_id, credits: change, reason, expires_at, expires_in_days }, batch_credits) =>
  ask(ADJUSTMENTS, {
    method: "POST",
    headers: { "Idempotency-Key": adjustment_id },
    body: { merchant_id, operation_type: change > 0 ? "INCREASE" : "DECREASE", credits: Math.abs(change), reason, batch_credits, ...(expires_at && { expires_at }), ...(expires_in_days && { expires_in_days }) },
  });

function Effect({ row }) {
  const said = row.why ?? (row.before === null ? "" : `${number(row.before)} → ${number(row.after)}${row.turns ? `, the plugin goes ${row.turns}` : ""}`);
  return html`${said} ${STATES[row.state] && html`<strong class=${TONES[row.state]}>${STATES[row.state]}</strong>`}`;
}

function Rows({ rows }) {
  const [all, setAll] = useState(false);
  const troubled = rows.filter((row) => row.state === "refused");
  const shown = all ? rows : [...troubled, ...rows.filter((row) => row.state !== "refused")].slice(0, SHOWN);
  const named = useNames(shown.map((row) => row.merchant_id));
  return html`<${Scroll} name="What each row does"><table class="batch"><caption class="sr">What each row does</caption>
      <thead><tr><th scope="col" class="num">Line</th><th scope="col">Merchant</th><th scope="col" class="num">Credits</th><th scope="col">Effect</th></tr></thead>
      <tbody>${shown.map((row) => html`<tr key=${row.adjustment_id} data-test="row"><td class="num">${number(row.line)}</td>
        <td><${Shop} id=${row.merchant_id} named=${named} /></td>
        <td class="num">${signed(row.credits)}</td><td><${Effect} row=${row} /></td></tr>`)}</tbody></table><//>
    ${rows.length > shown.length && html`<p><button type="button" onClick=${() => setAll(true)}>Show all ${number(rows.length)} rows</button></p>`}`;
}

function Summary({ plan }) {
  const count = (state) => plan.rows.filter((row) => row.state === state).length;
  const turned = (way) => plan.rows.filter((row) => row.turns === way && row.state === "apply").length;
  const parts = [
    counted(plan.rows.length + plan.bad.length, "row"), `${credits(plan.batch_credits)} moved in all`,
    count("apply") && `${number(count("apply"))} to apply`, count("done") && `${number(count("done"))} done before`, count("skipped") && `${number(count("skipped"))} never applied`,
    count("refused") && `${number(count("refused"))} refused`, plan.bad.length && `${number(plan.bad.length)} bad`,
    turned("off") && `${counted(turned("off"), "plugin")} to go off`, turned("on") && `${counted(turned("on"), "plugin")} to go on`,
  ];
  return html`<p data-test="summary">${plan.undo ? "Taking back " : ""}<code>${plan.batch}</code>: ${parts.filter(Boolean).join(", ")}.</p>`;
}

const ended = (rows) => Object.entries(STATES).filter(([state]) => state !== "apply")
  .map(([state, said]) => [rows.filter((row) => row.state === state).length, said])
  .filter(([count]) => count).map(([count, said]) => `${number(count)} ${said}`).join(", ");

function Plan({ plan, update, undo, text, changed }) {
  const [partial, setPartial] = useState(false);
  const [run, setRun] = useState(null);
  const running = useRef(true);
  useEffect(() => () => { running.current = false; }, []);
  const todo = plan.rows.filter((row) => row.state === "apply");
  const wrong = plan.bad.length + plan.rows.filter((row) => row.state === "refused").length;
  const held = wrong > 0 && !partial;

  const apply = async () => {
    kept({ text, undo: plan.undo, partial });
    let at = 0;
    for (const row of todo) {
      if (!running.current) return;
      setRun({ at, of: todo.length });
      try {
        const { status, data } = await adjust(row, plan.batch_credits);
        Object.assign(row, { state: status === 200 ? "done" : "applied", before: data.balance_before, after: data.balance_after, why: null });
      } catch (error) {
        if (error.unsure || error.status === 401 || !error.status) {
          setRun({ at, of: todo.length, error });
          return;
        }
        Object.assign(row, { state: error.code === "CONFIRMATION_NEEDED" ? "waiting" : "refused", why: error.code === "CONFIRMATION_NEEDED" ? null : error.title });
      }
      at += 1;
    }
    sessionStorage.removeItem(UNFINISHED);
    setRun({ at, of: todo.length, done: true });
    update({ ...plan });
    changed();
  };

  const busy = run && !run.done && !run.error;
  return html`<${Section} name="Preview" title=${run?.done ? "Result" : "Preview"} first>
    <${Summary} plan=${plan} />
    ${plan.needs_confirming && !run?.done && todo.length > 0 && html`<p class="said">That is more than one admin may move alone: the rows wait until another admin confirms them.</p>`}
    ${plan.bad.length > 0 && html`<ul data-test="bad">${plan.bad.slice(0, SHOWN).map((bad) => html`<li class="bad" key=${bad.line}>Line ${number(bad.line)}, ${bad.column}: ${visible(bad.why)}</li>`)}</ul>`}
    <${Rows} rows=${plan.rows} />
    ${wrong > 0 && todo.length > 0 && !run && html`<label class="choice"><input type="checkbox" checked=${partial} onChange=${() => setPartial(!partial)} /> Apply the other rows anyway</label>`}
    <div role="status" data-test="progress">${busy && html`<label class="small" for="progress">${number(run.at)} of ${counted(run.of, "row")}</label> <progress id="progress" max=${run.of} value=${run.at}></progress>`}
      ${run?.done && html`<p class="done">${ended(plan.rows)}.</p>`}
      ${held && todo.length > 0 && html`<p class="muted">Nothing is applied while a row is bad or refused.</p>`}</div>
    <${Trouble} error=${run?.error} also=${html`<p>It stopped after ${number(run?.at ?? 0)} of ${number(run?.of ?? 0)} rows. Continue: each row counts once.</p>`} />
    ${!run?.done && todo.length > 0 && html`<button type="button" class="main" disabled=${busy || held} onClick=${apply}>${busy ? "Applying…" : run?.error ? "Continue" : `${plan.undo ? "Take back" : "Apply"} ${counted(todo.length, "row")}`}</button>`}
    ${!plan.undo && !busy && plan.rows.some((row) => row.state === "done" || row.state === "applied") && html` <button type="button" onClick=${undo}>Undo this batch…</button>`}
  <//>`;
}

const grouped = (rows) => {
  const groups = new Map();
  for (const row of rows) {
    const [, batch, back] = BATCH.exec(row.adjustment_id) ?? [null, row.adjustment_id];
    const key = `${batch}${back ?? ""} ${row.asked_by}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups];
};

function Waiters({ turn }) {
  const { data, error, loading, reload } = useLoad(() => ask(`${ADJUSTMENTS}/waiting`), [turn]);
  const [state, setState] = useState({ busy: null, error: null });
  const groups = grouped(data?.data.waiting ?? []);
  const named = useNames(groups.map(([, [row]]) => row.merchant_id));
  const each = async (key, rows, deed) => {
    setState({ busy: key, error: null });
    let failed = null;
    for (const row of rows) {
      try {
        await deed(row);
      } catch (refused) {
        failed ??= refused;
        if (refused.unsure || refused.status === 401) break;
      }
    }
    setState({ busy: null, error: failed });
    reload();
  };
  const confirm = (row) => adjust({ ...row, credits: row.operation_type === "INCREASE" ? row.credits : -row.credits }, row.batch_credits);
  const withdraw = (row) => ask(`${ADJUSTMENTS}/waiting/${row.transaction_id}`, { method: "DELETE" });
  return html`<${Section} name="Waiting for another admin" first>
    <${Trouble} error=${error} retry=${reload} />
    <${Trouble} error=${state.error} also=${html`<p>It still waits.</p>`} />
    ${loading && !data && html`<${Waiting} what="Reading what waits…" />`}
    ${data && !groups.length && html`<p class="muted">Nothing waits.</p>`}
    <ul class="waiters">${groups.map(([key, rows]) => html`<li key=${key} data-test="waiter">
      <p><strong>${visible(rows[0].asked_by)}</strong> asked <${Time} at=${rows[0].asked_at} relative /> for ${rows.length === 1
        ? html`${signed(rows[0].operation_type === "INCREASE" ? rows[0].credits : -rows[0].credits)} credits of <${Shop} id=${rows[0].merchant_id} named=${named} />: ${visible(rows[0].reason)}`
        : html`${number(rows.length)} rows of <code>${key.split(" ")[0]}</code>, ${credits(rows.reduce((sum, row) => sum + row.credits, 0))} in all: ${visible(rows[0].reason)}…`}</p>
      ${rows[0].asked_by === who()?.name ? html`<p class="small muted">Another admin than you has to confirm it.</p>`
        : html`<button type="button" class="main" disabled=${state.busy} onClick=${() => each(key, rows, confirm)}>${state.busy === key ? "Confirming…" : "Confirm"}</button> `}
      <button type="button" disabled=${state.busy} onClick=${() => each(key, rows, withdraw)}>Withdraw</button></li>`)}</ul>
    ${data?.data.more && html`<p class="small muted">More is waiting than is listed.</p>`}
  <//>`;
}

export function Many() {
  const [before] = useState(unfinished);
  const [text, setText] = useState(before?.text ?? "");
  const [plan, setPlan] = useState(null);
  const [state, setState] = useState({ busy: false, error: null });
  const [turn, setTurn] = useState(0);
  const preview = async (undo) => {
    setState({ busy: true, error: null });
    setPlan(null);
    try {
      const { data } = await ask(`${ADJUSTMENTS}/preview`, { method: "POST", body: { csv: text, undo } });
      setPlan({ ...data, undo, key: `${data.batch}${undo}${Date.now()}` });
      setState({ busy: false, error: null });
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  const choose = async (event) => {
    const [file] = event.currentTarget.files;
    if (!file) return;
    setPlan(null);
    setText(await file.text());
  };
  return html`<${Title} name="Many at once">Many adjustments at once<//>
    <${Section} name="The file" first>
      ${before && !plan && html`<p class="said" role="status">A run of this file was interrupted. Preview it again and continue: each row counts once.</p>`}
      <form onSubmit=${(event) => { event.preventDefault(); preview(false); }}>
        <label for="file">Choose a CSV</label>
        <input id="file" type="file" accept=".csv,text/csv" onChange=${choose} />
        <label for="csv">or paste it</label>
        <textarea id="csv" rows="6" spellcheck=${false} aria-describedby="csv-help" value=${text} onInput=${(event) => { setText(event.currentTarget.value); setPlan(null); }}></textarea>
        <p class="small muted" id="csv-help">A header line <code>merchant_id,credits,reason</code>, then up to 2,000 rows; credits are signed. Do not change a file that was applied in part: other content is another batch.</p>
        <${Trouble} error=${state.error} />
        <button class="main" type="submit" disabled=${state.busy || !text.trim()}>${state.busy ? "Looking…" : "Preview"}</button>${" "}
        <button type="button" disabled=${state.busy || !text.trim()} onClick=${() => preview(true)}>Preview its undo</button>
      </form>
    <//>
    ${plan && html`<${Plan} key=${plan.key} plan=${plan} update=${setPlan} undo=${() => preview(true)} text=${text} changed=${() => setTurn((last) => last + 1)} />`}
    <${Waiters} turn=${turn} />`;
}
