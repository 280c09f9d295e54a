// What is to come of an account: credits that lapse, and levels as a number of credits.

import { html } from "./preact.js";
import { Scroll, Time } from "./parts.js";
import { number } from "./words.js";

// Returns the credits that lapse, the first to do so first; `left` is what is left of the balance then, if no orders come.
export function lapses(account) {
  let left = account.balance;
  return account.lots.map(({ expires_at, credits }) => ({ at: expires_at, moment: new Date(expires_at) / 1000, credits, left: (left -= credits) }));
}

// Returns the lots after each transaction, as instants and credits, the first to lapse first: from those of now, backwards
// through what each transaction put into lots or took from them, and which it merged.
export function past(records, account) {
  const left = Object.fromEntries(account.lots.map((lot) => [lot.expires_at, lot.credits]));
  const add = (at, credits) => { left[at] = (left[at] ?? 0) + credits; };
  return [...records].reverse().map(({ amount, drawn, extra_metadata: { merged } }) => {
    const found = Object.entries(left).filter(([, credits]) => credits > 0).sort();
    for (const merge of merged?.split(", ").reverse() ?? []) {
      const [from, into, credits] = merge.split(" ");
      add(into, -credits);
      add(from, +credits);
    }
    for (const [at, credits] of drawn) add(at, amount < 0 ? credits : -credits);
    return found;
  }).reverse();
}

// Returns the levels, each with the `credits` at which it is reached, null where that is not known.
export function levels(account) {
  const { percent_of: full, levels: found } = account.levels ?? { levels: [] };
  const each = { credits: 1, percent: full === null ? null : full / 100, days: account.runway?.per_day ?? null };
  return found.map((level) => ({ ...level, credits: each[level.unit] === null ? null : Math.floor(level.at * each[level.unit]) }));
}

// The same in words, for whoever cannot see the chart.
export function Ahead({ account }) {
  const [lots, lines] = [lapses(account), levels(account)];
  return html`${lots.length > 0 && html`<${Scroll} name="Lapses to come"><table data-test="lapses"><caption>Lapses to come</caption>
      <thead><tr><th scope="col">When</th><th scope="col" class="num">Credits</th><th scope="col" class="num">Left, if no orders come</th></tr></thead>
      <tbody>${lots.map((lot) => html`<tr key=${lot.at}><td><${Time} at=${lot.at} /> <span class="muted">(<${Time} at=${lot.at} relative />)</span></td><td class="num">${number(lot.credits)}</td><td class="num">${number(lot.left)}</td></tr>`)}</tbody></table><//>`}
    ${lines.length > 0 && html`<${Scroll} name="Levels"><table data-test="level-lines"><caption>Levels</caption>
      <thead><tr><th scope="col">Level</th><th scope="col" class="num">At</th><th scope="col" class="num">In credits now</th><th scope="col">State</th></tr></thead>
      <tbody>${lines.map((line) => html`<tr key=${line.name}><td>${line.name}</td><td class="num">${number(line.at)} ${line.unit}</td><td class="num">${line.credits === null ? "not known yet" : number(line.credits)}</td><td>${line.below ? "below" : "above"}</td></tr>`)}</tbody></table><//>`}`;
}
