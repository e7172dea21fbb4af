// What is remembered in the browser besides answers: nothing depends on it, so a browser that stores nothing is no fault.

/** What is kept under `key` in `localStorage` or `sessionStorage`, named by `kind`; null where nothing is. */
export function recall(kind, key) {
  try {
    return globalThis[kind].getItem(key);
  } catch {
    return null;
  }
}

export function remember(kind, key, text) {
  try {
    globalThis[kind].setItem(key, text);
  } catch {
    // No room, or forbidden: it lasts as long as the page.
  }
}
