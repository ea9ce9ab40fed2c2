// What a program took by itself: without the start of node, and without loading and compiling.

/** What the line begins with that tells the time; an object in JSON follows. */
const MARK = 'program-time ';

/** Runs from its making on. */
export class Clock {
  #wall = performance.now();
  #cpu = process.cpuUsage();

  /**
   * Writes a line to standard error: seconds that passed, and seconds of processor time of all of node's threads, so
   * those that V8 compiles on are among them.
   */
  tell() {
    const { user, system } = process.cpuUsage(this.#cpu);
    const time = { wall_seconds: (performance.now() - this.#wall) / 1e3, cpu_seconds: (user + system) / 1e6 };
    process.stderr.write(`${MARK}${JSON.stringify(time)}\n`);
  }
}
