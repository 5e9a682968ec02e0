import { WORDS } from './words.js';

/** @import { Words } from './words.js' */

/** @typedef {Exclude<keyof Words, 'tag' | 'more' | 'name' | 'direction'>} TextKey */

/** Words that take longer to come are gone without. */
const WORDS_MS_MAX = 5000;

/**
 * What a visitor reads, in the language of the page. `{…}` is filled in.
 *
 * @param {TextKey} key
 * @param {Record<string, string | number>} [values]
 */
export function say(key, values = {}) {
  // What is seldom said had to be fetched: without it, that is what there is to say.
  return (WORDS[key] ?? WORDS.failed_network).replace(/{(\w+)}/g, (_, name) => String(values[name]));
}

/** Fetches what is seldom said, once. */
export async function needAllWords() {
  if (WORDS.help) {
    return;
  }
  try {
    const url = new URL(WORDS.more, import.meta.url);
    const response = await fetch(url, { signal: AbortSignal.timeout?.(WORDS_MS_MAX) });
    Object.assign(WORDS, await response.json());
  } catch {
    // `say` knows what to say then.
  }
}

/**
 * @param {string} code
 * @returns {TextKey}
 */
export function failureText(code) {
  const key = `failed_${code}`;
  return key in WORDS ? /** @type {TextKey} */ (key) : 'failed_unknown';
}

/**
 * How long it still takes on average, as people say it.
 *
 * @param {number} seconds
 */
export function sayTimeLeft(seconds) {
  if (seconds < 5) {
    return say('left_moment');
  }
  return seconds < 90 ? say('left_seconds', { n: 5 * Math.ceil(seconds / 5) }) : say('left_minutes', { n: Math.ceil(seconds / 60) });
}
