// How long ago an answer was given, as the server is told: it orders a person's answers by that, whichever arrives first.
//
// A request that takes long makes the server think that its answer was given late. The next one about the same item must
// not come before it, so it is never told to be older than the moment at which the one before had been stored at last.

const LONGEST = 30 * 86_400; // seconds; the server takes no more. Among older ones the one that arrives last counts.

export class Ages {
  constructor() {
    this.told = new Map(); // an entry's id -> the first and the last age it was sent with
    this.stored = new Map(); // item -> when, at the latest, the server believes its last entry to have been given
  }

  /** Seconds since `entry` was given, to be sent now. */
  of(entry) {
    const given = Math.max(entry.given, (this.stored.get(entry.item) ?? 0) + 1);
    const age = Math.min(Math.max(0, Date.now() - given) / 1000, LONGEST);
    this.told.set(entry.id, { first: this.told.get(entry.id)?.first ?? age, last: age });
    return age;
  }

  /** The server has `entry`: `now`, or since an earlier request whose reply was lost. */
  settle(entry, now) {
    const { first, last } = this.told.get(entry.id);
    this.told.delete(entry.id);
    this.stored.set(entry.item, Date.now() - 1000 * (now ? last : first));
  }
}
