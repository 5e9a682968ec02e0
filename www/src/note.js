/** @import { Progress } from './tabs.js' */

/** What takes no longer is not worth a word. */
const NOTE_AFTER_MS = 1000;
const NOTE_TEXT = 'This site protects itself against a flood of requests. Your device does a short calculation, then it goes on.';

/** In a corner of the site's own page, and in the colours of the visitor's system. */
const NOTE_STYLE = {
  position: 'fixed',
  insetBlockEnd: '1rem',
  insetInlineEnd: '1rem',
  zIndex: '2147483647',
  boxSizing: 'border-box',
  maxInlineSize: 'min(22rem, calc(100vw - 2rem))',
  padding: '.75rem 1rem',
  border: '1px solid',
  borderRadius: '.5rem',
  background: 'Canvas',
  color: 'CanvasText',
  font: '1rem/1.4 system-ui, sans-serif',
  pointerEvents: 'none',
};

/** Says that something takes its time, and how far it is; or, with a button in the place of the bar, what did not work. */
export class Note {
  #box = document.createElement('div');
  #bar = document.createElement('progress');
  #text;
  #part;
  #timer = setTimeout(() => this.#show(), NOTE_AFTER_MS);

  /**
   * @param {string} [text]
   * @param {boolean} [stays] until the visitor has read it
   */
  constructor(text = NOTE_TEXT, stays = false) {
    this.#text = text;
    this.#part = stays ? this.#button() : this.#bar;
    this.#box.className = 'portcullis-note';
    // It stands beside all that the page has: who goes by landmarks finds it too.
    this.#box.setAttribute('role', 'region');
    this.#box.setAttribute('aria-label', 'A message of this site');
    this.#box.lang = 'en';
    this.#box.dir = 'ltr';
    // Property by property: a site's policy may forbid style attributes.
    Object.assign(this.#box.style, NOTE_STYLE, stays && { pointerEvents: 'auto' });
    this.#bar.setAttribute('aria-label', 'Progress');
    Object.assign(this.#bar.style, { display: 'block', inlineSize: '100%', marginBlockStart: '.5rem' });
  }

  /** @param {Progress} progress */
  progress({ solved, count }) {
    this.#bar.max = count || 1;
    this.#bar.value = solved;
  }

  remove() {
    clearTimeout(this.#timer);
    this.#box.remove();
  }

  #button() {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Close';
    Object.assign(button.style, { font: 'inherit', marginBlockStart: '.5rem' });
    button.addEventListener('click', () => this.remove());
    return button;
  }

  #show() {
    const text = document.createElement('div');
    text.setAttribute('role', 'status');
    this.#box.append(text, this.#part);
    document.body.append(this.#box);
    // A live region speaks of what changes in it after it stands there.
    setTimeout(() => (text.textContent = this.#text), 0);
  }
}
