// Which shops and customers belong to a merchant: listed, linked and unlinked.

import { html, useState } from "./preact.js";
import { ask } from "./api.js";
import { forgetName } from "./names.js";
import { Section, Trouble, useLoad } from "./parts.js";
import { visible } from "./words.js";

const KINDS = { shopify: ["Shopify shop", "teegeist.myshopify.com"], stripe: ["Stripe customer", "cus_…"] };

export function Links({ id, done }) {
  const { data, error, reload } = useLoad(() => ask("credits/admin/names", { method: "POST", body: { merchant_ids: [id] } }), [id]);
  const names = data?.data.names[id]?.names ?? [];
  const [kind, setKind] = useState("shopify");
  const [name, setName] = useState("");
  const [label, setLabel] = useState("");
  const [state, setState] = useState({ busy: false, error: null, said: null });
  const change = async (method, full, body, said) => {
    setState({ busy: true, error: null, said: null });
    const [first, ...rest] = full.split(":");
    try {
      await ask(`credits/admin/links/${first}/${encodeURIComponent(rest.join(":"))}`, { method, body });
      setState({ busy: false, error: null, said });
      setName("");
      setLabel("");
      forgetName(id);
      reload();
      done();
    } catch (error) {
      setState({ busy: false, error, said: null });
    }
  };
  const link = (event) => {
    event.preventDefault();
    const called = label.trim();
    change("PUT", `${kind}:${name.trim()}`, { merchant_id: id, ...(called ? { label: called } : {}) }, `Linked. Send its webhooks to ${new URL(`api/v1/webhooks/${kind}`, location)}`);
  };
  return html`<${Section} name="Shops and customers">
    ${names.length ? html`<ul>${names.map((one) => html`<li key=${one.name}><code class="name">${visible(one.name)}</code>${one.label && ` ${visible(one.label)}`}
      <button type="button" class="quiet small" aria-label="Unlink ${one.name}" disabled=${state.busy} onClick=${() => change("DELETE", one.name, undefined, "Unlinked. It may still be used for five minutes.")}>Unlink</button></li>`)}</ul>`
      : data && html`<p class="muted">No shop and no customer is linked to this merchant.</p>`}
    <form onSubmit=${link} aria-label="Link a shop or customer">
      <label for="kind">Kind</label>
      <select id="kind" value=${kind} onChange=${(event) => setKind(event.currentTarget.value)}>${Object.entries(KINDS).map(([value, [shown]]) => html`<option key=${value} value=${value}>${shown}</option>`)}</select>
      <label for="linked">${kind === "shopify" ? "Domain" : "Customer"}</label>
      <input id="linked" required value=${name} maxlength="255" autocomplete="off" spellcheck=${false} placeholder=${KINDS[kind][1]} onInput=${(event) => setName(event.currentTarget.value)} />
      <label for="label">Name <span class="muted">(optional)</span></label>
      <input id="label" value=${label} maxlength="255" autocomplete="off" placeholder="what people call the shop" onInput=${(event) => setLabel(event.currentTarget.value)} />
      <p><button type="submit" disabled=${state.busy || !name.trim()}>${state.busy ? "Linking…" : "Link"}</button></p>
    </form>
    <div aria-live="polite">${state.said && html`<p class="good">${state.said}</p>`}</div>
    <${Trouble} error=${state.error ?? error} />
  <//>`;
}
