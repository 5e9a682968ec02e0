import { Box } from './box.js';

/** @import { WidgetOptions } from '../portcullis.js' */
/** @import { Note } from './note.js' */
/** @import { Progress } from './tabs.js' */
/** @import { Token, TokenPurchase, TokenWish } from './token.js' */

/** @typedef {typeof import('./buying.js')} Buying */
/** @typedef {(wish: TokenWish, progressed: (progress: Progress) => void) => TokenPurchase} Buy */

/** A token that is good for less than this is not sent: the form and its back end take their time. */
const SPARE_MS = 20_000;
/** A page that stays open does not calculate for ever: after an hour somebody has to ask. */
const REFRESHES_MAX = 12;
/** How often in a row it is tried again by itself, and after how long where the page does not say. */
const RETRIES_MAX = 12;
const RETRY_MS = 8_000;
const RETRY_MS_MAX = 900_000;
/** So long after an error nothing is begun: a script of the page that begins anew at every error does not go round and round. */
const FAILED_MS_MIN = 1_000;
/** Another attempt would not help against these. */
const LASTING_CODES = ['malformed', 'wrong_site', 'no_progress'];

/** All widgets of a page, and the tokens of its forms. */
export class Widgets {
  #buying;
  #base;
  /** @type {Map<string, Widget>} */
  #widgets = new Map();
  /**
   * What was begun when somebody turned to a form.
   *
   * @type {WeakMap<HTMLFormElement, Promise<Token>>}
   */
  #prepared = new WeakMap();
  /**
   * Where that is told.
   *
   * @type {WeakMap<HTMLFormElement, Note>}
   */
  #notes = new WeakMap();
  /** @type {Buy} */
  #buy = (wish, progressed) => this.#buying.buyToken(this.#base, wish, progressed);

  /**
   * @param {Buying} buying
   * @param {string} base beside which URL the endpoints are
   */
  constructor(buying, base) {
    this.#buying = buying;
    this.#base = base;
    // Out of the back/forward cache: what a form had was sent, or is too old.
    addEventListener('pageshow', ({ persisted }) => {
      if (persisted) {
        this.#widgets.forEach((widget) => widget.response && widget.reset());
      }
    });
  }

  /**
   * @param {string} id
   * @param {HTMLElement} element
   * @param {WidgetOptions} usual where neither the element nor the options say otherwise
   * @param {WidgetOptions} [options]
   */
  render(id, element, usual, options) {
    this.remove(element);
    this.#widgets.set(id, new Widget(element, readOptions(element, usual, options), this.#buying, this.#buy));
  }

