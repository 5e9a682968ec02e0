/** @import { Progress } from './tabs.js' */
/** @import { Texts } from './tag-texts.js' */

/** @typedef {'idle' | 'working' | 'done' | 'expired' | 'failed'} BoxState */

const BOX_STYLE = {
  boxSizing: 'border-box',
  padding: '.75rem 1rem',
  border: '1px solid',
  borderRadius: '.5rem',
  background: 'Canvas',
  color: 'CanvasText',
  font: '1rem/1.4 system-ui, sans-serif',
  textAlign: 'start',
};
/** By `data-size`. */
const WIDTHS = /** @type {Record<string, string>} */ ({ compact: '10rem', flexible: '100%', normal: '20rem' });
const SCHEMES = /** @type {Record<string, string>} */ ({ light: 'light', dark: 'dark' });

/** What a visitor sees of a widget. Its look follows the system's colours, nothing in it moves, and each state is said once. */
export class Box {
  #box = document.createElement('div');
  #text = document.createElement('div');
  #bar = document.createElement('progress');
  #button = document.createElement('button');
  #number = document.createElement('div');
  #texts;
  /** @type {BoxState} */
  #state = 'idle';
  /** In which it is to be seen. */
  #seen;
  #again = false;
  #failureId = '';

  /**
   * @param {HTMLElement} element
   * @param {Record<string, any>} options
   * @param {Texts} texts until there are others
   * @param {() => void} retry
   */
  constructor(element, { theme, size, appearance }, texts, retry) {
    this.#texts = texts;
    const quiet = size === 'invisible' || appearance === 'interaction-only';
    this.#seen = (/** @type {BoxState} */ state) =>
      (!quiet || state === 'failed') && (appearance !== 'execute' || state !== 'idle');
    this.#box.className = 'portcullis-box';
    this.#box.setAttribute('role', 'group');
    // Property by property: a site's policy may forbid style attributes.
    const inlineSize = WIDTHS[size] ?? WIDTHS.normal;
    Object.assign(this.#box.style, BOX_STYLE, { inlineSize, maxInlineSize: '100%', colorScheme: SCHEMES[theme] ?? 'light dark' });
    this.#text.setAttribute('role', 'status');
    // A bar that says nothing moves all the time.
    this.progress({ solved: 0, count: 0 });
    Object.assign(this.#bar.style, { display: 'block', inlineSize: '100%', marginBlockStart: '.5rem' });
    this.#button.type = 'button';
    Object.assign(this.#button.style, { font: 'inherit', minBlockSize: '2rem', marginBlockStart: '.5rem' });
    this.#button.addEventListener('click', retry);
    // A narrow widget breaks it where it must.
    Object.assign(this.#number.style, { overflowWrap: 'anywhere', marginBlockStart: '.5rem' });
    this.#box.append(this.#text);
    // Whoever is in it by keyboard is not thrown out of it.
    this.#box.addEventListener('focusout', () => setTimeout(() => this.#draw(), 0));
    this.#draw();
    element.append(this.#box);
  }

  /** @param {Texts} texts */
  speak(texts) {
    this.#texts = texts;
    this.#draw();
  }

  /**
   * @param {BoxState} state
   * @param {boolean} [again] whether there is a button that begins anew
   */
  show(state, again = false) {
    this.#state = state;
    this.#again = again;
    this.#failureId = '';
    this.#draw();
  }

  get state() {
    return this.#state;
  }

  /** @param {string} failureId the number of what failed, for the visitor to pass on */
  number(failureId) {
    this.#failureId = failureId;
    this.#draw();
  }

  /** @param {Progress} progress */
  progress({ solved, count }) {
    this.#bar.max = count || 1;
    this.#bar.value = solved;
  }

  remove() {
    this.#box.remove();
  }

  #draw() {
    const { tag, direction, failure, progress_name: progress, retry } = this.#texts;
    const texts = {
      idle: this.#texts.widget_idle,
      working: this.#texts.widget_working,
      done: this.#texts.widget_done,
      expired: this.#texts.widget_expired,
      failed: this.#texts.widget_failed,
    };
    Object.assign(this.#box, { lang: tag, dir: direction });
    this.#box.dataset.state = this.#state;
    this.#box.setAttribute('aria-label', this.#texts.widget_name);
    this.#bar.setAttribute('aria-label', progress);
    this.#button.textContent = retry;
    if (this.#text.textContent !== texts[this.#state]) {
      this.#text.textContent = texts[this.#state];
    }
    // Removed, not hidden: a site's style may show what is only marked as hidden.
    this.#place(this.#bar, this.#state === 'working');
    if (!this.#again && this.#button.matches(':focus')) {
      // It will be gone: whoever came by keyboard goes on from here.
      this.#text.tabIndex = -1;
      this.#text.focus();
    }
    this.#place(this.#button, this.#again);
    // Last, because it comes later: nothing moves away under a finger.
    this.#number.textContent = failure.replace('{id}', this.#failureId);
    this.#place(this.#number, this.#failureId !== '');
    const isSeen = this.#seen(this.#state) || this.#box.matches(':focus-within');
    this.#box.style.display = isSeen ? 'block' : 'none';
  }

  /**
   * @param {HTMLElement} part
   * @param {boolean} wanted
   */
  #place(part, wanted) {
    if (!wanted) {
      part.remove();
    } else if (!part.parentNode) {
      this.#box.append(part);
    }
  }
}
