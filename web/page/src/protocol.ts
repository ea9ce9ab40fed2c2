/** The messages between the page and its worker. */

/** What the page says. */
export type ToWorker =
  /** The page listens, and the terminal has this size. Until then the worker is silent. */
  | { type: 'start'; cols: number; rows: number; pool: number }
  | { type: 'input'; bytes: Uint8Array }
  | { type: 'resize'; cols: number; rows: number }
  /** The profile of what ran so far is wanted. */
  | { type: 'saveProfile' }
  /** The terminal has taken so many bytes of output. */
  | { type: 'taken'; bytes: number };

/** What the worker says. */
export type ToPage =
  | { type: 'title'; name: string; command: string }
  | { type: 'progress'; doneBytes: number; totalBytes: number }
  /** The first process is about to run. */
  | { type: 'running' }
  /** Files are being fetched while programs wait for them (0: no longer). */
  | { type: 'fetching'; chunks: number }
  | { type: 'output'; bytes: Uint8Array }
  /** The first process ended: its exit code, or the signal that killed it. */
  | { type: 'exit'; code: number; signal: number }
  /** The profile that was wanted; nothing if there is no machine yet, or none is recorded. */
  | { type: 'profile'; bytes: Uint8Array<ArrayBuffer> | undefined }
  | { type: 'error'; problem: Problem };

/**
 * Whether a profile is recorded, as the page's query says. The worker has it as its name, since it begins before the page
 * has said anything.
 */
export const isRecording = (query: string): boolean => new URLSearchParams(query).has('profile');

/** A failure as a person reads it. */
export interface Problem {
  /** What went wrong, as a short sentence. */
  title: string;
  /** What the reader can do. */
  advice: string;
  /** The technical reason. */
  detail: string;
}

/** An error that already knows how to be told. */
export class Failure extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(`${problem.title} ${problem.detail}`);
    this.problem = problem;
  }
}
