// What a program took by itself: without the start of node or a browser, and without loading and compiling.

/** What the line begins with that tells the time; an object in JSON follows. */
const MARK = 'program-time ';

/**
 * Writes the line to standard error: seconds that passed, and seconds of processor time of all threads; and, of our own
 * engine, how many modules of compiled code there were, and how many functions ran code that was compiled ahead of time.
 */
export function tell(wallSeconds, cpuSeconds, { modules, foundAhead } = {}) {
  const told = { wall_seconds: wallSeconds, cpu_seconds: cpuSeconds, modules, found_ahead: foundAhead };
  process.stderr.write(`${MARK}${JSON.stringify(told)}\n`);
}

/** Runs from its making on, in this process: threads that V8 compiles on are among its threads. */
export class Clock {
  #wall = performance.now();
  #cpu = process.cpuUsage();

  tell(stats) {
    const { user, system } = process.cpuUsage(this.#cpu);
    tell((performance.now() - this.#wall) / 1e3, (user + system) / 1e6, stats);
  }
}
