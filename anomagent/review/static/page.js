// The page of a review: puts the parts together.

import { ask, Refused, Unreachable } from "./api.js";
import { byId, counted, tell } from "./dom.js";
import { showEvidence } from "./evidence.js";
import { Filters } from "./filters.js";
import { keysAreOn, listen, switchKeys } from "./keys.js";
import { Link } from "./link.js";
import { lastNote } from "./notes.js";
import { Outbox } from "./outbox.js";
import { panel } from "./panels.js";
import { refusedAnswers } from "./refused.js";
import { Review } from "./review.js";
import { Sender } from "./sender.js";
import { recall, remember } from "./storage.js";
import { Supply } from "./supply.js";
import { Viewer } from "./viewer.js";

const annotator = document.body.dataset.annotator;
const outbox = new Outbox(annotator);
const supply = new Supply();
const viewer = new Viewer();
const review = new Review({ annotator, outbox, supply, viewer, changed: work });
const link = new Link(work, showState);
const filters = new Filters(restart);
const countRefused = refusedAnswers(outbox, work);
let progress = null; // the newest that the server told
let problem = null; // why no candidate can be loaded, where the server said so

const sender = new Sender(outbox, annotator, {
  sent(entry, reply) {
    link.works();
    if (reply) showProgress(reply.progress);
    settled(entry.item);
  },
  refused: (entry) => settled(entry.item),
  failed,
});

/** Send what waits and load what comes next. */
function work() {
  showState();
  sender.flush();
  supplyMore();
}

/** Nothing waits to be sent about `item` any more. */
function settled(item) {
  supply.settle(item);
  showState();
  if (review.shown === null) supplyMore();
}

async function supplyMore() {
  try {
    do {
      const told = await supply.fill();
      if (told) {
        problem = null;
        if (outbox.waiting().length === 0) link.works(); // else it depends on whether they can be sent
        if (told.progress) showProgress(told.progress);
      }
      review.proceed();
      review.mend();
      // What the server offers may be answered here already: then it is asked again when it knows.
    } while (review.shown === null && !supply.exhausted && outbox.waiting().length === 0);
  } catch (error) {
    failed(error);
  }
  showState();
}

function failed(error) {
  if (error instanceof Unreachable) return link.failed(error);
  if (!(error instanceof Refused)) throw error;
  if (error.status === 401) return signInAgain();
  if (error.status === 403) return tell(byId("banner-stale"), `The server takes no more from this page: ${error.message}`);
  problem = error.message;
  return showState();
}

/** The server shows its form where it knows no session. Not twice in a row: it might know one after all. */
function signInAgain() {
  const key = "anomagent.signed-out";
  const last = Number(recall("sessionStorage", key));
  if (Date.now() - last < 10_000) return tell(byId("banner-stale"), "You are signed out. Your answers are kept here.");
  remember("sessionStorage", key, Date.now());
  return location.replace("/");
}

function restart(query) {
  supply.restart(query);
  review.clear();
  problem = null;
  work();
}

function showState() {
  const waiting = outbox.waiting().length;
  const kept = `${counted(waiting, "answer")} ${waiting === 1 ? "waits" : "wait"} in this browser`;
  const keep = outbox.fragile ? "Keep this page open: the browser stores nothing." : "They are sent by themselves.";
  tell(byId("banner-link"), link.lost && `${link.lost} ${waiting ? `${kept}. ${keep}` : "Nothing is lost."}`);
  tell(byId("banner-filters"), filters.words && `Only ${filters.words}.`);
  document.body.dataset.waiting = waiting;
  countRefused();
  showPause();
}

function showPause() {
  const idle = review.shown === null;
  byId("pause").hidden = !idle;
  byId(idle ? "pause" : "answers").prepend(byId("strip"));
  byId("work").hidden = idle;
  if (!idle) return;
  if (!document.activeElement?.checkVisibility()) byId("pause").focus(); // it was on what is hidden now
  const [title, text] = pauseWords();
  byId("pause-title").textContent = title;
  byId("pause-text").textContent = text;
  byId("pause-undo").hidden = review.history.size === 0 || review.strip.about !== null;
}

