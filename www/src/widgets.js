import { BASE_URL, load, loadModule } from './clearing.js';
import { sayOr } from './saying.js';

/** @import { Portcullis, WidgetOptions } from '../portcullis.js' */
/** @import { Widgets } from './widget.js' */

/** Loaded where there is a widget or a form that needs a token, and not before. */
const WIDGET_SCRIPT = '{{asset:widget.js}}';
const LOST_TEXT = 'A part of this page could not be loaded. Please check your connection, then load the page again.';

/** @type {Promise<void>} */
const parsed = new Promise((resolve) => {
  const done = () => resolve();
  if (document.readyState === 'complete') {
    done();
  }
  // Whichever is still to come: scripts of the page that stand behind this one run first.
  document.addEventListener('DOMContentLoaded', done);
  addEventListener('load', done);
});

/** @type {Widgets | undefined} */
let widgets;
/** @type {Promise<Widgets> | undefined} */
let loading;
let widgetsMade = 0;
let explicit = false;
/** Global names that are offered already. */
const offered = new Set();

/** @returns {Promise<Widgets>} */
export function loadWidgets() {
  if (!loading) {
    loading = Promise.all([load(), loadModule(WIDGET_SCRIPT)]).then(
      ([buying, { Widgets: Loaded }]) => (widgets = new Loaded(buying, BASE_URL)),
    );
    // The next one who needs it tries again.
    loading.catch(() => (loading = undefined));
  }
  return loading;
}

/**
 * What scripts of the site call. Who asks for a widget gets its id at once, and the widget when it is loaded.
 *
 * @param {WidgetOptions} usual where a page says nothing else
 * @returns {Portcullis}
 */
function createApi(usual) {
  const later = (/** @type {(loaded: Widgets) => void} */ act) => void loadWidgets().then(act, () => {});
  /** @type {Portcullis} */
  const api = {
    render(place, options) {
      const element = typeof place === 'string' ? document.querySelector(place) : place;
      if (!(element instanceof HTMLElement)) {
        throw new TypeError(`portcullis.render: there is no element ${place}`);
      }
      const id = `portcullis-${++widgetsMade}`;
      loadWidgets().then(
        (loaded) => loaded.render(id, element, usual, options),
        () => tellLoss(element, options),
      );
      return id;
    },
    reset: (which) => later((loaded) => loaded.find(which)?.reset()),
    remove: (which) => later((loaded) => loaded.remove(which)),
    execute(which, options) {
      if (which && options && !widgets?.find(which)) {
        api.render(which, options);
      }
      later((loaded) => loaded.find(which)?.execute());
    },
    getResponse: (which) => widgets?.find(which)?.response,
    isExpired: (which) => widgets?.find(which)?.expired ?? false,
    ready: (callback) => void parsed.then(() => callback()),
  };
  return api;
}

/**
 * Widgets where the page has their elements, unless it says that its scripts make them; then whoever waits for it is called. Each
 * tag in a page may say something else.
 *
 * @param {URLSearchParams} wishes of a tag
 */
export function offerWidgets(wishes) {
  offer('portcullis', 'portcullis');
  if (wishes.get('compat') === 'turnstile') {
    offer('turnstile', 'cf-turnstile');
  }
  explicit ||= wishes.get('render') === 'explicit';
  const waiting = wishes.get('onload');
  if (waiting) {
    parsed.then(() => /** @type {any} */ (globalThis)[waiting]?.());
  }
}

/**
 * @param {string} name that is global
 * @param {string} mark the class of elements, and how the name of their field begins
 */
function offer(name, mark) {
  if (offered.has(name)) {
    return;
  }
  offered.add(name);
  // The other service tries again by itself.
  const api = createApi({ 'response-field-name': `${mark}-response`, retry: name === 'turnstile' ? 'auto' : 'never' });
  /** @type {any} */ (globalThis)[name] = api;
  parsed.then(() => {
    if (!explicit) {
      document.querySelectorAll(`.${mark}[data-sitekey]`).forEach((element) => api.render(/** @type {HTMLElement} */ (element)));
    }
  });
}

/**
 * @param {HTMLElement} element
 * @param {WidgetOptions} [options]
 */
function tellLoss(element, options) {
  element.setAttribute('role', 'alert');
  sayOr(LOST_TEXT, 'tag_lost', element).then((said) => Object.assign(element, said));
  element.dispatchEvent(new CustomEvent('portcullis-error', { bubbles: true, detail: 'network' }));
  const given = options?.['error-callback'] ?? element.dataset.errorCallback ?? '';
  const callback = typeof given === 'string' ? /** @type {any} */ (globalThis)[given] : given;
  callback?.('network');
}
