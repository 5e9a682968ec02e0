import { OWN_URL, load } from './clearing.js';

/** @import { WidgetOptions, Widgets } from './widget.js' */

/** Loaded where there is a widget or a form that needs a token, and not before. */
const WIDGET_SCRIPT = '{{asset:widget.js}}';
const LOST_TEXT = 'A part of this page could not be loaded. Please check your connection, then load the page again.';

const PARAMETERS = new URL(OWN_URL).searchParams;
/** Takes the place of the script that a site has: its global name, its class and its field. */
const TURNSTILE = PARAMETERS.get('compat') === 'turnstile';
const MARK = TURNSTILE ? 'cf-turnstile' : 'portcullis';

/** @type {Widgets | undefined} */
let widgets;
/** @type {Promise<Widgets> | undefined} */
let loading;
let widgetsMade = 0;

/** @returns {Promise<Widgets>} */
export function loadWidgets() {
  if (!loading) {
    loading = Promise.all([load(), import(new URL(WIDGET_SCRIPT, OWN_URL).href)]).then(
      ([buying, { Widgets: Loaded }]) => (widgets = new Loaded(buying, OWN_URL, `${MARK}-response`)),
    );
    // The next one who needs it tries again.
    loading.catch(() => (loading = undefined));
  }
  return loading;
}

/** What scripts of the site call. Who asks for a widget gets its id at once, and the widget when it is loaded. */
const API = {
  /**
   * @param {string | HTMLElement} place an element or a selector of one
   * @param {WidgetOptions} [options]
   * @returns {string} its id
   */
  render(place, options) {
    const element = typeof place === 'string' ? document.querySelector(place) : place;
    if (!(element instanceof HTMLElement)) {
      throw new TypeError(`portcullis.render: there is no element ${place}`);
    }
    const id = `portcullis-${++widgetsMade}`;
    loadWidgets().then(
      (loaded) => loaded.render(id, element, options),
      () => tellLoss(element),
    );
    return id;
  },

  /** @param {string | HTMLElement} [which] its id, its element, or nothing for the first */
  reset: (which) => void loadWidgets().then((loaded) => loaded.find(which)?.reset(), () => {}),

  /** @param {string | HTMLElement} [which] */
  remove: (which) => void loadWidgets().then((loaded) => loaded.remove(which), () => {}),

  /**
   * Begins where it was said that it is to wait for this.
   *
   * @param {string | HTMLElement} [which]
   */
  execute: (which) => void loadWidgets().then((loaded) => loaded.find(which)?.execute(), () => {}),

  /**
   * @param {string | HTMLElement} [which]
   * @returns {string | undefined} the token, while there is one
   */
  getResponse: (which) => widgets?.find(which)?.response,

  /**
   * @param {string | HTMLElement} [which]
   * @returns {boolean}
   */
  isExpired: (which) => widgets?.find(which)?.expired ?? false,

  /** @param {() => void} callback once the page is there */
  ready: (callback) => whenParsed(callback),
};

/** Widgets where the page has their elements, unless it says that its scripts make them; then whoever waits for it is called. */
export function offerWidgets() {
  const names = /** @type {any} */ (globalThis);
  names.portcullis = API;
  if (TURNSTILE) {
    names.turnstile = API;
  }
  whenParsed(() => {
    if (PARAMETERS.get('render') !== 'explicit') {
      document.querySelectorAll(`.${MARK}[data-sitekey]`).forEach((element) => API.render(/** @type {HTMLElement} */ (element)));
    }
    names[PARAMETERS.get('onload') ?? '']?.();
  });
}

/** @param {() => void} act */
function whenParsed(act) {
  if (document.readyState === 'loading') {
    document.addEventListener('DOMContentLoaded', act, { once: true });
  } else {
    act();
  }
}

/** @param {HTMLElement} element */
function tellLoss(element) {
  element.setAttribute('role', 'alert');
  element.textContent = LOST_TEXT;
}
