// What merchants are called: asked for once, by up to a hundred at a time.

import { html, useEffect, useState } from "./preact.js";
import { ask } from "./api.js";
import { visible } from "./words.js";

const known = new Map();
const MOST = 100;

export const forgetName = (id) => known.delete(id);

// Returns the names of these merchants, by id; those that have none, or are not known yet, are missing.
export function useNames(ids) {
  const [, setTurn] = useState(0);
  const wanted = [...new Set(ids)].filter((id) => id && !known.has(id)).slice(0, MOST);
  useEffect(() => {
    if (!wanted.length) return;
    ask("credits/admin/names", { method: "POST", body: { merchant_ids: wanted } }).then(({ data }) => {
      for (const id of wanted) known.set(id, data.names[id] ? visible(data.names[id].shown) : null);
      setTurn((turn) => turn + 1);
    }, () => {});
  }, [wanted.join()]);
  return (id) => known.get(id) ?? null;
}

// A merchant's name, or how its id begins where it has none.
export const shopName = (id, named) => named(id) ?? html`<code title=${id}>${id.slice(0, 8)}</code>`;

export const Shop = ({ id, named }) => html`<a class="shop" href="#/merchant/${id}">${shopName(id, named)}</a>`;
