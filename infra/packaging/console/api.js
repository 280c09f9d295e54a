// What the page knows of the API: the token, requests, and refusals in words that say what to do.

const KEY = "credits.token";
const TIME_LIMIT = 20_000;
const BASE = new URL("api/v1/", document.baseURI);
const listeners = new Set();
let token = sessionStorage.getItem(KEY);
let ended = null;

export class Refused extends Error {
  constructor({ title, advice, status = 0, code = "", details = {}, requestId = "", unsure = false }) {
    super(title);
    Object.assign(this, { title, advice, status, code, details, requestId, unsure });
  }
}

function claims(text) {
  try {
    const part = text.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (sign) => sign.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

// The claims only shape the page; what may be done is decided by the API.
export function who() {
  const said = token && claims(token);
  if (!said) return null;
  const scopes = String(said.scope || "").split(" ");
  return { name: said.sub || "?", admin: scopes.includes("credits:admin"), merchant: said.merchant_id || null };
}

export const whyEnded = () => ended;

// Browsers keep no longer time than this.
const TIMER_MOST = 2 ** 31 - 1;
let ending = null;

function endInTime() {
  clearTimeout(ending);
  const said = token && claims(token);
  const left = said?.exp ? said.exp * 1000 - Date.now() : Infinity;
  if (left < TIMER_MOST) ending = setTimeout(() => signOut("Your session has ended: the token has expired."), left);
}

export function onSession(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell() {
  for (const listener of listeners) listener();
}

export function signIn(text) {
  const said = claims(text);
  if (!said) return "This is not a token: a token has three parts with dots between them.";
  if (said.exp && said.exp * 1000 <= Date.now()) return "This token has expired. Ask for a new one.";
  token = text;
  ended = null;
  sessionStorage.setItem(KEY, text);
  endInTime();
  tell();
  return null;
}

export function signOut(why = null) {
  token = null;
  ended = why;
  sessionStorage.removeItem(KEY);
  endInTime();
  tell();
}

endInTime();

async function sent(path, { method = "GET", body, headers = {}, parameters = {} } = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const given = { Authorization: `Bearer ${token}`, ...headers };
  if (body !== undefined) given["Content-Type"] = "application/json";
  try {
    return await fetch(url, {
      method,
      headers: given,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      referrerPolicy: "no-referrer",
      signal: AbortSignal.timeout(TIME_LIMIT),
    });
  } catch {
    throw new Refused({
      title: "The API does not answer.",
      advice: "Check your connection and the service's health, then try again.",
      unsure: method !== "GET",
    });
  }
}

export async function ask(path, options = {}) {
  const used = token;
  const answer = await sent(path, options);
  const content = await answer.json().catch(() => null);
  if (answer.ok && content) return { status: answer.status, ...content };
  const refused = refusal(answer, content, options.method);
  if (answer.status === 401 && used === token) signOut(refused.title);
  throw refused;
}

// Returns an answer that is no JSON as its text, with the cursor of its next page, null at the end.
export async function askText(path, { accept, parameters }) {
  const used = token;
  const answer = await sent(path, { headers: { Accept: accept }, parameters });
  if (answer.ok) return { text: await answer.text(), next: answer.headers.get("X-Next-Cursor") };
  const refused = refusal(answer, await answer.json().catch(() => null));
  if (answer.status === 401 && used === token) signOut(refused.title);
  throw refused;
}

function refusal(answer, content, method = "GET") {
  const said = content?.error ?? {};
  const seconds = Number(answer.headers.get("Retry-After")) || 1;
  const given = {
    title: content?.detail ?? `The API answered ${answer.status}.`,
    advice: "",
    status: answer.status,
    code: said.code ?? "",
    details: said.details ?? {},
    requestId: content?.meta?.request_id ?? "",
  };
  if (answer.status === 401) {
    given.title = "Your session has ended: the token is not accepted any more.";
    given.advice = "Sign in with a new token.";
  } else if (answer.status === 403) {
    given.advice = "Sign in with a token that has this scope.";
  } else if (answer.status === 429 || answer.status === 503) {
    given.title = "The service is busy or cannot read its tables.";
    given.advice = `Try again in ${seconds} ${seconds === 1 ? "second" : "seconds"}.`;
    given.unsure = method !== "GET";
  } else if (answer.status >= 500) {
    given.title = "The service failed.";
    given.advice = "Try again. If it fails again, give the engineers the request id.";
    given.unsure = method !== "GET";
  }
  return new Refused(given);
}
