import { Box } from './box.js';

/** @import { Progress } from './tabs.js' */
/** @import { Token, TokenPurchase, TokenWish } from './token.js' */

/** @typedef {typeof import('./buying.js')} Buying */
/** @typedef {(wish: TokenWish, progressed: (progress: Progress) => void) => TokenPurchase} Buy */

/**
 * As in `data-…` of the element, or with hyphens as scripts give them. Callbacks are functions or names of global ones.
 *
 * @typedef {object} WidgetOptions
 * @property {string} [sitekey]
 * @property {string} [action] at most 32 characters; comes back from `siteverify`
 * @property {string} [cdata] at most 255 characters; comes back from `siteverify`
 * @property {string | ((token: string) => void)} [callback]
 * @property {string | (() => void)} [expired-callback]
 * @property {string | ((code: string) => void)} [error-callback]
 * @property {string} [theme] `light`, `dark` or `auto`
 * @property {string} [size] `normal`, `compact`, `flexible` or `invisible`
 * @property {string} [language] of the words around it; those of the widget are English
 * @property {string} [response-field-name]
 * @property {string | boolean} [response-field] `false` for none
 * @property {string} [execution] `execute` waits for a call of that name
 * @property {string} [refresh-expired] `never` and `manual` leave it expired
 */

/** A token that is good for less than this is not sent: the form and its back end take their time. */
const SPARE_MS = 20_000;

/** All widgets of a page, and the tokens of its forms. */
export class Widgets {
  #buying;
  #base;
  #fieldName;
  /** @type {Map<string, Widget>} */
  #widgets = new Map();
  /**
   * What was begun when somebody turned to a form.
   *
   * @type {WeakMap<HTMLFormElement, Promise<Token>>}
   */
  #prepared = new WeakMap();
  /** @type {Buy} */
  #buy = (wish, progressed) => this.#buying.buyToken(this.#base, wish, progressed);

  /**
   * @param {Buying} buying
   * @param {string} base beside which URL the endpoints are
   * @param {string} fieldName of hidden fields
   */
  constructor(buying, base, fieldName) {
    this.#buying = buying;
    this.#base = base;
    this.#fieldName = fieldName;
  }

  /**
   * @param {string} id
   * @param {HTMLElement} element
   * @param {WidgetOptions} [options]
   */
  render(id, element, options) {
    this.find(element)?.remove();
    this.#widgets.set(id, new Widget(element, readOptions(element, options), this.#fieldName, this.#buy));
  }

