import { authorization } from './session.js';

/** How long it waits before it asks again, and after how long without a word a stream counts as dead. */
const AGAIN_AFTER_MS = 2000;
const SILENT_MS_MAX = 8000;
/** Characters of an event; more than that is none of ours. */
const EVENT_CHARS_MAX = 8000000;

/**
 * What a stream tells.
 *
 * @typedef {object} Listener
 * @property {(name: string, data: any) => void} event
 * @property {(state: 'live' | 'lost' | 'refused' | 'replaced') => void} link
 */

/**
 * Follows the verifier's events. `fetch`, because `EventSource` cannot carry the token.
 */
export class Stream {
  #listener;
  #stopped = new AbortController();

  /** @param {Listener} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  /**
   * Follows a site from now on, and no other any more.
   *
   * @param {string} site
   */
  async follow(site) {
    this.#stopped.abort();
    const stopped = new AbortController();
    this.#stopped = stopped;
    while (!stopped.signal.aborted) {
      const ended = await this.#once(site, stopped.signal);
      if (stopped.signal.aborted) {
        return;
      }
      this.#listener.link(ended);
      if (ended !== 'lost') {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
    }
  }

  /**
   * One stream, until it ends.
   *
   * @param {string} site
   * @param {AbortSignal} stopped
   * @returns {Promise<'lost' | 'refused' | 'replaced'>}
   */
  async #once(site, stopped) {
    const silence = new AbortController();
    const stop = () => silence.abort();
    stopped.addEventListener('abort', stop);
    let timer = setTimeout(stop, SILENT_MS_MAX);
    try {
      const response = await fetch(`/events?site=${encodeURIComponent(site)}`, {
        cache: 'no-store',
        headers: authorization(),
        signal: silence.signal,
      });
      if (response.status === 401) {
        return 'refused';
      }
      if (!response.ok || !response.body) {
        return 'lost';
      }
      const reader = response.body.getReader();
      const decoder = new TextDecoder();
      let text = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done || text.length > EVENT_CHARS_MAX) {
          return 'lost';
        }
        clearTimeout(timer);
        timer = setTimeout(stop, SILENT_MS_MAX);
        text += decoder.decode(value, { stream: true });
        const events = text.split('\n\n');
        text = events.pop() ?? '';
        for (const event of events) {
          if (this.#tell(event) === 'replaced') {
            return 'replaced';
          }
        }
      }
    } catch {
      return 'lost';
    } finally {
      clearTimeout(timer);
      stopped.removeEventListener('abort', stop);
    }
  }

  /**
   * @param {string} event
   * @returns {string} its name
   */
  #tell(event) {
    const name = /^event: (\w+)$/m.exec(event)?.[1] ?? '';
    const data = /^data: (.*)$/m.exec(event)?.[1];
    if (name && name !== 'replaced' && data !== undefined) {
      this.#listener.link('live');
      this.#listener.event(name, JSON.parse(data));
    }
    return name;
  }
}
