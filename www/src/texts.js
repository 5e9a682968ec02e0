/** Every word that a visitor reads, in one place. `{…}` is filled in by `say`. */
const TEXTS = {
  title: 'One moment, please',
  title_waiting: 'One moment, please',
  title_done: 'Thank you',
  title_failed: 'That did not work',
  title_cancelled: 'Stopped',
  title_framed: 'Please open this page on its own',
  lead:
    'This site protects itself against a flood of automated requests. Before the page opens, your device does a short calculation. There is nothing for you to do. No other company takes part, and nothing about you is stored.',
  starting: 'Getting ready…',
  progress: '{solved} of {count} steps done',
  progress_left: '{solved} of {count} steps done, {left}',
  waiting: 'Another tab of this browser is doing the calculation. This one opens together with it.',
  paused: 'Paused. It goes on when you come back to this tab.',
  verifying: 'Checking the result…',
  busy: 'The site is very busy right now. Trying again in a few seconds…',
  offline: 'No connection. Trying again in a few seconds…',
  done: 'Done. The page opens now.',
  done_form: 'Done. Please go back to your form and send it again. What you typed should still be there.',
  cancelled: 'You stopped the calculation. The page cannot open without it.',
  framed: 'This page is shown inside another website. For your safety it only opens in a tab of its own.',
  left_moment: 'a few seconds left',
  left_seconds: 'about {n} seconds left',
  left_minutes: 'about {n} minutes left',
  cancel: 'Cancel',
  retry: 'Try again',
  back: 'Back to your form',
  open_tab: 'Open {host} in a new tab',
  progress_name: 'Progress',
  request: 'Request {id}',
  help: 'If this keeps happening, please tell the people who run this site, and give them the request number below.',
  live_start: 'The calculation has started. The page opens by itself when it is done.',
  live_half: 'Half done.',
  failed_forged: 'This page was out of date. Please try again.',
  failed_expired: 'This took longer than allowed. Please try again. It helps to keep this tab in front and close other programs.',
  failed_used: 'What your device had calculated was already used up. Please try again.',
  failed_outpriced: 'The traffic rose while your device was calculating. Please try again.',
  failed_busy: 'The site is too busy to answer. Please try again in a minute.',
  failed_wrong_client: 'Your connection changed on the way, for example from Wi-Fi to mobile. Please try again.',
  failed_wrong_site: 'This page belongs to another address. Please try again.',
  failed_unsolved: 'Your browser calculated a wrong result. Please try again, or use another browser.',
  failed_malformed: 'Your browser sent something that the site did not understand. Please try again, or use another browser.',
  failed_cross_site: 'Another website got in the way. Please open this page directly, by its address.',
  failed_network: 'The site could not be reached. Please check your internet connection, then try again.',
  failed_no_progress: 'Your browser could not do the calculation. Please try again, or use another browser or device.',
  waits: 'Your browser could not do the calculation, so it waits instead. The page opens by itself.',
  failed_cookies: 'Your browser did not keep the cookie that opens the page. Please allow cookies for this site, then try again.',
  failed_unknown: 'Something unexpected happened. Please try again in a minute.',
};

/** @typedef {keyof typeof TEXTS} TextKey */

/**
 * @param {TextKey} key
 * @param {Record<string, string | number>} [values]
 */
export function say(key, values = {}) {
  return TEXTS[key].replace(/{(\w+)}/g, (_, name) => String(values[name]));
}

/**
 * @param {string} code
 * @returns {TextKey}
 */
export function failureText(code) {
  const key = `failed_${code}`;
  return key in TEXTS ? /** @type {TextKey} */ (key) : 'failed_unknown';
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
