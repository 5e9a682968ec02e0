import { offerLanguages } from './language.js';
import { redeemedText, refusedText, sayOfPass } from './pass-texts.js';
import { WORDS } from './words.js';

/** A request that hangs longer than this counts as not heard. */
const PASS_REQUEST_MS_MAX = 15000;

/** @param {string} id */
function partOfPass(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @typedef {'ready' | 'sending' | 'done' | 'failed' | 'incomplete'} PassState */

/** What is shown, and what says it: in another language it says it again. */
let shownPass = { state: /** @type {PassState} */ ('ready'), status: () => '' };
const languageButton = document.createElement('button');

/**
 * What the page is doing; its look follows from that.
 *
 * @param {PassState} state
 * @param {() => string} status
 */
function showPass(state, status) {
  shownPass = { state, status };
  document.documentElement.dataset.state = state;
  partOfPass('action').hidden = state === 'done' || state === 'incomplete';
  partOfPass('next').hidden = state !== 'done';
  partOfPass('status').textContent = status();
  partOfPass('title').textContent = sayOfPass(state === 'done' ? 'pass_title_done' : 'pass_title');
  languageButton.textContent = `${WORDS.language}: ${WORDS.name}`;
}

/** Says everything again, once there are other words. */
function redrawPass() {
  const page = document.documentElement;
  page.lang = WORDS.tag;
  page.dir = WORDS.direction;
  document.title = sayOfPass('pass_title');
  partOfPass('lead').textContent = sayOfPass('pass_lead');
  partOfPass('action').textContent = sayOfPass('pass_use');
  partOfPass('open').textContent = sayOfPass('pass_open');
  partOfPass('request').textContent = sayOfPass('request', document.body.dataset.requestId);
  showPass(shownPass.state, shownPass.status);
}

/** @returns {string | undefined} the secret, which never leaves the address by itself */
function secretOfLink() {
  return /^#([\w-]{43})$/.exec(location.hash)?.[1];
}

/** Looks at the link: when the page opens, and when another link is opened in its place. */
function readLink() {
  if (!secretOfLink()) {
    showPass('incomplete', () => sayOfPass('pass_incomplete'));
  } else if (navigator.cookieEnabled) {
    showPass('ready', () => '');
  } else {
    showPass('failed', () => sayOfPass('pass_cookies'));
  }
}

/** @param {string} secret */
async function postSecret(secret) {
  try {
    const response = await fetch(new URL('pass', import.meta.url), {
      method: 'POST',
      cache: 'no-store',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ secret }),
      signal: AbortSignal.timeout?.(PASS_REQUEST_MS_MAX),
    });
    const { ok = false, code = 'unknown', expires_in: expiresIn = 0 } = await response.json();
    return { ok: response.ok && ok, code, expiresIn };
  } catch {
    return { ok: false, code: 'network', expiresIn: 0 };
  }
}

/** The button was pressed: now the secret goes to the site, in the body of a request, and nowhere else. */
async function usePass() {
  const secret = secretOfLink();
  if (!secret || document.documentElement.dataset.state === 'sending') {
    return;
  }
  showPass('sending', () => sayOfPass('title'));
  const { ok, code, expiresIn } = await postSecret(secret);
  if (!ok) {
    showPass('failed', () => refusedText(code));
    return;
  }
  // Whoever looks at the address now, or goes back to it, finds no secret there.
  history.replaceState(null, '', location.pathname);
  showPass('done', () => redeemedText(expiresIn));
  partOfPass('title').focus();
}

languageButton.id = 'language';
languageButton.type = 'button';
partOfPass('card').append(languageButton);
offerLanguages(languageButton, redrawPass);
partOfPass('action').addEventListener('click', usePass);
addEventListener('hashchange', readLink);
readLink();
