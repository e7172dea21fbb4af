// What this person answered in this tab, newest last, so that undo works after a reload, too.

import { recall, remember } from "./storage.js";

const MOST = 20;

export class History {
  constructor(annotator) {
    this.key = `anomagent.history/${annotator}`;
    this.answers = JSON.parse(recall("sessionStorage", this.key) ?? "[]");
  }

  /** Remember an answer: { item, verdict, reason, note, seconds, id }, by the id it was sent with last. */
  push(answer) {
    this.answers = [...this.answers, answer].slice(-MOST);
    this.save();
  }

  pop() {
    const answer = this.answers.pop() ?? null;
    this.save();
    return answer;
  }

  get size() {
    return this.answers.length;
  }

  save() {
    remember("sessionStorage", this.key, JSON.stringify(this.answers));
  }
}
