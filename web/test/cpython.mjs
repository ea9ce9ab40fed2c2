// CPython's tests in the page: modules of `cargo xtask suite cpython`, or of the longer ones the classes that take two
// minutes at most, each group in a page of its own.

/** `module`, the patterns of tests that `match` (all without one), and how many tests there are `atLeast`. */
export const GROUPS = [
  { module: 'test_threading', match: ['ThreadTests', 'ThreadJoinOnShutdown', '*LockTests', 'Condition*', 'BarrierTests', '*SemaphoreTests'], atLeast: 120 },
  { module: 'test_signal', atLeast: 50 },
  {
    module: 'test_socket',
    match: ['GeneralModuleTests', 'BasicTCPTest*', 'BasicUDPTest', 'BasicSocketPairTest', 'NonBlockingTCPTests', 'TCPTimeoutTest'],
    atLeast: 100,
  },
  {
    module: 'test_socket',
    match: ['SendmsgStreamTests', 'RecvmsgTCPTest', 'RecvmsgIntoUnixStreamTest', 'SCMRightsTest', 'SendfileUsing*'],
    atLeast: 50,
  },
  { module: 'test_subprocess', match: ['POSIXProcessTestCase'], atLeast: 60 },
  { module: 'test_subprocess', match: ['ProcessTestCase'], atLeast: 90 },
  { module: 'test_asyncio.test_streams', atLeast: 50 },
  { module: 'test_asyncio.test_subprocess', atLeast: 50 },
  { module: 'test_asyncio.test_tasks', match: ['CTask_CFuture_Tests', 'RunCoroutineThreadsafeTests'], atLeast: 80 },
  { module: 'test_asyncio.test_sock_lowlevel', atLeast: 35 },
  { module: 'test_asyncio.test_unix_events', atLeast: 40 },
  { module: 'test_multiprocessing_fork.test_processes', match: ['*TestProcess', '*TestQueue', '*TestConnection'], atLeast: 40 },
  { module: 'test_multiprocessing_fork.test_processes', match: ['*TestLock', '*TestCondition', '*TestPool'], atLeast: 35 },
];

/** The command that runs a group in the root file system of programs. */
export function command({ module, match = [] }) {
  const patterns = match.map((pattern) => `-m '*.${pattern}.*'`).join(' ');
  return ['/bin/bash', '-c', `cd /tmp; exec python3 -m test -v ${patterns} ${module}`];
}

/** How many tests ran and failed: the last lines of the output say so. */
export function outcome(output) {
  const counts = /^Total tests: run=([\d,]+)(?: \(filtered\))?(?: failures=(\d+))?/m.exec(output);
  return counts && { run: Number(counts[1].replaceAll(',', '')), failed: Number(counts[2] ?? 0) };
}