  /** @param {string | HTMLElement} [which] an id, an element or its selector; nothing for the first */
  find(which) {
    if (which === undefined) {
      return [...this.#widgets.values()][0];
    }
    const element = typeof which === 'string' ? (this.#widgets.get(which)?.element ?? document.querySelector(which)) : which;
    return [...this.#widgets.values()].find((widget) => widget.element === element);
  }

  /** @param {string | HTMLElement} [which] */
  remove(which) {
    const widget = this.find(which);
    widget?.remove();
    for (const [id, other] of this.#widgets) {
      if (other === widget) {
        this.#widgets.delete(id);
      }
    }
  }

  /**
   * Somebody turns to a form: its token will be there when it is to be sent.
   *
   * @param {HTMLFormElement} form
   */
  prepare(form) {
    if (!this.#prepared.has(form)) {
      const { sitekey = '', action, cdata } = form.dataset;
      const { result } = this.#buy({ key: sitekey, action, cdata }, () => {});
      this.#prepared.set(form, result);
      result.catch(() => this.#prepared.delete(form));
    }
  }

  /**
   * Gives a form a fresh token in its hidden field. Fails with a code.
   *
   * @param {HTMLFormElement} form
   */
  async provide(form) {
    const note = this.#buying.openNote();
    try {
      let token = await this.#take(form);
      if (token.until < performance.now() + SPARE_MS) {
        token = await this.#take(form);
      }
      fieldOf(form, form.dataset.responseFieldName ?? this.#fieldName).value = token.token;
    } finally {
      note.remove();
    }
  }

  /**
   * @param {HTMLFormElement} form
   * @returns {Promise<Token>} what was prepared, which is good once: the next time there is another
   */
  async #take(form) {
    this.prepare(form);
    const token = /** @type {Promise<Token>} */ (this.#prepared.get(form));
    this.#prepared.delete(form);
    return token;
  }
}

/** One element of a page that gets tokens for the form it stands in. */
class Widget {
  element;
  #options;
  #box;
  #buy;
  /** @type {HTMLInputElement | undefined} */
  #field;
  /** @type {TokenPurchase | undefined} */
  #purchase;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  response = '';
  expired = false;

  /**
   * @param {HTMLElement} element
   * @param {Record<string, any>} options
   * @param {string} fieldName
   * @param {Buy} buy
   */
  constructor(element, options, fieldName, buy) {
    this.element = element;
    this.#options = options;
    this.#buy = buy;
    this.#box = new Box(element, options, () => this.reset());
    if (String(options.responseField) !== 'false') {
      this.#field = fieldOf(element, options.responseFieldName ?? fieldName);
    }
    if (options.execution === 'execute') {
      this.#box.show('idle');
    } else {
      this.execute();
    }
  }

  /** Begins, unless it has begun. */
  execute() {
    if (this.#purchase || this.response) {
      return;
    }
    this.expired = false;
    this.#box.show('working');
    const { sitekey = '', action, cdata } = this.#options;
    this.#purchase = this.#buy({ key: sitekey, action, cdata }, (progress) => this.#box.progress(progress));
    this.#purchase.result.then(
      (token) => this.#take(token),
      (code) => this.#fail(code),
    );
  }

  reset() {
    this.#clear();
    this.execute();
  }

  remove() {
    this.#clear();
    this.#field?.remove();
    this.#box.remove();
  }

  /** @param {Token} token */
  #take({ token, until }) {
    this.#purchase = undefined;
    this.#put(token);
    this.#box.show('done');
    this.#timer = setTimeout(() => this.#expire(), until - performance.now());
    this.#tell('callback', 'solved', token);
  }

  #expire() {
    this.#clear();
    this.expired = true;
    this.#box.show('expired');
    this.#tell('expiredCallback', 'expired');
    if (/^(never|manual)$/.test(this.#options.refreshExpired)) {
      return;
    }
    // Whoever looks gets the next one; nobody else has to work for it.
    const again = () => {
      if (!document.hidden && this.expired) {
        this.execute();
      }
      return this.expired;
    };
    if (again()) {
      document.addEventListener('visibilitychange', again, { once: true });
    }
  }

  /** @param {string} code */
  #fail(code) {
    this.#purchase = undefined;
    this.#box.show('failed');
    this.#tell('errorCallback', 'error', code);
  }

  #clear() {
    clearTimeout(this.#timer);
    this.#purchase?.stop();
    this.#purchase = undefined;
    this.expired = false;
    this.#put('');
  }

  /** @param {string} token */
  #put(token) {
    this.response = token;
    if (this.#field) {
      this.#field.value = token;
    }
  }

  /**
   * @param {string} option the callback's
   * @param {string} type of the event, which bubbles
   * @param {string} [detail]
   */
  #tell(option, type, detail) {
    this.element.dispatchEvent(new CustomEvent(`portcullis-${type}`, { bubbles: true, detail }));
    const given = this.#options[option];
    const callback = typeof given === 'function' ? given : /** @type {any} */ (globalThis)[given];
    if (typeof callback === 'function') {
      callback(detail);
    }
  }
}

/**
 * @param {HTMLElement} element
 * @param {WidgetOptions} [options] before what stands in the element
 * @returns {Record<string, any>}
 */
function readOptions(element, options = {}) {
  const camel = (/** @type {string} */ name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
  return { ...element.dataset, ...Object.fromEntries(Object.entries(options).map(([name, value]) => [camel(name), value])) };
}

/**
 * @param {HTMLElement} element
 * @param {string} name
 * @returns {HTMLInputElement} the hidden field of this name, made if it is missing
 */
function fieldOf(element, name) {
  const found = [...element.querySelectorAll('input')].find((input) => input.name === name);
  if (found) {
    return found;
  }
  const field = document.createElement('input');
  field.type = 'hidden';
  field.name = name;
  element.append(field);
  return field;
}
