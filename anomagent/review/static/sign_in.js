// The form for the name, and the token where the server wants one.

import { ask } from "./api.js";
import { byId, counted, tell } from "./dom.js";
import { waitingByName } from "./outbox.js";

const form = byId("sign-in");
const button = form.querySelector("[type=submit]");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = byId("name").value.trim();
  byId("sign-in-error").textContent = "";
  if (!name) return refuse("Give your name: your answers are kept under it.");
  button.disabled = true;
  try {
    await ask("POST", "/session", { name, token: byId("token")?.value ?? null });
    location.replace("/");
  } catch (error) {
    refuse(error.message);
  } finally {
    button.disabled = false;
  }
});

function refuse(text) {
  byId("sign-in-error").textContent = text;
  const field = byId("token") && byId("name").value.trim() ? byId("token") : byId("name");
  field.focus();
}

button.disabled = false; // before, the browser itself would have sent the form

const waiting = [...waitingByName()].map(([name, count]) => `${counted(count, "answer")} of ${name}`);
tell(byId("waiting"), waiting.length ? `Kept in this browser, sent after signing in: ${waiting.join(", ")}.` : null);
