// Parts that several views are made of.

import { html, useCallback, useEffect, useRef, useState } from "./preact.js";
import { ago, short, shortTime, time } from "./words.js";

// Loads when `keys` change; `data` of before stays while it is loaded again.
export function useLoad(load, keys) {
  const [state, setState] = useState({ data: null, error: null, loading: true });
  const turn = useRef(0);
  const run = useCallback(() => {
    const mine = (turn.current += 1);
    setState((before) => ({ ...before, loading: true }));
    return load().then(
      (data) => mine === turn.current && setState({ data, error: null, loading: false }),
      (error) => mine === turn.current && setState((before) => ({ ...before, error, loading: false })),
    );
  }, keys);
  useEffect(() => {
    setState({ data: null, error: null, loading: true });
    run();
    return () => { turn.current += 1; };
  }, [run]);
  return { ...state, reload: run };
}

// Loads the first page of a list when `keys` change, and `more` of it page by page.
export function usePages(read, keys) {
  const [older, setOlder] = useState({ rows: [] });
  const first = useLoad(() => {
    setOlder({ rows: [] });
    return read(null);
  }, keys);
  const cursor = older.cursor === undefined ? first.data?.pagination.next_cursor : older.cursor;
  const more = async () => {
    if (older.busy || !cursor) return;
    const mine = { ...older, busy: true, error: null };
    setOlder(mine);
    // Where the list was loaded anew meanwhile, this is no page of it.
    const then = (state) => setOlder((now) => (now === mine ? state : now));
    await read(cursor).then(
      ({ data, pagination }) => then({ rows: [...mine.rows, ...data], cursor: pagination.next_cursor }),
      (error) => then({ ...mine, busy: false, error }),
    );
  };
  return { ...first, rows: [...(first.data?.data ?? []), ...older.rows], older, more, left: Boolean(cursor) };
}

// What there is to say of a list besides its rows: that it is read, that it could not be, that it is empty, and that there is more.
export function Pages({ of: { data, error, loading, reload, rows, older, more, left }, none, button }) {
  return html`<${Trouble} error=${error} retry=${reload} />
    ${loading && !data && html`<${Waiting} what="Reading the list…" />`}
    ${data && !rows.length && !left && html`<p class="muted" role="status">${none}</p>`}
    <${Trouble} error=${older.error} retry=${more} />
    ${left && !older.error && (button ?? html`<button type="button" disabled=${older.busy} onClick=${more}>${older.busy ? "Reading…" : "More"}</button>`)}`;
}

// Calls `tick` every so many seconds while the page is looked at, and never before the last one has ended: where the
// API is slow, what people ask for comes first.
export function useEvery(seconds, tick) {
  const latest = useRef(tick);
  latest.current = tick;
  useEffect(() => {
    let busy = false;
    const timer = setInterval(() => {
      if (busy || document.visibilityState !== "visible") return;
      busy = true;
      Promise.resolve(latest.current()).finally(() => { busy = false; });
    }, seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
}

export function Trouble({ error, retry, also }) {
  if (!error) return null;
  return html`<div class="trouble" role="alert">
    <p><strong>${error.title ?? "Something failed in this page."}</strong> ${error.advice ?? String(error)}</p>
    ${error.requestId && html`<p class="small">Request id <code>${error.requestId}</code></p>`}
    ${also}
    ${retry && html`<button type="button" onClick=${retry}>Try again</button>`}
  </div>`;
}

export function Waiting({ what }) {
  return html`<p class="waiting" role="status">${what}</p>`;
}

export function Time({ at, relative = false, brief = false }) {
  if (!at) return null;
  const said = relative ? ago(at) : brief ? shortTime(at) : time(at);
  return html`<time datetime=${at} title="${time(at)} (${at})">${said}</time>`;
}

export function Id({ of, to, whole = false }) {
  if (!of) return html`<span class="muted">none</span>`;
  const shown = html`<code title=${of}>${whole ? of : short(of)}</code>`;
  return to ? html`<a href="#/${to}/${of}">${shown}</a>` : shown;
}

// An event's name, which a narrow screen breaks after a dot and nowhere else.
export const EventName = ({ of, title }) => html`<code class="name" title=${title}>${of.split(/(?<=\.)/).flatMap((part) => [part, html`<wbr />`])}</code>`;

// A word of the trade, linked to what it means.
export const Term = ({ of, children }) => html`<a class="term" href="#/concepts/${of}">${children}</a>`;

// Puts a text on the clipboard, and says that it did.
export function Copy({ text, what }) {
  const [done, setDone] = useState(false);
  if (!navigator.clipboard) return null;
  const copy = () => navigator.clipboard.writeText(text).then(() => { setDone(true); setTimeout(() => setDone(false), 2000); }, () => {});
  return html`<button type="button" class="quiet small copy" aria-label="Copy ${what}" onClick=${copy}>${done ? "Copied" : "Copy"}</button>`;
}

// What is wider than a phone scrolls in a place of its own, with a shadow where it goes on.
export const Scroll = ({ name, kind = "", children }) => html`<div class="scroll ${kind}" tabindex="0" role="region" aria-label=${name}>${children}</div>`;

export function Badge({ tone, children }) {
  return html`<span class="badge ${tone}">${children}</span>`;
}

// Whether the focus is in a field: taken from there, what somebody types would be lost.
export const typing = () => document.activeElement?.matches("input, select, textarea") ?? false;

// A heading that takes the focus once, when a view opens, so that keyboard and screen reader start at the view; or the
// field that the view is there for. Never from somebody who types.
export function Title({ children, name, field }) {
  const place = useRef(null);
  useEffect(() => { document.title = `${name} · Credits`; }, [name]);
  useEffect(() => { if (!typing()) (document.getElementById(field) ?? place.current)?.focus({ preventScroll: true }); }, []);
  return html`<h1 tabindex="-1" ref=${place}>${children}</h1>`;
}

let ids = 0;
const newId = () => `section-${(ids += 1)}`;

// A part of a view under its own heading, which folds. On a phone those that are not `first` start folded.
export function Section({ name, title = name, first = false, kind = "card", children }) {
  const [id] = useState(newId);
  const [open] = useState(() => first || !matchMedia("(max-width: 36rem)").matches);
  return html`<section class=${kind} aria-labelledby=${id}><details class="fold" open=${open}>
    <summary><h2 id=${id}>${title}</h2></summary>${children}</details></section>`;
}
