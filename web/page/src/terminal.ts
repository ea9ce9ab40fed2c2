/** The terminal: xterm.js with the page's fonts and colours. */

import { FitAddon } from '@xterm/addon-fit';
import { type ITheme, Terminal } from '@xterm/xterm';

/** Colours with at least 4.5 : 1 against their paper; the names are those of the ANSI palette. */
const LIGHT: ITheme = {
  background: '#fbfaf7',
  foreground: '#1d1b18',
  cursor: '#1d1b18',
  cursorAccent: '#fbfaf7',
  selectionBackground: '#cfe3dc',
  black: '#1d1b18',
  red: '#a3341f',
  green: '#2c6e2f',
  yellow: '#7d5a00',
  blue: '#2456a6',
  magenta: '#8a3a86',
  cyan: '#0f6a73',
  white: '#5f5a53',
  brightBlack: '#66615a',
  brightRed: '#b8321a',
  brightGreen: '#22752a',
  brightYellow: '#8a5f00',
  brightBlue: '#1e5fc4',
  brightMagenta: '#9b3797',
  brightCyan: '#00707c',
  brightWhite: '#1d1b18',
};

const DARK: ITheme = {
  background: '#161514',
  foreground: '#e9e6e0',
  cursor: '#e9e6e0',
  cursorAccent: '#161514',
  selectionBackground: '#33504a',
  black: '#3a3733',
  red: '#f0937f',
  green: '#9ccc8f',
  yellow: '#e2c07a',
  blue: '#8fb4ef',
  magenta: '#d79fd4',
  cyan: '#7cc6c6',
  white: '#cfcac2',
  brightBlack: '#8d877e',
  brightRed: '#ffab98',
  brightGreen: '#b4e0a8',
  brightYellow: '#f3d595',
  brightBlue: '#abc8fb',
  brightMagenta: '#e8b9e5',
  brightCyan: '#98dcdc',
  brightWhite: '#ffffff',
};

const NARROW_PX = 480;

export interface TerminalEvents {
  input(bytes: Uint8Array): void;
  resize(cols: number, rows: number): void;
  /** The reader asked to leave the terminal. */
  leave(): void;
}

/** The terminal in its place. */
export class Screen {
  readonly terminal: Terminal;
  private readonly fit = new FitAddon();
  private readonly encoder = new TextEncoder();
  private readonly dark = matchMedia('(prefers-color-scheme: dark)');
  /** The next key is to be sent as its control character. */
  control = false;
  onControlUsed: () => void = () => {};

  constructor(place: HTMLElement, events: TerminalEvents) {
    this.terminal = new Terminal({
      allowProposedApi: false,
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      fontFamily: "'DejaVu Sans Mono', ui-monospace, Menlo, Consolas, monospace",
      fontSize: innerWidth < NARROW_PX ? 12 : 14,
      lineHeight: 1.25,
      minimumContrastRatio: 4.5,
      scrollback: 5000,
      theme: this.dark.matches ? DARK : LIGHT,
    });
    this.terminal.loadAddon(this.fit);
    this.terminal.open(place);
    this.fit.fit();
    this.terminal.onData((text) => events.input(this.encoder.encode(this.controlled(text))));
    this.terminal.onBinary((text) => events.input(Uint8Array.from(text, (c) => c.charCodeAt(0))));
    this.terminal.onResize(({ cols, rows }) => events.resize(cols, rows));
    this.terminal.attachCustomKeyEventHandler((event) => {
      if (event.key === 'Escape' && event.shiftKey) {
        if (event.type === 'keydown') events.leave();
        return false;
      }
      return true;
    });
    this.dark.addEventListener('change', () => {
      this.terminal.options.theme = this.dark.matches ? DARK : LIGHT;
    });
    new ResizeObserver(() => {
      this.terminal.options.fontSize = innerWidth < NARROW_PX ? 12 : 14;
      this.fit.fit();
    }).observe(place);
  }

  private controlled(text: string): string {
    if (!this.control) return text;
    this.control = false;
    this.onControlUsed();
    const code = text.toUpperCase().charCodeAt(0);
    return text.length === 1 && code >= 0x40 && code < 0x60 ? String.fromCharCode(code & 0x1f) : text;
  }
}
