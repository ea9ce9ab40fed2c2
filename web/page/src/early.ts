/**
 * Begins with the worker before the page is laid out and the terminal's code is there: what the worker fetches takes
 * longest. A classic script in the head, so that nothing comes before it.
 */

/** A worker that no page has spoken to yet, and how it failed, if it did. */
export interface Early {
  worker: Worker;
  failed?: ErrorEvent;
}

declare global {
  // eslint-disable-next-line no-var
  var friscyEarly: Early | undefined;
}

try {
  const early: Early = { worker: new Worker(new URL('worker.js', document.baseURI), { type: 'module', name: location.search }) };
  early.worker.onerror = (event) => {
    early.failed = event;
  };
  globalThis.friscyEarly = early;
} catch {
  // From a file, or in a browser without workers: the page says what is wrong.
}
