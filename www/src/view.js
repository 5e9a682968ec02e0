import { offerLanguages } from './language.js';
import { say, sayTimeLeft } from './texts.js';
import { WORDS } from './words.js';

/** @import { Progress } from './tabs.js' */
/** @import { TextKey } from './texts.js' */

/** @typedef {'starting' | 'solving' | 'waiting' | 'verifying' | 'done' | 'failed' | 'cancelled' | 'framed'} State */

/** What a visitor sees. The parts stand in the page already; on the small one they are made here. */
export class View {
  #host = location.host;
  #card = part('main', 'card', document.body);
  #site = part('p', 'site', this.#card);
  #title = part('h1', 'title', this.#card);
  #lead = part('p', 'lead', this.#card);
  #bar = /** @type {HTMLProgressElement} */ (part('progress', 'progress', this.#card));
  #status = part('p', 'status', this.#card);
  #action = part('button', 'action', this.#card);
  #request = part('p', 'request', this.#card);
  #languages = part('button', 'language', this.#card);
  #live = part('p', 'live', document.body);
  #announced = 0;
  /**
   * The site's own words, in a language of their own.
   *
   * @type {Partial<Record<TextKey, string>>}
   */
  #own = { title: ownText(this.#title), lead: ownText(this.#lead) };
  #language = this.#title.lang;
  #requestId;
  #failureId = '';
  /**
   * What is shown.
   *
   * @type {Parameters<View['show']>}
   */
  #shown = ['starting', {}];

  /**
   * @param {string} requestId
   * @param {() => void} onAction the one button was pressed
   */
  constructor(requestId, onAction) {
    this.#requestId = requestId;
    if (!this.#site.textContent) {
      this.#site.textContent = this.#host;
    }
    // What the page says already the script does not bring.
    WORDS.lead ??= this.#lead.textContent ?? '';
    this.#live.setAttribute('role', 'status');
    this.#action.setAttribute('type', 'button');
    this.#action.addEventListener('click', onAction);
    offerLanguages(this.#languages, () => this.redraw());
  }

  /** Says everything again, once there are other words. */
  redraw() {
    this.show(...this.#shown);
  }

  /** @returns {State} */
  get state() {
    return /** @type {State} */ (document.documentElement.dataset.state);
  }

  /** @param {string} lane */
  lane(lane) {
    document.documentElement.dataset.lane = lane;
  }

  /**
   * @param {State} state
   * @param {object} texts
   * @param {TextKey} [texts.title]
   * @param {TextKey} [texts.lead]
   * @param {TextKey} [texts.status]
   * @param {'cancel' | 'retry' | 'back'} [texts.action] the button; hidden if there is nothing to do
   * @param {string} [failure]
   */
  show(state, texts, failure) {
    this.#shown = [state, texts, failure];
    const { title = 'title', lead = 'lead', status, action } = texts;
    const page = document.documentElement;
    const { dataset } = page;
    page.lang = WORDS.tag;
    page.dir = WORDS.direction;
    dataset.state = state;
    if (failure) {
      dataset.failure = failure;
    } else {
      delete dataset.failure;
    }
    const values = { host: this.#host };
    this.#bar.setAttribute('aria-label', say('progress_name'));
    this.failed(failure ? this.#failureId : '');
    this.#languages.textContent = `${say('language')}: ${WORDS.name}`;
    document.title = this.#say(this.#title, title);
    this.#say(this.#lead, lead);
    this.#status.textContent = status ? say(status, values) : '';
    this.#bar.hidden = !/^(starting|solving|waiting|verifying)$/.test(state);
    this.#action.hidden = !action;
    if (action) {
      this.#action.dataset.action = action;
      this.#action.textContent = say(action);
    }
  }

  /**
   * @param {HTMLElement} part
   * @param {TextKey} key
   */
  #say(part, key) {
    const own = this.#own[key];
    part.lang = (own && this.#language) || WORDS.tag;
    return (part.textContent = own || say(key, { host: this.#host }));
  }

  /** @param {string} failureId the number of what failed; empty where nothing did */
  failed(failureId) {
    this.#failureId = failureId;
    const request = say('request', { id: this.#requestId });
    this.#request.textContent = failureId ? `${say('failure', { id: failureId })} · ${request}` : request;
  }

  /** @param {Progress} progress */
  progress({ solved, count, seconds }) {
    this.#bar.max = count || 1;
    this.#bar.value = solved;
    const left = seconds === undefined ? '' : sayTimeLeft(seconds);
    const done = say('progress', { solved, count });
    return left ? `${done} · ${left}` : done;
  }

  /** @param {string} text */
  status(text) {
    if (this.#status.textContent !== text) {
      this.#status.textContent = text;
    }
  }

  /**
   * Says something once a visit: start, half, the end, and nothing in between.
   *
   * @param {1 | 2 | 3} stage
   * @param {TextKey} key
   */
  announce(stage, key) {
    if (stage > this.#announced) {
      this.#announced = stage;
      this.#live.textContent = say(key, { host: this.#host });
    }
  }

  /** A new attempt may be announced again. */
  restart() {
    this.#announced = 0;
  }

  /** A link to this address in a tab of its own, for a page in a stranger's frame. */
  offerOwnTab() {
    const link = /** @type {HTMLAnchorElement} */ (part('a', 'open', this.#card));
    link.href = location.href;
    link.target = '_blank';
    link.rel = 'noopener';
    link.textContent = say('open_tab', { host: this.#host });
  }
}

/** @param {HTMLElement} part */
function ownText({ dataset, textContent }) {
  return dataset.own === undefined ? undefined : (textContent ?? '');
}

/**
 * @param {string} tag
 * @param {string} id
 * @param {HTMLElement} parent
 */
function part(tag, id, parent) {
  const found = document.getElementById(id);
  if (found) {
    return found;
  }
  const made = document.createElement(tag);
  made.id = id;
  parent.append(made);
  return made;
}
