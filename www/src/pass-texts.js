import { WORDS } from './words.js';

/** @import { Words } from './words.js' */

/**
 * What the page of a pass says, in its language. `{…}` is filled in.
 *
 * @param {keyof Words} key
 * @param {number | string} [value]
 */
export function sayOfPass(key, value = '') {
  return WORDS[key].replace(/{\w+}/, () => String(value));
}

/** @param {string} code of a problem, or `network` */
export function refusedText(code) {
  const keys = [`pass_refused_${code}`, `failed_${code}`];
  const key = keys.find((key) => key in WORDS) ?? 'failed_unknown';
  return sayOfPass(/** @type {keyof Words} */ (key));
}

/** @param {number} seconds that the pass still lives */
export function redeemedText(seconds) {
  return seconds >= 5400
    ? sayOfPass('pass_hours', Math.round(seconds / 3600))
    : sayOfPass('pass_minutes', Math.ceil(seconds / 60));
}
