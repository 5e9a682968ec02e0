import { REPEATS_MAX, carriesClearance, isStream, keepBody, readRefusal, settle } from './clearing.js';

/**
 * Requests that were made of a stream, which a browser does not say of them: they can be sent only once.
 *
 * @type {WeakSet<object>}
 */
const streaming = new WeakSet();

/** A request whose answer is the gate's is sent once more after it was paid for. */
export function wrapFetch() {
  markStreaming();
  const native = globalThis.fetch;
  /**
   * @param {RequestInfo | URL} input
   * @param {RequestInit} [init]
   */
  globalThis.fetch = async function fetch(input, init) {
    const repeatable = repeatableFetch(input, init);
    if (!repeatable) {
      return native.call(globalThis, input, init);
    }
    const { first, again, signal, method, credentials } = repeatable;
    let began = performance.now();
    let response = await native.call(globalThis, ...first);
    let bought = false;
    for (let repeats = 0; repeats < REPEATS_MAX; repeats++) {
      const { status, url, headers, redirected } = response;
      const refused = readRefusal(status, url, method, (name) => headers.get(name), began);
      const moved = redirected && !/^(get|head)$/i.test(method);
      const carries = credentials !== 'omit' && carriesClearance(url, credentials === 'include');
      if (!refused || moved || !carries || (bought && refused.challenge)) {
        break;
      }
      const outcome = await unlessAborted(settle(refused), signal);
      if (outcome === 'failed' || outcome === 'refused') {
        break;
      }
      bought ||= outcome === 'bought';
      began = performance.now();
      response = await native.call(globalThis, ...again());
    }
    return response;
  };
}

/**
 * @typedef {object} RepeatableFetch
 * @property {[RequestInfo | URL, RequestInit?]} first
 * @property {() => [RequestInfo | URL, RequestInit?]} again
 * @property {AbortSignal | null | undefined} signal
 * @property {string} method
 * @property {RequestCredentials | undefined} credentials
 */

/** From now on it is known of every `Request` whether it was made of a stream. */
function markStreaming() {
  const { clone } = Request.prototype;
  globalThis.Request = new Proxy(Request, {
    construct(native, given, made) {
      const request = Reflect.construct(native, given, made);
      const [input, init] = given;
      return mark(request, isStream(init?.body) || isStreaming(input, init));
    },
  });
  Request.prototype.clone = function () {
    return mark(clone.call(this), streaming.has(this));
  };
}

/**
 * @param {Request} request
 * @param {boolean} streams
 */
function mark(request, streams) {
  if (streams) {
    streaming.add(request);
  }
  return request;
}

/**
 * @param {RequestInfo | URL} input
 * @param {RequestInit} [init] whose body takes the place of the request's
 */
function isStreaming(input, init) {
  return input instanceof Request && streaming.has(input) && init?.body == null;
}

/**
 * What the page asked for, kept so that it can be sent again.
 *
 * @param {RequestInfo | URL} input
 * @param {RequestInit} [init]
 * @returns {RepeatableFetch | undefined} nothing for what can be sent only once
 */
function repeatableFetch(input, init) {
  const request = input instanceof Request ? input : undefined;
  const body = keepBody(init?.body);
  const headers = /** @type {any} */ (init?.headers);
  // An iterator of headers is read by sending them.
  if (body === undefined || isStreaming(input, init) || typeof headers?.next === 'function') {
    return;
  }
  const method = init?.method ?? request?.method ?? 'GET';
  const signal = init && 'signal' in init ? init.signal : request?.signal;
  const credentials = init?.credentials ?? request?.credentials;
  /** @type {any} */
  const kept = init && {};
  // What it inherits, too: it may be a `Request`.
  for (const name in init) {
    kept[name] = init[/** @type {keyof RequestInit} */ (name)];
  }
  if (headers) {
    kept.headers = new Headers(headers);
  }
  if (kept?.body) {
    kept.body = body;
  }
  // The body of a `Request` is read by sending it.
  const reads = request && !request.bodyUsed && !init?.body && !/^(get|head)$/i.test(request.method);
  const spare = reads ? request.clone() : undefined;
  const again = () => /** @type {[RequestInfo | URL, RequestInit?]} */ ([spare?.clone() ?? input, kept]);
  return { first: [input, init], again, signal, method, credentials };
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<T>}
 */
function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal?.reason);
    if (signal?.aborted) {
      abort();
    }
    signal?.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal?.removeEventListener('abort', abort));
  });
}
