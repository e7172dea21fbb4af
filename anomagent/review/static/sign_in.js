// The form for the name, and the token where the server wants one.

import { ask } from "./api.js";
import { byId, counted, tell } from "./dom.js";
import { waitingByName } from "./outbox.js";

const form = byId("sign-in");
const button = form.querySelector("[type=submit]");

const known = byId("known");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = byId("name").value.trim();
  byId("sign-in-error").textContent = "";
  known.hidden = true;
  if (!name) return refuse("Give your name: your answers are kept under it.");
  button.disabled = true;
  try {
    await ask("POST", "/session", { name, token: byId("token")?.value ?? null });
    location.replace("/");
  } catch (error) {
    refuse(error.message);
    if (error.known) offer(error.known);
  } finally {
    button.disabled = false;
  }
});

/** The server knows somebody by another spelling of the name: very likely the same person. */
function offer(name) {
  known.querySelector("bdi").textContent = name;
  known.hidden = false;
  known.focus();
}

known.addEventListener("click", () => {
  byId("name").value = known.querySelector("bdi").textContent;
  form.requestSubmit();
});

function refuse(text) {
  byId("sign-in-error").textContent = text;
  const field = byId("token") && byId("name").value.trim() ? byId("token") : byId("name");
  field.focus();
}

button.disabled = false; // before, the browser itself would have sent the form

const waiting = [...waitingByName()].map(([name, count]) => `${counted(count, "answer")} of ${name}`);
tell(byId("waiting"), waiting.length ? `Kept in this browser, sent after signing in: ${waiting.join(", ")}.` : null);
