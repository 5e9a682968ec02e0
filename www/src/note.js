import { textsFor } from './tag-texts.js';

/** @import { Progress } from './tabs.js' */

/** What takes no longer is not worth a word. */
const NOTE_AFTER_MS = 1000;

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

/**
 * Says that something takes its time, and how far our own part of it is; or, with a button in the place of the bar, what did not
 * work: in the language of the page.
 */
export class Note {
  #box = document.createElement('div');
  #bar = document.createElement('progress');
  #button = document.createElement('button');
  #number = document.createElement('div');
  #key;
  #failureId;
  #removed = false;
  #timer = setTimeout(() => this.#show(), NOTE_AFTER_MS);

  /**
   * @param {'tag_note' | 'tag_busy' | 'tag_cookies'} [key]
   * @param {Promise<string | undefined>} [failureId] the number of what did not work: it stays until the visitor has read it
   */
  constructor(key = 'tag_note', failureId) {
    this.#key = key;
    this.#failureId = failureId;
    this.#box.className = 'portcullis-note';
    // Property by property: a site's policy may forbid style attributes.
    Object.assign(this.#box.style, NOTE_STYLE, failureId && { pointerEvents: 'auto' });
    // A bar that says nothing moves all the time.
    this.progress({ solved: 0, count: 0 });
    Object.assign(this.#bar.style, { display: 'block', inlineSize: '100%', marginBlockStart: '.5rem' });
    this.#button.type = 'button';
    Object.assign(this.#button.style, { font: 'inherit', marginBlockStart: '.5rem' });
    this.#button.addEventListener('click', () => this.remove());
  }

  /** @param {Progress} progress */
  progress({ solved, count }) {
    this.#bar.max = count || 1;
    this.#bar.value = solved;
  }

  remove() {
    this.#removed = true;
    clearTimeout(this.#timer);
    this.#box.remove();
  }

  async #show() {
    const texts = await textsFor(document.documentElement);
    if (this.#removed) {
      return;
    }
    Object.assign(this.#box, { lang: texts.tag, dir: texts.direction });
    // It stands outside of all that the page has: whoever goes from part to part finds it.
    this.#box.setAttribute('role', 'region');
    this.#box.setAttribute('aria-label', texts.widget_name);
    this.#bar.setAttribute('aria-label', texts.progress_name);
    this.#button.textContent = texts.tag_close;
    const text = document.createElement('div');
    text.setAttribute('role', 'status');
    this.#box.append(text);
    if (this.#failureId) {
      this.#box.append(this.#button, this.#number);
    } else if (this.#key === 'tag_note') {
      this.#box.append(this.#bar);
    }
    document.body.append(this.#box);
    // A live region speaks of what changes in it after it stands there.
    setTimeout(() => (text.textContent = texts[this.#key]), 0);
    const id = await this.#failureId;
    this.#number.textContent = id ? texts.failure.replace('{id}', id) : '';
  }
}
