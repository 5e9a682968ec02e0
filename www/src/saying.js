import { load, loaded } from './clearing.js';

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
 * @param {boolean} [reachable] whether more may be loaded: where nobody answers, nothing is waited for
 * @returns {Promise<Said>}
 */
export async function sayOr(english, key, element, reachable = true) {
  const late = new Promise((resolve) => setTimeout(resolve, SAY_MS_MAX));
  const words = reachable ? load() : Promise.resolve(loaded);
  const say = words.then((present) => present?.sayAt(element, element.dataset.language));
  const texts = await Promise.race([say, late]).catch(() => undefined);
  return { textContent: texts?.[key] ?? english, lang: texts?.tag ?? 'en', dir: texts?.direction ?? 'ltr' };
}
