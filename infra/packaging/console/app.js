// The shell: who is signed in, which view the address names, and the search.

import { html, render, useEffect, useState } from "./preact.js";
import { ask, onSession, signIn, signOut, who, whyEnded } from "./api.js";
import { Concepts } from "./concepts.js";
import { Letters } from "./letters.js";
import { Many } from "./many.js";
import { Merchant } from "./merchant.js";
import { Merchants } from "./merchants.js";
import { Accounts, Overview } from "./overview.js";
import { Actions } from "./actions.js";
import { Title, Trouble, typing } from "./parts.js";
import { Transaction } from "./transaction.js";
import { uuid } from "./words.js";

function useAddress() {
  const [address, setAddress] = useState(location.hash);
  useEffect(() => {
    const moved = () => {
      setAddress(location.hash);
      scrollTo(0, 0);
    };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return address.replace(/^#\/?/, "").split("/").filter(Boolean);
}

function useSession() {
  const [, setTurn] = useState(0);
  useEffect(() => onSession(() => setTurn((turn) => turn + 1)), []);
  return who();
}

function SignIn() {
  const [wrong, setWrong] = useState(null);
  const send = (event) => {
    event.preventDefault();
    setWrong(signIn(event.currentTarget.elements.token.value.trim().replace(/^Bearer\s+/i, "")));
  };
  return html`<main class="signin" id="main">
    <${Title} name="Sign in" field=${!typing() && "token"}>Credits console<//>
    ${whyEnded() && html`<div class="trouble" role="alert"><p><strong>${whyEnded()}</strong> Sign in again to continue.</p></div>`}
    <form class="card" onSubmit=${send}>
      <label for="token">Access token</label>
      <input id="token" name="token" type="password" autocomplete="off" spellcheck=${false} required
        aria-describedby="token-help" aria-invalid=${wrong ? "true" : undefined} />
      <p class="small muted" id="token-help">A JSON Web Token with the scope <code>credits:admin</code>, or a shop's own.
        It is kept in this tab and sent only to this API.</p>
      ${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}
      <button class="main" type="submit">Sign in</button>
    </form>
    <p class="small muted">On your own machine, <code>credits token --admin</code> prints an admin's token. <a href="docs">The API's documentation</a></p>
  </main>`;
}

async function found(id, order) {
  const parameters = { merchant_id: id, limit: 1, order_id: order };
  const { data } = await ask("credits/transactions", { parameters });
  if (data.length) return order ? `transaction/${data[0].id}` : `merchant/${id}`;
  if (order) return null;
  try {
    await ask(`credits/transactions/${id}`);
    return `transaction/${id}`;
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

// Which merchant is meant by a name: its id where it is the only one so called, else null.
async function called(name) {
  const { data } = await ask("credits/admin/merchants", { parameters: { search: name, limit: 2 } });
  return data.length === 1 ? data[0].merchant_id : null;
}

function Search() {
  const [state, setState] = useState({ busy: false, said: null, error: null });
  const send = async (event) => {
    event.preventDefault();
    const { id, order } = event.currentTarget.elements;
    const [field, asked] = [document.activeElement, [id.value, order.value]];
    const sought = id.value.trim();
    if (!sought) {
      setState({ busy: false, error: null, said: "Give a merchant's name, domain or id, or the id of a transaction." });
      id.focus();
      return;
    }
    setState({ busy: true, said: null, error: null });
    try {
      const wanted = uuid(sought) ?? (await called(sought));
      const place = wanted ? await found(wanted, order.value.trim()) : `merchants/${encodeURIComponent(sought)}`;
      const said = order.value.trim()
        ? html`This merchant has no such order in the ledger. It may not have arrived, or may be among its <a href="#/dead-letters/-/${wanted}">dead letters</a>.`
        : "No merchant and no transaction has this id. Its first event may not have arrived.";
      setState({ busy: false, error: null, said: place ? null : said });
      if (!place) return;
      // Who types on meanwhile keeps the field, and what is in it; else the heading of what was found takes the focus.
      if (id.value === asked[0] && order.value === asked[1]) {
        order.value = "";
        if (document.activeElement === field) field.blur();
      }
      location.hash = `#/${place}`;
    } catch (error) {
      setState({ busy: false, said: null, error });
    }
  };
  return html`<search class="search">
    <form onSubmit=${send} aria-label="Find a merchant, a transaction or an order">
      <div><label for="find">Merchant or transaction</label>
        <input id="find" name="id" placeholder="name, domain or id" autocomplete="off" spellcheck=${false} maxlength="255" /></div>
      <div class="narrow"><label for="order">Order <span class="muted">(with its merchant)</span></label>
        <input id="order" name="order" placeholder="optional" autocomplete="off" spellcheck=${false} maxlength="255" /></div>
      <button class="main" type="submit" disabled=${state.busy}>${state.busy ? "Looking…" : "Find"}</button>
    </form>
    <div aria-live="polite">${state.said && html`<p class="said">${state.said}</p>`}</div>
    <${Trouble} error=${state.error} />
  </search>`;
}

// What an address holds in percent signs; one that nobody made stays as it is.
function decoded(part) {
  try {
    return decodeURIComponent(part ?? "");
  } catch {
    return part;
  }
}

function View({ address, session }) {
  const [name, id] = address;
  const wanted = id && uuid(id);
  if (name === "merchant" && wanted) return html`<${Merchant} key=${wanted} id=${wanted} admin=${session.admin} />`;
  if (name === "transaction" && wanted) return html`<${Transaction} key=${wanted} id=${wanted} admin=${session.admin} />`;
  if (name === "concepts") return html`<${Concepts} at=${id} />`;
  if (!session.admin && session.merchant) {
    return html`<${Merchant} key=${session.merchant} id=${session.merchant} admin=${false} />`;
  }
  if (!session.admin) {
    return html`<div class="trouble" role="alert"><p><strong>This token cannot read any merchant.</strong> Sign in with one that has the scope <code>credits:admin</code>, or with a shop's own.</p></div>`;
  }
  if (name === "merchants") return html`<${Merchants} key="merchants" search=${decoded(id)} />`;
  if (name === "many") return html`<${Many} />`;
  if (name === "actions") return html`<${Actions} merchant=${null} />`;
  if (name === "dead-letters") return html`<${Letters} key=${address.join("/")} code=${decoded(id)} merchant=${uuid(address[2] ?? "")} />`;
  if (name === "off" || name === "low" || name === "week") return html`<${Accounts} key=${name} which=${name} />`;
  if (!name) return html`<${Overview} />`;
  return html`<${Title} key=${address.join("/")} name="Not found">There is no such page<//><p><a href="#/">To the overview</a></p>`;
}

function App() {
  const address = useAddress();
  const session = useSession();
  if (!session) return html`<${SignIn} />`;
  const here = (name) => ((address[0] ?? "") === name ? "page" : undefined);
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.querySelector("#main h1")?.focus(); }}>Skip to the content</a>
    <header class="bar">
      <a class="brand" href="#/" aria-label="Credits, overview"><span aria-hidden="true">C</span>Credits</a>
      ${session.admin && html`<nav aria-label="Views">
        <a href="#/" aria-current=${here("")}>Overview</a>
        <a href="#/merchants" aria-current=${here("merchants")}>Merchants</a>
        <a href="#/many" aria-current=${here("many")}>Many at once</a>
        <a href="#/actions" aria-current=${here("actions")}>Actions</a>
        <a href="#/dead-letters" aria-current=${here("dead-letters")}>Dead letters</a>
        <a href="#/concepts" aria-current=${here("concepts")}>Concepts</a>
      </nav>`}
      ${!session.admin && session.merchant && html`<nav aria-label="Views">
        <a href="#/" aria-current=${here("")}>Your shop</a>
        <a href="#/concepts" aria-current=${here("concepts")}>Concepts</a>
      </nav>`}
      <p class="me"><span class="small" title="Signed in">${session.name}</span>
        <button type="button" class="quiet" onClick=${() => signOut()}>Sign out</button></p>
    </header>
    ${session.admin && html`<${Search} />`}
    <main id="main"><${View} address=${address} session=${session} /></main>`;
}

render(html`<${App} />`, document.getElementById("app"));
document.querySelector("#app > .boot")?.remove();
