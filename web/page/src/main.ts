/** The page: its four states (loading, running, error, exited) and the terminal. */

import { isRecording, type Problem, type ToPage, type ToWorker } from './protocol';
import type {} from './early';
import { Screen } from './terminal';

type State = 'loading' | 'running' | 'error' | 'exited';

const at = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const SIGNALS: Record<number, string> = {
  1: 'SIGHUP', 2: 'SIGINT', 3: 'SIGQUIT', 4: 'SIGILL', 5: 'SIGTRAP', 6: 'SIGABRT', 7: 'SIGBUS', 8: 'SIGFPE',
  9: 'SIGKILL', 11: 'SIGSEGV', 13: 'SIGPIPE', 14: 'SIGALRM', 15: 'SIGTERM', 24: 'SIGXCPU', 25: 'SIGXFSZ',
};
const KEYS: Record<string, string> = {
  esc: '\x1b', tab: '\t', up: '\x1b[A', down: '\x1b[B', right: '\x1b[C', left: '\x1b[D',
};

const body = document.body;
const query = new URLSearchParams(location.search);
let worker: Worker | undefined;
/** The worker that `early.js` began with, until it is used. */
let early = globalThis.friscyEarly;
let command = '';
/** Whether a profile is recorded: then the machine stays when its first program has ended, until another is started. */
const recording = isRecording(location.search);
/** Who waits for a profile, in the order in which they asked. */
const waiting: { resolve: (bytes: Uint8Array<ArrayBuffer>) => void; reject: (error: Error) => void }[] = [];

const send = (message: ToWorker): void => worker?.postMessage(message);
const screen = new Screen(at('terminal'), {
  input: (bytes) => send({ type: 'input', bytes }),
  resize: (cols, rows) => send({ type: 'resize', cols, rows }),
  leave: () => at('reader').focus(),
});

/** Ends the machine. */
function stop(): void {
  worker?.terminate();
  worker = undefined;
  waiting.splice(0).forEach(({ reject }) => reject(new Error('the machine was stopped')));
}

/**
 * The profile of what ran so far, as `friscy run --profile-out` writes it. Rejected if the page was opened without `?profile`,
 * if there is no machine, or if it has not been set up yet.
 */
function saveProfile(): Promise<Uint8Array<ArrayBuffer>> {
  if (!recording) return Promise.reject(new Error('no profile is recorded: the page was opened without ?profile'));
  if (!worker) return Promise.reject(new Error('no machine is running'));
  return new Promise((resolve, reject) => {
    waiting.push({ resolve, reject });
    send({ type: 'saveProfile' });
  });
}

function show(state: State, status: string): void {
  body.dataset['state'] = state;
  at('status-text').textContent = status;
}

