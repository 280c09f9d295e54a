// What is parked, why, and its retry.

import { html, useState } from "./preact.js";
import { ask } from "./api.js";
import { Shop, shopName, useNames } from "./names.js";
import { Badge, EventName, Pages, Term, Time, Title, Trouble, useLoad, usePages } from "./parts.js";
import { indented, number, visible } from "./words.js";

// In the address where any code will do, before the merchant.
const ANY = "-";
const MERCHANTS_MOST = 10;
const PAGE = 100;
const PARKINGS = { inbox: "inbound event", outbox: "outbound event", stream: "stream record" };

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

function Letter({ letter, chosen, choose, gone, named }) {
  const [state, setState] = useState({ busy: false, error: null });
  const retry = async () => {
    setState({ busy: true, error: null });
    try {
      await retried(letter.id);
      gone(letter.id, "retried");
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<li class="card letter" data-test="letter">
    <h2>${!gone.of(letter.id) && html`<input type="checkbox" aria-label="Choose the dead letter ${letter.id}" checked=${chosen} onChange=${() => choose(letter.id)} /> `}<${Badge} tone="bad">${visible(letter.code).replaceAll("_", " ")}<//> ${letter.event_type ? html`<${EventName} of=${letter.event_type} />` : "no readable event"}</h2>
    <p class="reason">${visible(letter.reason) || "No reason was given."}</p>
    <dl class="facts">
      ${letter.merchant_id && html`<div><dt>Merchant</dt><dd><${Shop} id=${letter.merchant_id} named=${named} /></dd></div>`}
      ${letter.field && html`<div><dt>Field</dt><dd><code>${visible(letter.field)}</code></dd></div>`}
      <div><dt>Came from</dt><dd>${visible(letter.origin ?? "unknown")} (${PARKINGS[letter.parking] ?? letter.parking})</dd></div>
      ${letter.first_seen && html`<div><dt>First seen</dt><dd><${Time} at=${letter.first_seen} /></dd></div>`}
      <div><dt>Parked</dt><dd><${Time} at=${letter.parked_at} relative /></dd></div>
      ${letter.redriven > 0 && html`<div><dt>Retried</dt><dd>${letter.redriven === 1 ? "once before" : `${number(letter.redriven)} times before`}</dd></div>`}
    </dl>
    <${Message} letter=${letter} />
    <${Trouble} error=${state.error} also=${state.error?.status === 404 && html`<p>Somebody has already retried or discarded it, or is looking at it at this moment.</p>`} />
    <div role="status">${gone.of(letter.id) === "retried" && html`<p class="good"><strong>Retried.</strong> It is processed again now; if it fails again, it comes back here.</p>`}${gone.of(letter.id) === "discarded" && html`<p class="good"><strong>Discarded.</strong> Its content, the reason and who did it are kept.</p>`}</div>
    ${!gone.of(letter.id) && (letter.redrivable
      ? html`<button type="button" onClick=${retry} disabled=${state.busy}>${state.busy ? "Retrying…" : "Retry"}</button>`
      : letter.origin === "bridge" ? html`<p class="small muted">NATS keeps its body, which no queue can hold: have it published again, or raise <code>BRIDGE_MESSAGE_BYTES</code> and replay it.</p>`
      : html`<p class="small muted">It cannot be retried. If it points to records of a stream, <code>credits republish --letter</code> publishes them again.</p>`)}
  </li>`;
}

const at = (id) => `credits/admin/dead-letters/${encodeURIComponent(id)}`;
const retried = (id) => ask(`${at(id)}/redrive`, { method: "POST" });
const discarded = (id, reason) => ask(`${at(id)}/discard`, { method: "POST", body: { reason } });

// What is done to all that are chosen, one after another; who meets a refusal stays chosen.
function Many({ letters, chosen, set, gone }) {
  const [reason, setReason] = useState("");
  const [state, setState] = useState({ busy: false, errors: [] });
  const all = letters.filter((letter) => !gone.of(letter.id));
  const run = async (name, deed) => {
    setState({ busy: true, errors: [] });
    const errors = [];
    for (const id of chosen) {
      try {
        await deed(id);
        gone(id, name);
        set((before) => before.filter((one) => one !== id));
      } catch (error) {
        errors.push(error);
      }
    }
    setState({ busy: false, errors });
  };
  return html`<form class="card" aria-label="The chosen dead letters" onSubmit=${(event) => event.preventDefault()}>
    <p><button type="button" onClick=${() => set(chosen.length ? [] : all.map((letter) => letter.id))}>${chosen.length ? "Choose none" : `Choose all ${number(all.length)}`}</button> <span role="status">${number(chosen.length)} chosen</span></p>
    <p><button type="button" disabled=${!chosen.length || state.busy} onClick=${() => run("retried", retried)}>Retry the chosen</button></p>
    <label for="why">Reason to discard them</label>
    <div class="inline many"><input id="why" value=${reason} maxlength="500" autocomplete="off" onInput=${(event) => setReason(event.currentTarget.value)} />
      <button type="button" disabled=${!chosen.length || state.busy || !reason.trim()} onClick=${() => run("discarded", (id) => discarded(id, reason.trim()))}>Discard the chosen</button></div>
    ${state.errors.length > 0 && html`<${Trouble} error=${state.errors[0]} also=${html`<p>${number(state.errors.length)} of them stay parked.</p>`} />`}
  </form>`;
}

// Asked for behind the list: two that look at the same moment share the letters between them.
function Groups({ code, merchant }) {
  const { data } = useLoad(() => ask("credits/admin/dead-letters/groups"), []);
  const groups = data?.data ?? [];
  const ids = numbered(groups, "merchant_id").map(([id]) => id).slice(0, MERCHANTS_MOST);
  const named = useNames(ids);
  if (!groups.length) return null;
  const codes = numbered(groups.filter((group) => !merchant || group.merchant_id === merchant), "code");
  const merchants = numbered(groups.filter((group) => !code || group.code === code), "merchant_id");
  return html`<${Links} name="Code" rows=${codes} chosen=${code} to=${(one) => address(one, merchant)}>${(one) => visible(one).replaceAll("_", " ")}<//>
    <${Links} name="Merchant" rows=${merchants.slice(0, MERCHANTS_MOST)} more=${merchants.length - MERCHANTS_MOST} chosen=${merchant} to=${(one) => address(code, one)}>${(one) => shopName(one, named)}<//>
    ${data.pagination.has_next && html`<p class="small muted">Counted in the ${number(groups.length)} largest groups.</p>`}`;
}

function Links({ name, rows, more, chosen, to, children: shown }) {
  if (!rows.length && !chosen) return null;
  return html`<nav class="recent" aria-label="Dead letters by ${name.toLowerCase()}"><span class="muted">${name}:</span><a href=${to("")} aria-current=${chosen ? undefined : "page"}>All</a>${rows.map(([one, count]) => html`<a key=${one} href=${to(one)} aria-current=${one === chosen ? "page" : undefined}>${shown(one)} (${number(count)})</a>`)}${more > 0 && html`<span class="muted">and ${number(more)} more</span>`}</nav>`;
}

// How many letters the groups have under each code or merchant, the most first.
function numbered(groups, by) {
  const counts = {};
  for (const group of groups) if (group[by]) counts[group[by]] = (counts[group[by]] ?? 0) + group.letters;
  return Object.entries(counts).sort(([, one], [, other]) => other - one);
}

const address = (code, merchant) => ["#/dead-letters", ...(code || merchant ? [encodeURIComponent(code || ANY)] : []), ...(merchant ? [merchant] : [])].join("/");

export function Letters({ code: asked, merchant }) {
  const code = asked === ANY ? "" : asked;
  const pages = usePages((cursor) => ask("credits/admin/dead-letters", { parameters: { limit: PAGE, code, merchant_id: merchant, cursor } }), [code, merchant]);
  const { data, loading, reload, rows: all, left } = pages;
  const [chosen, setChosen] = useState([]);
  const [ends, setEnds] = useState({});
  const [within, setWithin] = useState("");
  const named = useNames(all.map((letter) => letter.merchant_id));
  const sought = within.trim().toLowerCase();
  const letters = all.filter((letter) => [letter.id, letter.reason, letter.body].some((text) => text.toLowerCase().includes(sought)));
  const unseen = data ? data.pagination.total - all.length : 0;
  const gone = Object.assign((id, how) => setEnds((before) => ({ ...before, [id]: how })), { of: (id) => ends[id] });
  const choose = (id) => setChosen((before) => (before.includes(id) ? before.filter((one) => one !== id) : [...before, id]));
  return html`<${Title} name="Dead letters">Dead letters<//>
    <p class="muted"><${Term} of="dead-letter">Dead letters<//> are messages that could not be applied. They moved no credits; other messages were applied. Retrying one is always safe: a fact moves credits once.</p>
    <p><button type="button" onClick=${() => { setChosen([]); reload(); }} disabled=${loading}>${loading ? "Looking…" : "Refresh"}</button></p>
    ${all.length > 0 && html`<form class="filters" role="search" aria-label="Find a dead letter" onSubmit=${(event) => event.preventDefault()}>
      <div class="grow"><label for="within">An order's number, or other text of the message</label><input id="within" value=${within} autocomplete="off" spellcheck=${false} placeholder="1042" onInput=${(event) => { setWithin(event.currentTarget.value); setChosen([]); }} /></div></form>`}
    ${data && html`<${Groups} code=${code} merchant=${merchant} />`}
    ${all.length > 0 && html`<p class="muted" role="status">${unseen > 0 ? `The ${number(all.length)} newest of about ${number(data.pagination.total)}` : `${data.pagination.complete ? "All " : ""}${number(all.length)}`} are here${sought && `, ${number(letters.length)} with this text`}.${data.pagination.complete ? "" : " Newer ones may be missing: somebody else looks at them now, or there are too many for one look. Refresh."}</p>`}
    ${letters.length > 0 && html`<${Many} letters=${letters} chosen=${chosen} set=${setChosen} gone=${gone} />`}
    <ul class="letters">${letters.map((letter) => html`<${Letter} key=${letter.id} letter=${letter} chosen=${chosen.includes(letter.id)} choose=${choose} gone=${gone} named=${named} />`)}</ul>
    <${Pages} of=${pages} none=${data && !data.pagination.complete ? `Not all could be looked at${unseen > 0 ? `: about ${number(unseen)} are parked` : ""}. Refresh.` : `Nothing is parked${code ? " with this code" : ""}${merchant ? " of this merchant" : ""}.`} />`;
}
