// Asks the server. A reply is data, or one of two errors: try again later, or refused.

const LATER = new Set([408, 425, 429]); // and all from 500 on
const PATIENCE = 20_000; // milliseconds until an unanswered request counts as lost

/** No reply, or one that says "not now": what was asked may be asked again. */
export class Unreachable extends Error {}

/** The server made a mistake over this request (500): it may be asked again, and others may fare better meanwhile. */
export class Fault extends Unreachable {}

/** The server understood and said no. `status` is HTTP's, `known` the spelling of a name that it knows already. */
export class Refused extends Error {
  constructor(status, message, known = null) {
    super(message);
    this.status = status;
    this.known = known;
  }
}

const csrfToken = () => document.querySelector("meta[name=csrf-token]").content;

/** Send a request with a JSON body (or none) and return the reply's JSON, null for an empty reply. */
export async function ask(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrfToken();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const request = {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
    redirect: "error",
    keepalive: method !== "GET", // an answer is sent to its end though the tab is closed
    signal: AbortSignal.timeout(PATIENCE),
  };
  let status;
  let text;
  try {
    const response = await fetch(path, request);
    status = response.status;
    text = await response.text();
  } catch {
    throw new Unreachable("Offline: the server cannot be reached.");
  }
  if (status >= 400) throw refusal(status, text);
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    throw new Unreachable("The server's reply was cut off.");
  }
}

function refusal(status, text) {
  let said = null;
  try {
    said = JSON.parse(text);
  } catch {
    // A reply that is no JSON has nothing to add to its status.
  }
  const message = sentence(String(said?.error ?? `The server answered with status ${status}.`));
  if (status === 500) return new Fault(message);
  if (status > 500 || LATER.has(status)) return new Unreachable(message);
  return new Refused(status, message, typeof said?.known === "string" ? said.known : null);
}

/** With a capital letter and a full stop: messages stand between other sentences. */
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