  /** @param {string | HTMLElement} [which] an id, an element or its selector; nothing for the first */
  find(which) {
    const widgets = [...this.#widgets.values()];
    if (which === undefined) {
      return widgets[0];
    }
    if (typeof which === 'string') {
      return this.#widgets.get(which) ?? widgets.find(({ element }) => element.matches(which));
    }
    return widgets.find(({ element }) => element === which);
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
   * @returns {Promise<Token>}
   */
  prepare(form) {
    const present = this.#prepared.get(form);
    if (present) {
      return present;
    }
    const { sitekey = '', action, cdata, language } = form.dataset;
    // Whoever loses the connection is told so in words that are here already.
    this.#buying.sayAt(form, language);
    const progressed = (/** @type {Progress} */ progress) => this.#notes.get(form)?.progress(progress);
    const { result } = this.#buy({ key: sitekey, action, cdata }, progressed);
    this.#prepared.set(form, result);
    result.catch(() => this.#prepared.delete(form));
    return result;
  }

  /** @param {HTMLFormElement} form that gets a new token the next time */
  forget(form) {
    this.#prepared.delete(form);
  }

  /**
   * Gives a form a fresh token in its hidden field. Fails with a code.
   *
   * @param {HTMLFormElement} form
   * @param {boolean} told whether a note says so when it takes longer
   */
  async provide(form, told) {
    const note = told ? this.#buying.openNote() : undefined;
    if (note) {
      this.#notes.set(form, note);
    }
    try {
      let token = await this.#take(form);
      if (token.left() < SPARE_MS) {
        token = await this.#take(form);
      }
      fieldOf(form, form.dataset.responseFieldName || 'portcullis-response').value = token.token;
    } catch (code) {
      console.warn(`Portcullis: no token (${code})`);
      throw code;
    } finally {
      note?.remove();
      this.#notes.delete(form);
    }
  }

  /**
   * @param {HTMLFormElement} form
   * @returns {Promise<Token>} what was prepared, which is good once: the next time there is another
   */
  async #take(form) {
    const token = this.prepare(form);
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
  /** @type {Token | undefined} */
  #token;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #refreshes = 0;
  #retries = 0;
  /** To be tried again once somebody looks. */
  #due = false;
  /** A reading of `performance.now()`. */
  #failedAt = -Infinity;
  #listening = new AbortController();
  response = '';
  expired = false;

  /**
   * @param {HTMLElement} element
   * @param {Record<string, any>} options
   * @param {Buying} buying
   * @param {Buy} buy
   */
  constructor(element, options, { sayAt, sayInEnglish }, buy) {
    this.element = element;
    this.#options = options;
    this.#buy = buy;
    this.#box = new Box(element, options, sayInEnglish(), () => this.#begin());
    sayAt(element, options.language).then((texts) => this.#box.speak(texts));
    if (String(options.responseField) !== 'false') {
      this.#field = fieldOf(element, options.responseFieldName);
    }
    const { signal } = this.#listening;
    // Whoever looks gets the next token; for nobody else it is worked.
    document.addEventListener('visibilitychange', () => this.#look(), { signal });
    if (options.execution !== 'execute') {
      this.execute();
    }
  }

  /** Begins, unless it has begun. */
  execute() {
    if (this.#purchase || this.response) {
      return;
    }
    clearTimeout(this.#timer);
    this.expired = this.#due = false;
    this.#box.show('working');
    this.#box.progress({ solved: 0, count: 0 });
    const early = this.#failedAt + FAILED_MS_MIN - performance.now();
    if (early > 0) {
      this.#timer = setTimeout(() => this.#work(), early);
    } else {
      this.#work();
    }
  }

  #work() {
    const { sitekey = '', action, cdata } = this.#options;
    const purchase = this.#buy({ key: sitekey, action, cdata }, (progress) => this.#box.progress(progress));
    this.#purchase = purchase;
    purchase.result.then(
      (token) => this.#take(token),
      (code) => this.#fail(code, purchase.failureId),
    );
  }

  /** As it was made: it begins at once, or waits for `execute`. */
  reset() {
    this.#clear();
    this.#refreshes = this.#retries = 0;
    if (this.#options.execution === 'execute') {
      this.#box.show('idle');
    } else {
      this.execute();
    }
  }

  remove() {
    this.#clear();
    this.#listening.abort();
    this.#field?.remove();
    this.#box.remove();
  }

  /** Somebody has pressed the button. */
  #begin() {
    this.#clear();
    this.#refreshes = this.#retries = 0;
    this.execute();
  }

  /** @param {Token} token */
  #take(token) {
    this.#purchase = undefined;
    this.#retries = 0;
    this.#token = token;
    this.#put(token.token);
    this.#box.show('done');
    this.#timer = setTimeout(() => this.#expire(), token.left());
    this.#tell('callback', 'solved', token.token);
  }

  #expire() {
    this.#clear();
    this.expired = true;
    this.#box.show('expired', true);
    this.#tell('expiredCallback', 'expired');
    this.#refresh();
  }

  #refresh() {
    const allowed = !/^(never|manual)$/.test(this.#options.refreshExpired) && this.#options.execution !== 'execute';
    if (this.expired && allowed && !document.hidden && this.#refreshes < REFRESHES_MAX) {
      this.#refreshes++;
      this.execute();
    }
  }

  /**
   * @param {string} code
   * @param {Promise<string | undefined>} number
   */
  #fail(code, number) {
    this.#purchase = undefined;
    this.#failedAt = performance.now();
    this.#box.show('failed', true);
    this.#number(number);
    const { retry, retryInterval } = this.#options;
    if (retry === 'auto' && !LASTING_CODES.includes(code) && this.#retries < RETRIES_MAX) {
      this.#retries++;
      const ms = Number(retryInterval);
      this.#timer = setTimeout(() => this.#retry(), ms > 0 && ms < RETRY_MS_MAX ? ms : RETRY_MS);
    }
    // Whoever calls back with something true has dealt with it.
    if (!this.#tell('errorCallback', 'error', code)) {
      console.warn(`Portcullis: no token (${code})`);
    }
    if (code === 'no_progress') {
      this.#call('unsupportedCallback');
    }
  }

  /** @param {Promise<string | undefined>} asked the number of this failure */
  async #number(asked) {
    const failedAt = this.#failedAt;
    const id = await asked;
    if (id && failedAt === this.#failedAt && this.#box.state === 'failed') {
      this.#box.number(id);
    }
  }

  #retry() {
    this.#due = document.hidden;
    if (!this.#due) {
      this.execute();
    }
  }

  #look() {
    if (this.response && this.#token && this.#token.left() <= 0) {
      // The machine has slept, and timers with it.
      this.#expire();
    } else if (this.expired) {
      this.#refresh();
    } else if (this.#due) {
      this.#retry();
    }
  }

  #clear() {
    clearTimeout(this.#timer);
    this.#purchase?.stop();
    this.#purchase = undefined;
    this.expired = this.#due = false;
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
   * @returns {unknown} what the callback says
   */
  #tell(option, type, detail) {
    this.element.dispatchEvent(new CustomEvent(`portcullis-${type}`, { bubbles: true, detail }));
    return this.#call(option, detail);
  }

  /**
   * @param {string} option the callback's
   * @param {string} [detail]
   * @returns {unknown}
   */
  #call(option, detail) {
    const given = this.#options[option];
    const callback = typeof given === 'string' ? /** @type {any} */ (globalThis)[given] : given;
    return typeof callback === 'function' ? callback(detail) : undefined;
  }
}

/**
 * @param {HTMLElement} element
 * @param {WidgetOptions} usual behind what stands in the element
 * @param {WidgetOptions} [options] before it
 * @returns {Record<string, any>} by the names of a `dataset`
 */
function readOptions(element, usual, options = {}) {
  return { ...asData(usual), ...element.dataset, ...asData(options) };
}

/** @param {WidgetOptions} options */
function asData(options) {
  const camel = (/** @type {string} */ name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name === 'cData' ? 'cdata' : camel(name), value]));
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
