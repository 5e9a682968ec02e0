import { TICK_MS } from './patience.js';
import { reportFailure } from './protocol.js';
import { Purchase } from './purchase.js';
import { failureText, needAllWords, say, sayTimeLeft } from './texts.js';
import { View } from './view.js';

/** @import { Progress } from './tabs.js' */

const ASK_EVERY_TICKS = 5;
/** Once a page has given up it asks less often. */
const ASK_EVERY_TICKS_FAILED = 30;

/** The page's side of this script. */
export function startPage() {
  new Visit(document.body.dataset).start();
}

/** One visit: what becomes of the purchase is shown, and once the site would answer the page leaves. */
class Visit {
  #view;
  #purchase;
  #data;
  /** The page answers a GET: it can be fetched again. */
  #repeatable;
  #ticks = 0;
  /** Grows with everything that is shown, so that what waited for its words does not come too late. */
  #scene = 0;

  /** @param {DOMStringMap} data */
  constructor(data) {
    this.#data = data;
    this.#repeatable = /^(get|head)$/i.test(data.method || 'get');
    this.#view = new View(data.requestId ?? '', () => this.#press());
    const { method } = data;
    this.#purchase = new Purchase(
      {
        starting: () => this.#starting(),
        solving: (lane) => this.#solving(lane),
        progressed: (progress) => this.#progressed(progress),
        waiting: () => this.#wait(),
        followed: (progress) => this.#follow(progress),
        verifying: () => this.#verifying(),
        delayed: (code) => this.#view.status(say(code === 'busy' ? 'busy' : 'offline')),
        opened: () => this.#leave(),
        failed: (code, failureId) => this.#fail(code, failureId),
        paused: () => this.#later(() => this.#view.show('waiting', { status: 'paused', action: 'cancel' })),
        outdated: () => this.#reloadOnce(),
      },
      { method },
    );
  }

  start() {
    if (isFramedByStranger()) {
      this.#later(() => {
        this.#view.show('framed', { title: 'title_framed', lead: 'framed' });
        this.#view.offerOwnTab();
      });
      return;
    }
    if (!this.#repeatable || !say('lead')) {
      // It ends otherwise, or it is the small page, which brings no words.
      needAllWords().then(() => this.#view.redraw());
    }
    document.addEventListener('visibilitychange', () => this.#ended() || this.#purchase.look());
    addEventListener('pagehide', () => this.#purchase.rest());
    addEventListener('pageshow', ({ persisted }) => persisted && this.#purchase.look());
    addEventListener('online', () => document.documentElement.dataset.failure === 'network' && this.#purchase.begin());
    setInterval(() => this.#tick(), TICK_MS);
    const { challenge = '', expiresIn } = this.#data;
    // Its seconds are counted from before the request: too early is only a new challenge, too late is a refusal.
    this.#purchase.adopt({ challenge, expires_in: Number(expiresIn) }, 0);
    this.#purchase.begin();
  }

  /**
   * Shows what may need words that did not come with the page, unless something else is shown before they are there.
   *
   * @param {() => void} show
   */
  async #later(show) {
    const scene = ++this.#scene;
    await needAllWords();
    if (scene === this.#scene) {
      show();
    }
  }

  #starting() {
    this.#scene++;
    this.#view.show('starting', { status: 'starting', action: 'cancel' });
    this.#view.progress({ solved: 0, count: 0 });
  }

  /** @param {'hashwx' | 'simd' | 'scalar' | 'javascript'} lane */
  #solving(lane) {
    this.#scene++;
    this.#view.lane(lane);
    this.#view.show('solving', { action: 'cancel' });
    this.#view.announce(1, 'live_start');
  }

  /** @param {Progress} progress */
  #progressed(progress) {
    if (this.#view.state === 'solving') {
      this.#view.status(this.#view.progress(progress));
      if (progress.solved * 2 >= progress.count) {
        this.#view.announce(2, 'live_half');
      }
    }
  }

  /** Another tab solves. */
  #wait() {
    this.#later(() => {
      this.#view.show('waiting', { status: 'waiting', action: 'cancel' });
      this.#view.announce(1, 'waiting');
    });
  }

  /** @param {Progress} progress of the tab that solves */
  #follow(progress) {
    if (this.#view.state === 'waiting') {
      this.#view.status(`${say('waiting')} ${this.#view.progress(progress)}.`);
    }
  }

  #verifying() {
    this.#scene++;
    this.#view.show('verifying', { status: 'verifying', action: 'cancel' });
  }

  /**
   * @param {string} code
   * @param {string} [failureId] the number that the site told
   */
  #fail(code, failureId) {
    this.#later(() => this.#failed(code, failureId));
  }

  /**
   * @param {string} code
   * @param {string} [failureId]
   */
  #failed(code, failureId) {
    const wait = /^(no_progress|outpriced)$/.test(code) ? ticketSeconds() : 0;
    const lead = wait ? 'waits' : failureText(code);
    this.#view.show('failed', { title: 'title_failed', lead, status: 'help', action: 'retry' }, code);
    this.#view.announce(3, lead);
    this.#number(failureId ?? reportFailure(code));
    if (code !== 'cookies') {
      this.#purchase.check();
    }
    if (wait) {
      this.#view.status(sayTimeLeft(wait));
      setTimeout(() => this.#view.state === 'failed' && location.reload(), 1000 * wait);
    }
  }

  /** @param {string | undefined | Promise<string | undefined>} asked the number of this failure, for a visitor to pass on */
  async #number(asked) {
    const scene = this.#scene;
    const id = await asked;
    if (id && scene === this.#scene) {
      this.#view.failed(id);
    }
  }

  /** The site would answer now. A form is not sent twice: its page goes back to it. */
  #leave() {
    this.#scene++;
    this.#view.show('done', {
      title: 'title_done',
      lead: this.#repeatable ? 'done' : 'done_form',
      action: this.#repeatable ? undefined : 'back',
    });
    this.#view.announce(3, this.#repeatable ? 'done' : 'done_form');
    if (this.#repeatable) {
      location.reload();
    }
  }

  /** After an upgrade of the server this page's assets are gone; the next page names the new ones. */
  #reloadOnce() {
    const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType('navigation'));
    if (this.#repeatable && navigation && navigation.type !== 'reload') {
      location.reload();
    }
  }

  #press() {
    const { state } = this.#view;
    if (state === 'done') {
      history.back();
    } else if (state === 'failed' || state === 'cancelled') {
      this.#view.restart();
      this.#purchase.begin();
    } else {
      this.#purchase.stop();
      this.#later(() => this.#view.show('cancelled', { title: 'title_cancelled', lead: 'cancelled', action: 'retry' }));
    }
  }

  #tick() {
    if (this.#ended()) {
      return;
    }
    this.#purchase.tick();
    if (++this.#ticks % (this.#view.state === 'failed' ? ASK_EVERY_TICKS_FAILED : ASK_EVERY_TICKS) === 0) {
      this.#purchase.check();
    }
  }

  #ended() {
    return /^(done|cancelled)$/.test(this.#view.state);
  }
}

/**
 * A browser that cannot calculate may wait as one without script does: the page brought it a ticket.
 *
 * @returns {number} seconds until it is good; 0 without one
 */
function ticketSeconds() {
  const text = document.querySelector('noscript')?.textContent ?? '';
  return Number(/refresh\D+(\d+)/.exec(text)?.[1] ?? 0);
}

/** In a cross-site frame no cookie arrives, whatever is solved. */
function isFramedByStranger() {
  try {
    return window.top !== window && window.top?.location.origin !== location.origin;
  } catch {
    return true;
  }
}