function pauseWords() {
  if (problem) return ["The server could not answer", problem];
  if (link.lost) return ["Waiting for the server", "All that was loaded is answered. It goes on by itself."];
  if (!supply.exhausted) return ["Loading …", ""];
  if (filters.words) return ["Nothing is left here", `No candidate is left for you with these filters: ${filters.words}.`];
  if (progress.mine.left > 0) return ["Nothing for now", "Others are at what is left. Look again in some minutes."];
  return ["All done", "No candidate is left for you. Thank you!"];
}

function showProgress(told) {
  progress = told;
  const { mine, all } = told;
  byId("progress-bar").max = Math.max(1, all.candidates);
  byId("progress-bar").value = all.answered;
  byId("progress-mine").textContent = `You: ${mine.answered} answered, ${mine.left} left`;
  const people = all.people > 1 ? ` by ${all.people} people` : "";
  byId("progress-all").textContent = `All: ${all.answered} of ${all.candidates} answered${people}`;
}

async function signOut() {
  try {
    await ask("DELETE", "/session");
  } catch (error) {
    if (error instanceof Unreachable) return link.failed(error);
  }
  return location.replace("/");
}

/** The key `name` presses the button `id`, so that both do the same. */
const press = (id) => () => byId(id).click();

function wire() {
  const openHelp = panel("help", "?", () => {
    byId("keys-on").checked = keysAreOn();
  });
  const openGuidelines = panel("guidelines", "g");
  const openEvidence = panel("evidence", "e", () => {
    if (review.current === null) return false;
    showEvidence(review.current.item);
    return true;
  });
  const openLastNote = lastNote(review.strip, (text) => review.noteLast(text));
  const clicks = {
    "zoom-in": viewer.zoomIn,
    "zoom-out": viewer.zoomOut,
    "zoom-fit": () => viewer.fit(),
    "toggle-boxes": () => viewer.toggleBoxes(),
    skip: () => review.skip(),
    "pause-undo": () => review.undo(),
    "look-again": () => restart(filters.query),
    "sign-out": signOut,
    reload: () => location.reload(),
  };
  for (const [id, run] of Object.entries(clicks)) byId(id).addEventListener("click", run);
  for (const button of document.querySelectorAll("[data-verdict]:not(#strip)")) {
    button.addEventListener("click", () => review.answer(button.dataset.verdict));
  }
  byId("keys-on").addEventListener("change", (event) => switchKeys(event.target.checked));
  const undo = () => review.undo();
  const table = {
    a: () => review.answer("ACCEPT"),
    r: () => review.answer("REJECT"),
    u: () => review.answer("UNSURE"),
    s: () => review.skip(),
    z: undo,
    n: () => review.shown !== null && review.note.open(),
    m: openLastNote,
    e: openEvidence,
    g: openGuidelines,
    f: filters.open,
    "?": openHelp,
    b: () => viewer.toggleBoxes(),
    0: () => viewer.fit(),
    "+": { run: viewer.zoomIn, held: true },
    "=": { run: viewer.zoomIn, held: true },
    "-": { run: viewer.zoomOut, held: true },
    ArrowLeft: { run: () => viewer.look(-1, 0), held: true },
    ArrowRight: { run: () => viewer.look(1, 0), held: true },
    ArrowUp: { run: () => viewer.look(0, -1), held: true },
    ArrowDown: { run: () => viewer.look(0, 1), held: true },
  };
  for (let number = 1; number <= 5; number += 1) table[number] = () => review.giveReason(review.strip.reasonOf(number));
  listen(table, undo);
}

addEventListener("storage", (event) => {
  const entry = outbox.heard(event);
  if (entry && event.newValue === null) return settled(entry.item);
  if (entry?.kind === "answer") review.answeredElsewhere(entry.item);
  return showState();
});
addEventListener("beforeunload", (event) => {
  if (outbox.fragile) event.preventDefault();
});

wire();
supply.query = filters.query;
work();
