/**
 * What the tab that solves tells the others.
 *
 * @typedef {{solved: number, count: number, seconds?: number}} Progress
 */

/**
 * @typedef {{kind: 'beat' | 'watch' | 'done' | 'gone', id: number, established?: boolean, progress?: Progress,
 *   failure?: string}} Message
 */

/**
 * @typedef {object} TabEvents
 * @property {() => void} yielded another tab solves, this one waits
 * @property {(progress: Progress) => void} progressed the other tab
 * @property {(failure?: string) => void} orphaned the other tab is gone
 * @property {() => void} opened the other tab has a clearance
 */

/** A tab that has solved for so long is not displaced by one that begins. */
const ESTABLISHED_MS = 1000;
const BEAT_MS_MIN = 900;
/** Calls of `tick`, one a second: as calls they stand still while a tab is frozen. */
const MISSED_BEATS_MAX = 3;
const WATCHED_MS = 4000;

/**
 * Lets one tab of a browser solve for all. Web Locks are missing on plain HTTP, so the tabs talk: whoever begins says
 * so, begins at once, and gives way to a tab that was first, or among equals to the lower number.
 */
export class Tabs {
  #id = Math.random();
  /** @type {'none' | 'solver' | 'follower'} */
  #role = 'none';
  #since = 0;
  #beatAt = -Infinity;
  #watchedAt = -Infinity;
  #missedBeats = 0;
  /** @type {BroadcastChannel | undefined} */
  #channel;
  #name;
  #events;

  /**
   * @param {TabEvents} events
   * @param {string} [base] a URL of the origin whose clearance they want
   */
  constructor(events, base = location.href) {
    this.#events = events;
    this.#name = 'portcullis ' + new URL(base).origin;
  }

  /** Whether this one waits for another. */
  get following() {
    return this.#role === 'follower';
  }

  /** Whether another tab that somebody looks at waits for this one. */
  get watched() {
    return performance.now() - this.#watchedAt < WATCHED_MS;
  }

  /** @param {Progress} progress */
  claim(progress) {
    this.#open();
    if (this.#role !== 'solver') {
      this.#role = 'solver';
      this.#since = performance.now();
    }
    this.#beat(progress);
  }

  /**
   * @param {'done' | 'gone'} [kind]
   * @param {string} [failure]
   */
  leave(kind = 'gone', failure) {
    if (this.#role === 'solver') {
      this.#send({ kind, failure });
    }
    this.#role = 'none';
  }

  /** So that the page can rest in the back/forward cache. */
  close() {
    this.#channel?.close();
    this.#channel = undefined;
  }

  /**
   * Timers of a hidden tab may come once a minute: the solver also calls this with every report of its workers.
   *
   * @param {Progress} progress
   */
  pulse(progress) {
    if (this.#role === 'solver' && performance.now() - this.#beatAt > BEAT_MS_MIN) {
      this.#beat(progress);
    }
  }

  /**
   * Once a second.
   *
   * @param {boolean} patient whether nobody waits for this tab, though somebody may look at it
   */
  tick(patient) {
    if (!this.following) {
      return;
    }
    if (!document.hidden && !patient) {
      this.#send({ kind: 'watch' });
    }
    if (++this.#missedBeats > MISSED_BEATS_MAX) {
      this.#events.orphaned();
    }
  }

  #open() {
    if (!this.#channel && typeof BroadcastChannel === 'function') {
      this.#channel = new BroadcastChannel(this.#name);
      this.#channel.onmessage = ({ data }) => this.#hear(data);
    }
  }

  /** @param {Progress} progress */
  #beat(progress) {
    this.#beatAt = performance.now();
    this.#progress = progress;
    this.#send({ kind: 'beat', established: this.#established(), progress });
  }

  /** @type {Progress} */
  #progress = { solved: 0, count: 0 };

  #established() {
    return performance.now() - this.#since > ESTABLISHED_MS;
  }

  /** @param {Omit<Message, 'id'>} message */
  #send(message) {
    this.#channel?.postMessage({ ...message, id: this.#id });
  }

  /** @param {Message} message */
  #hear({ kind, id, established, progress, failure }) {
    if (this.#role === 'none') {
      return;
    }
    if (kind === 'watch') {
      this.#watchedAt = performance.now();
    } else if (kind === 'done') {
      this.#events.opened();
    } else if (kind === 'gone') {
      if (this.#role === 'follower') {
        this.#events.orphaned(failure);
      }
    } else if (this.#role === 'solver') {
      const mine = this.#established();
      if (mine === established ? id < this.#id : established) {
        this.#role = 'follower';
        this.#missedBeats = 0;
        this.#events.yielded();
      } else {
        this.#beat(this.#progress);
      }
    } else {
      this.#missedBeats = 0;
      this.#events.progressed(progress ?? this.#progress);
    }
  }
}
