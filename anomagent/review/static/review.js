// The course of a review: show, answer, go on, take back. Answers go into the outbox first and are sent from there.

import { SAID, wordsFor, writeCard } from "./card.js";
import { Clock } from "./clock.js";
import { announce, byId, newId } from "./dom.js";
import { History } from "./history.js";
import { Note } from "./notes.js";
import { Strip } from "./strip.js";
import { load } from "./supply.js";
import { explain } from "./viewer.js";

const GUARD = 150; // milliseconds in which a new candidate takes no answer: the key was meant for the one before

export class Review {
  /** `changed` is called when something has to be sent or loaded. */
  constructor({ annotator, outbox, supply, viewer, changed }) {
    Object.assign(this, { outbox, supply, viewer, changed });
    this.clock = new Clock();
    this.note = new Note();
    this.history = new History(annotator);
    this.strip = new Strip({ reason: (slug) => this.giveReason(slug), undo: () => this.undo() });
    this.current = null; // { item, picture, was }
    this.appeared = Infinity;
  }

  get shown() {
    return this.current?.item.id ?? null;
  }

  /** Show the next candidate where none is shown and one is loaded. */
  proceed() {
    if (this.current === null) this.#show(this.supply.take());
  }

  answer(verdict) {
    if (!this.#ready()) return;
    const { item } = this.current;
    const answer = { item, verdict, reason: null, note: this.note.text, seconds: this.clock.seconds() };
    this.#send(answer);
    this.history.push(answer);
    this.strip.show(answer);
    this.supply.last = item.id;
    this.#leave(() => this.supply.block(item.id), `${SAID[verdict]}.${verdict === "REJECT" ? " Why? 1 to 5." : ""}`);
  }

  skip() {
    if (this.current === null || performance.now() - this.appeared < GUARD) return;
    const { item } = this.current;
    this.#leave(() => this.supply.skip(item.id), "Skipped.");
  }

  /** Say why the last answer was a rejection: a new answer, which counts instead of the one before. */
  giveReason(reason) {
    const last = this.strip.about;
    if (!reason || last?.verdict !== "REJECT" || last.reason === reason) return;
    this.#correct({ reason }, `Reason: ${this.strip.titleOf(reason)}.`);
  }

  /** Put a note on the last answer. */
  noteLast(note) {
    this.#correct({ note }, note ? "Note kept." : "Note removed.");
  }

  undo() {
    const last = this.history.pop();
    if (last === null) {
      announce("Nothing to undo.");
      return;
    }
    this.#put({ kind: "undo", answer: last.id ?? null }, last.item);
    this.supply.block(last.item.id);
    if (this.current) this.supply.putBack({ ...this.current, was: this.#draft() });
    const { verdict, reason, note } = last;
    this.#show({ item: last.item, picture: load(last.item), was: { verdict, reason, note } }, "Taken back.");
    this.strip.show(null);
    this.changed();
  }

  /** Another tab answered this item. */
  answeredElsewhere(item) {
    this.supply.block(item);
    if (this.shown === item) this.#leave(() => {}, "Answered in another tab.");
  }

  /** Put all that is shown away: the filters are others now. */
  clear() {
    this.#show(null);
  }

  #ready() {
    return this.current !== null && this.current.picture.naturalWidth > 0 && performance.now() - this.appeared >= GUARD;
  }

  /** What is noted on the candidate that is put back for now. */
  #draft() {
    const { was } = this.current;
    return was || this.note.text ? { ...was, note: this.note.text } : null;
  }

  #send(answer) {
    const { item, verdict, reason, note, seconds } = answer;
    answer.id = this.#put({ kind: "answer", verdict, reason, note, seconds }, item);
  }

  /** Put an entry about `item` into the outbox and return its id. */
  #put(entry, item) {
    const id = newId();
    const about = { sha256: item.image.sha256, name: item.name };
    this.outbox.put({ ...entry, id, item: item.id, about, page: item.page });
    return id;
  }

  #correct(change, said) {
    const last = Object.assign(this.strip.about, change);
    this.#send(last);
    this.history.save();
    this.strip.show(last);
    announce(said);
    this.changed();
  }

  #leave(settle, said) {
    settle();
    this.#show(this.supply.take(), said);
    this.changed();
  }

  #show(entry, said = "") {
    this.current = entry;
    this.supply.shown = this.shown;
    this.appeared = Infinity;
    delete byId("work").dataset.item;
    this.viewer.show(entry?.item ?? null, entry?.picture);
    this.note.reset(entry?.was?.note ?? entry?.item.mine?.note);
    explain(null);
    if (entry === null) {
      if (said) announce(said);
      return;
    }
    const { item } = entry;
    const was = entry.was?.verdict ? entry.was : item.mine;
    writeCard(item, was);
    this.#await(entry);
    announce(`${said} ${item.name}. Severity ${item.severity}: ${wordsFor(item.severity)}.`.trim());
  }

  /** Take answers, and count the time, from when the image is there. */
  async #await(entry) {
    const begin = () => {
      if (this.current !== entry) return;
      explain(null);
      this.appeared = performance.now();
      this.clock.start();
      byId("work").dataset.item = entry.item.id;
    };
    if (entry.picture.complete && entry.picture.naturalWidth > 0) return begin();
    explain("Loading the image …");
    entry.picture.addEventListener("load", begin, { once: true });
    const failed = () => {
      if (this.current === entry) explain("The image cannot be shown. Skip it (S), or reload the page to try again.");
    };
    if (entry.picture.complete) return failed();
    entry.picture.addEventListener("error", failed, { once: true });
  }

  /** Try again to load the image that is shown, where that has failed. */
  mend() {
    const picture = this.current?.picture;
    if (!picture?.complete || picture.naturalWidth > 0) return;
    this.#show({ ...this.current, picture: load(this.current.item), was: this.#draft() });
  }
}
