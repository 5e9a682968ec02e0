/** @import { Progress } from './tabs.js' */

/** Every word that a visitor reads in a widget. */
const WORDS = {
  name: 'Protection against floods of requests',
  progress: 'Progress',
  idle: 'A short calculation is needed before this form can be sent.',
  working: 'Your device does a short calculation. There is nothing for you to do.',
  done: 'Ready. The form can be sent.',
  expired: 'This took a while. The calculation has to be done once more.',
  failed: 'The calculation did not work. What you typed is still here.',
  retry: 'Try again',
};

/** @typedef {'idle' | 'working' | 'done' | 'expired' | 'failed'} BoxState */

const BOX_STYLE = {
  boxSizing: 'border-box',
  display: 'block',
  padding: '.75rem 1rem',
  border: '1px solid',
  borderRadius: '.5rem',
  background: 'Canvas',
  color: 'CanvasText',
  font: '1rem/1.4 system-ui, sans-serif',
};
/** Width of a widget by its `data-size`. */
const WIDTHS = /** @type {Record<string, string>} */ ({ compact: '10rem', flexible: '100%', normal: '20rem' });
const SCHEMES = /** @type {Record<string, string>} */ ({ light: 'light', dark: 'dark' });

/** What a visitor sees of a widget. Its look follows the system's colours; it is said aloud once a state. */
export class Box {
  #box = document.createElement('div');
  #text = document.createElement('div');
  #bar = document.createElement('progress');
  #button = document.createElement('button');
  #invisible;

  /**
   * @param {HTMLElement} element
   * @param {Record<string, any>} options
   * @param {() => void} retry
   */
  constructor(element, { theme, size }, retry) {
    this.#invisible = size === 'invisible';
    this.#box.className = 'portcullis-box';
    this.#box.lang = 'en';
    this.#box.dir = 'ltr';
    this.#box.setAttribute('role', 'group');
    this.#box.setAttribute('aria-label', WORDS.name);
    // Property by property: a site's policy may forbid style attributes.
    const inlineSize = WIDTHS[size] ?? WIDTHS.normal;
    Object.assign(this.#box.style, BOX_STYLE, { inlineSize, maxInlineSize: '100%', colorScheme: SCHEMES[theme] ?? 'light dark' });
    this.#text.setAttribute('role', 'status');
    this.#bar.setAttribute('aria-label', WORDS.progress);
    Object.assign(this.#bar.style, { display: 'block', inlineSize: '100%', marginBlockStart: '.5rem' });
    this.#button.type = 'button';
    this.#button.textContent = WORDS.retry;
    Object.assign(this.#button.style, { font: 'inherit', minBlockSize: '24px', marginBlockStart: '.5rem' });
    this.#button.addEventListener('click', () => {
      retry();
      // The button is gone: whoever came by keyboard goes on from here.
      this.#text.tabIndex = -1;
      this.#text.focus();
    });
    this.#box.append(this.#text);
    element.append(this.#box);
  }

  /** @param {BoxState} state */
  show(state) {
    this.#box.dataset.state = state;
    this.#text.textContent = WORDS[state];
    // Removed, not hidden: a site's style may show what is only marked as hidden.
    this.#place(this.#bar, state === 'working');
    this.#place(this.#button, state === 'failed');
    this.#box.hidden = this.#invisible && state !== 'failed';
    this.#box.style.display = this.#box.hidden ? 'none' : 'block';
  }

  /** @param {Progress} progress */
  progress({ solved, count }) {
    this.#bar.max = count || 1;
    this.#bar.value = solved;
  }

  remove() {
    this.#box.remove();
  }

  /**
   * @param {HTMLElement} part
   * @param {boolean} wanted
   */
  #place(part, wanted) {
    if (wanted) {
      this.#box.append(part);
    } else {
      part.remove();
    }
  }
}