function fail(problem: Problem): void {
  stop();
  at('error-title').textContent = problem.title;
  at('error-advice').textContent = problem.advice;
  at('error-detail').textContent = problem.detail;
  show('error', 'Not running');
  at('error-again').focus();
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

function receive(message: ToPage): void {
  switch (message.type) {
    case 'title':
      command = message.command;
      document.title = message.name;
      at('name').textContent = message.name;
      at('command').textContent = command;
      at('loading-title').textContent = `Starting ${message.name}`;
      break;
    case 'progress': {
      const { doneBytes, totalBytes } = message;
      at<HTMLProgressElement>('bar').value = totalBytes > 0 ? doneBytes / totalBytes : 0;
      at('loading-text').textContent =
        doneBytes < totalBytes ? `Fetching ${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB` : 'Starting the first program';
      break;
    }
    case 'running':
      show('running', 'Running');
      screen.terminal.focus();
      break;
    case 'fetching':
      if (body.dataset['state'] === 'running') {
        at('status-text').textContent = message.chunks > 0 ? 'Fetching files' : 'Running';
      }
      break;
    case 'output': {
      const bytes = message.bytes.length;
      document.dispatchEvent(new CustomEvent('friscy-output', { detail: message.bytes }));
      screen.terminal.write(message.bytes, () => send({ type: 'taken', bytes }));
      break;
    }
    case 'exit': {
      const { code, signal } = message;
      const name = command.split(' ')[0]?.split('/').pop() || 'The program';
      body.toggleAttribute('data-failed', signal !== 0 || code !== 0);
      at('exit-title').textContent =
        signal !== 0 ? `${name} was killed by ${SIGNALS[signal] ?? `signal ${signal}`}.` : `${name} exited with status ${code}.`;
      at('exit-text').textContent = 'What it wrote is gone with it.';
      show('exited', signal !== 0 ? `Killed · ${SIGNALS[signal] ?? signal}` : `Exited · ${code}`);
      if (!recording) stop();
      screen.terminal.options.disableStdin = true;
      screen.terminal.options.cursorBlink = false;
      at('exit').focus();
      break;
    }
    case 'profile': {
      const { bytes } = message;
      const asked = waiting.shift();
      if (bytes) asked?.resolve(bytes);
      else asked?.reject(new Error('the machine has not been set up yet'));
      break;
    }
    case 'error':
      fail(message.problem);
      break;
  }
}

function start(): void {
  stop();
  body.removeAttribute('data-failed');
  at<HTMLProgressElement>('bar').value = 0;
  show('loading', 'Loading');
  screen.terminal.options.disableStdin = false;
  screen.terminal.reset();
  if (location.protocol === 'file:') {
    fail({
      title: 'This page has to come from a server.',
      advice: 'Browsers let no page read the files beside it. Any static file server will do; “friscy serve” with this folder is one.',
      detail: location.href,
    });
    return;
  }
  if (typeof WebAssembly === 'undefined' || typeof DecompressionStream === 'undefined') {
    fail({
      title: 'This browser cannot run the machine.',
      advice: 'It needs WebAssembly and DecompressionStream: Chrome or Edge 112, Firefox 121, Safari 18.2, or newer.',
      detail: navigator.userAgent,
    });
    return;
  }
  const own = early?.worker ?? new Worker(new URL('worker.js', document.baseURI), { type: 'module', name: location.search });
  worker = own;
  own.onmessage = ({ data }: MessageEvent<ToPage>) => {
    if (worker === own) receive(data);
  };
  own.onerror = (event) => {
    if (worker !== own) return;
    fail({
      title: 'The machine failed.',
      advice: 'Reload to start again. If the page was just updated, reload without cache.',
      detail: event.message || `${new URL('worker.js', document.baseURI).href} could not be loaded`,
    });
  };
  const failed = early?.failed;
  early = undefined;
  if (failed) {
    own.onerror(failed);
    return;
  }
  send({
    type: 'start',
    cols: screen.terminal.cols,
    rows: screen.terminal.rows,
    pool: Number(query.get('pool')) || 32,
  });
}

at('error-again').addEventListener('click', start);
at('exit-again').addEventListener('click', start);
at('reader').addEventListener('click', () => {
  const on = screen.terminal.options.screenReaderMode !== true;
  screen.terminal.options.screenReaderMode = on;
  at('reader').setAttribute('aria-pressed', String(on));
  screen.terminal.focus();
});

const controlKey = document.querySelector<HTMLButtonElement>('[data-key=ctrl]');
screen.onControlUsed = () => controlKey?.setAttribute('aria-pressed', 'false');
for (const button of document.querySelectorAll<HTMLButtonElement>('#keys button')) {
  // The terminal keeps the focus, and with it the touch keyboard.
  button.addEventListener('pointerdown', (event) => event.preventDefault());
  button.addEventListener('click', () => {
    const key = button.dataset['key'] ?? '';
    if (key === 'ctrl') {
      screen.control = !screen.control;
      button.setAttribute('aria-pressed', String(screen.control));
    } else {
      screen.terminal.input(KEYS[key] ?? '', true);
    }
    screen.terminal.focus();
  });
}

// Tests and embedders read the screen through this, and the raw output through the event `friscy-output`.
Object.assign(globalThis, { friscyScreen: screen.terminal, friscy: { saveProfile } });
start();
