import { REPEATS_MAX, carriesClearance, keepBody, readRefusal, settle } from './clearing.js';

/** @import { Refused } from './clearing.js' */

/** What tells a page that there is an answer. */
const ANSWER_EVENTS = ['loadstart', 'readystatechange', 'progress', 'load', 'error', 'timeout', 'loadend'];

/** The page's requests keep their object, their listeners and their settings; it never sees the gate's answer. */
export function wrapXMLHttpRequest() {
  globalThis.XMLHttpRequest = class XMLHttpRequest extends globalThis.XMLHttpRequest {
    /** @type {any[]} */
    #opened = [];
    /** @type {[string, string][]} */
    #headers = [];
    /** @type {any} */
    #body;
    #began = 0;
    #repeats = 0;
    #bought = false;
    /** @type {Refused | undefined} */
    #refused;
    #repeatable = false;
    /** Between the gate's answer and the repeated request the page sees one that was sent and not yet answered. */
    #held = false;
    /** Grows with every request, so that what was awaited for an earlier one is dropped. */
    #turn = 0;

    constructor() {
      super();
      for (const type of ANSWER_EVENTS) {
        // Before any listener of the page: those that capture come first, and among them the oldest.
        this.addEventListener(type, (event) => this.#hear(event), true);
      }
    }

    get readyState() {
      return this.#held ? super.OPENED : super.readyState;
    }

    get status() {
      return this.#held ? 0 : super.status;
    }

    /** @param {any[]} given */
    open(...given) {
      this.#turn++;
      this.#held = false;
      this.#headers = [];
      this.#repeats = 0;
      this.#bought = false;
      this.#opened = given;
      // @ts-expect-error it has two forms, and passes on what it was given
      super.open(...given);
    }

    /**
     * @param {string} name
     * @param {string} value
     */
    setRequestHeader(name, value) {
      super.setRequestHeader(name, value);
      this.#headers.push([name, value]);
    }

    /** @param {Document | XMLHttpRequestBodyInit | null} [body] */
    send(body) {
      this.#body = keepBody(body);
      this.#repeatable = this.#opened[2] ?? true;
      this.#began = performance.now();
      super.send(body);
    }

    abort() {
      // Of a request that has its answer, the browser has nothing to tell.
      const silent = this.#held && super.readyState === super.DONE;
      this.#turn++;
      this.#held = false;
      super.abort();
      if (silent) {
        this.dispatchEvent(new ProgressEvent('abort'));
        this.dispatchEvent(new ProgressEvent('loadend'));
      }
    }

    /** @param {Event} event */
    #hear(event) {
      if (!event.isTrusted) {
        return;
      }
      if (!this.#held && super.readyState === super.HEADERS_RECEIVED) {
        this.#refused = this.#readRefusal();
        this.#held = this.#refused !== undefined;
      }
      const begunAgain = event.type === 'loadstart' && this.#repeats > 0;
      if (this.#held || begunAgain) {
        event.stopImmediatePropagation();
        if (event.type === 'loadend') {
          this.#pay();
        }
      }
    }

    /** @returns {Refused | undefined} nothing where the answer is not the gate's, or cannot be followed */
    #readRefusal() {
      if (!this.#repeatable || this.#repeats >= REPEATS_MAX) {
        return;
      }
      const [method, url] = this.#opened;
      const header = (/** @type {string} */ name) => super.getResponseHeader(name);
      const refused = readRefusal(super.status, super.responseURL, method, header, this.#began);
      const moved = super.responseURL !== new URL(url, document.baseURI).href.replace(/#.*/, '');
      const followed =
        refused &&
        carriesClearance(refused.url, super.withCredentials) &&
        (!moved || /^(get|head)$/i.test(method)) &&
        !(this.#bought && refused.challenge);
      return followed ? refused : undefined;
    }

    async #pay() {
      const turn = this.#turn;
      const outcome = await settle(/** @type {Refused} */ (this.#refused));
      if (turn !== this.#turn) {
        return;
      }
      if (outcome === 'failed' || outcome === 'refused') {
        this.#held = false;
        this.dispatchEvent(new Event('readystatechange'));
        this.dispatchEvent(new ProgressEvent('load'));
        this.dispatchEvent(new ProgressEvent('loadend'));
        return;
      }
      this.#bought ||= outcome === 'bought';
      this.#repeats++;
      // @ts-expect-error it has two forms
      super.open(...this.#opened);
      for (const [name, value] of this.#headers) {
        super.setRequestHeader(name, value);
      }
      this.#held = false;
      this.#began = performance.now();
      super.send(this.#body);
    }
  };
}
