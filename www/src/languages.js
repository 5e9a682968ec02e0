import { LANGUAGES } from './languages-list.js';

/** @import { Words } from './words.js' */

/** Under which name the choice is kept, in this browser and nowhere else: `language.js` reads it. */
const KEPT_AS = 'portcullis-language';

/**
 * Puts a list of all languages, each by its own name, in the place of the button.
 *
 * @param {HTMLElement} button
 * @param {Words} words of the page, which are exchanged
 * @param {() => void} redraw
 */
export function chooseFrom(button, words, redraw) {
  const list = document.createElement('select');
  list.id = button.id;
  list.setAttribute('aria-label', words.language);
  for (const [tag, [name]] of Object.entries(LANGUAGES)) {
    const option = new Option(name, tag, false, tag === words.tag);
    option.lang = tag;
    list.append(option);
  }
  list.addEventListener('change', () => changeTo(list.value, words, redraw));
  button.replaceWith(list);
  list.focus();
}

/**
 * @param {string} tag
 * @param {Words} words of the page, which are exchanged
 * @param {() => void} redraw
 */
export async function changeTo(tag, words, redraw) {
  if (!Object.hasOwn(LANGUAGES, tag)) {
    return;
  }
  const response = await fetch(new URL(LANGUAGES[tag][1], import.meta.url));
  Object.assign(words, await response.json());
  document.getElementById('language')?.setAttribute('aria-label', words.language);
  redraw();
  try {
    localStorage.setItem(KEPT_AS, tag);
  } catch {
    // It holds for this page.
  }
}
