import { WORDS } from './words.js';

/** What changes the language is loaded by those who change it. */
const CHANGER = '{{asset:languages.js}}';

/** Under which name `languages.js` keeps a visitor's own choice. */
const KEPT_AS = 'portcullis-language';

/**
 * A visitor may read the page in another language; who has chosen one before gets it again.
 *
 * @param {HTMLElement} button
 * @param {() => void} redraw everything, from `WORDS`
 */
export function offerLanguages(button, redraw) {
  const load = () => import(new URL(CHANGER, import.meta.url).href);
  button.addEventListener('click', () =>
    load().then(({ chooseFrom }) => chooseFrom(button, WORDS, redraw)),
  );
  const kept = keptLanguage();
  if (kept && kept !== WORDS.tag) {
    load().then(({ changeTo }) => changeTo(kept, WORDS, redraw));
  }
}

function keptLanguage() {
  try {
    return localStorage.getItem(KEPT_AS);
  } catch {
    // Where nothing is kept, the browser's own list decides.
    return null;
  }
}
