import { ENGLISH_WORDS, TAG_LANGUAGES } from './tag-words.js';

/** @import { TagWords } from './tag-words.js' */

/**
 * Words and the tag of their language.
 *
 * @typedef {TagWords & {tag: string}} Texts
 */

/** Words that take longer to come are gone without. */
const WORDS_MS_MAX = 5000;

/**
 * By language: what was fetched, once a page.
 *
 * @type {Map<string, Promise<Texts>>}
 */
const fetched = new Map();

/** @type {Texts} */
export const ENGLISH = { ...ENGLISH_WORDS, tag: 'en' };

/**
 * What the tag says at an element: in the language that was asked for, in that of its part of the page, or in the visitor's.
 *
 * @param {Element} element
 * @param {string} [asked] `auto` counts as nothing
 * @returns {Promise<Texts>} English where there are no others, or they do not come
 */
export function textsFor(element, asked) {
  const own = element.closest('[lang]')?.getAttribute('lang');
  const wanted = [asked, own, ...navigator.languages].map((name) => (name ?? '').toLowerCase().split('-')[0]);
  const tag = wanted.find((name) => name === 'en' || Object.hasOwn(TAG_LANGUAGES, name)) ?? 'en';
  if (tag === 'en') {
    return Promise.resolve(ENGLISH);
  }
  const present = fetched.get(tag) ?? fetchTexts(tag);
  fetched.set(tag, present);
  return present;
}

/** @param {string} tag */
async function fetchTexts(tag) {
  try {
    const url = new URL(TAG_LANGUAGES[tag], import.meta.url);
    const response = await fetch(url, { signal: AbortSignal.timeout?.(WORDS_MS_MAX) });
    return { ...ENGLISH, ...(await response.json()), tag };
  } catch {
    fetched.delete(tag);
    return ENGLISH;
  }
}
