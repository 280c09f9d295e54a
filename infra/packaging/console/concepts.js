// The words of the service, from infra/docs/concepts.md, which the bundle puts here.

import { html, useEffect } from "./preact.js";
import { Title } from "./parts.js";

const CONCEPTS = "{concepts}";

export function Concepts({ at }) {
  useEffect(() => document.getElementById(at)?.scrollIntoView(), [at]);
  return html`<${Title} name="Concepts">Concepts<//>
    <dl class="card concepts">${CONCEPTS.map(([id, name, text]) => html`<div key=${id} id=${id} class=${id === at ? "sought" : ""}>
      <dt><h2>${name}</h2></dt><dd>${text}</dd></div>`)}</dl>`;
}
