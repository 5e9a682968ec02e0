import { load } from './clearing.js';

/** @import { TagWords } from './tag-words.js' */

/**
 * A text and its language, as an element takes them.
 *
 * @typedef {{textContent: string, lang: string, dir: string}} Said
 */

/** Words of another language that take longer to come are gone without. */
const SAY_MS_MAX = 2_000;

/**
 * What is to be said at an element, in its language: its words come with what solves.
 *
 * @param {string} english what is said where they do not come
 * @param {keyof TagWords} key
 * @param {HTMLElement} element
 * @returns {Promise<Said>}
 */
export async function sayOr(english, key, element) {
  const late = new Promise((resolve) => setTimeout(resolve, SAY_MS_MAX));
  const words = load().then(({ sayAt }) => sayAt(element, element.dataset.language));
  const texts = await Promise.race([words, late]).catch(() => undefined);
  return { textContent: texts?.[key] ?? english, lang: texts?.tag ?? 'en', dir: texts?.direction ?? 'ltr' };
}
