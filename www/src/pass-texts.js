/** Every word that the page of a pass says by itself. `{…}` is filled in by `sayOfPass`. */
const PASS_TEXTS = {
  title_done: 'This device has the pass',
  incomplete: 'This link is not complete. Please open all of it, with the long word behind the # at its end.',
  cookies: 'Your browser does not keep cookies for this site. Please allow them, then open the link again.',
  sending: 'One moment…',
  hours: 'It lasts for about {n} more hours. You can close this page and go on with your work.',
  minutes: 'It lasts for about {n} more minutes. You can close this page and go on with your work.',
  refused_unknown_pass: 'This link does not work any more, or belongs to another site. Please ask for a new one.',
  refused_too_many_devices:
    'This pass is in use on as many devices as it is for. Please use one of them, or ask for a pass of your own.',
  refused_busy: 'The site is too busy to answer. Please try again in a minute.',
  refused_cross_site: 'Another website got in the way. Please open the link directly.',
  refused_network: 'The site could not be reached. Please check your internet connection, then try again.',
  refused_unknown: 'Something unexpected happened. Please try again in a minute.',
};

/** @typedef {keyof typeof PASS_TEXTS} PassTextKey */

/**
 * @param {PassTextKey} key
 * @param {number} [n]
 */
export function sayOfPass(key, n = 0) {
  return PASS_TEXTS[key].replace('{n}', String(n));
}

/** @param {string} code of a problem, or `network` */
export function refusedText(code) {
  const key = `refused_${code}`;
  return sayOfPass(key in PASS_TEXTS ? /** @type {PassTextKey} */ (key) : 'refused_unknown');
}

/** @param {number} seconds that the pass still lives */
export function redeemedText(seconds) {
  return seconds >= 5400 ? sayOfPass('hours', Math.round(seconds / 3600)) : sayOfPass('minutes', Math.ceil(seconds / 60));
}
