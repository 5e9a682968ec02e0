/**
 * The page `frame`: it runs our workers for a page of another origin, passes on what they are told and what they say, and has
 * nothing else. Who may hold it in a frame the verifier has said in its policy (`frame-ancestors`).
 */

import { FRAMED } from './framed-worker.js';

/** As `Pool` has them. */
const SCRIPTS = ['{{asset:buying.js}}', '{{asset:hashwx.js}}'].map((name) => new URL(name, import.meta.url).href);
const WORKERS_MAX = 16;

const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy('portcullis', {
  /** @param {string} url */
  createScriptURL(url) {
    if (!SCRIPTS.includes(url)) {
      throw new TypeError('not our script');
    }
    return url;
  },
});
let workers = 0;

addEventListener('message', ({ source, data, ports: [port] }) => {
  const url = SCRIPTS[data?.script];
  if (source === parent && parent !== self && port && url && workers < WORKERS_MAX) {
    serve(port, url);
  }
});

/**
 * @param {MessagePort} port
 * @param {string} url
 */
function serve(port, url) {
  const worker = new Worker(policy ? policy.createScriptURL(url) : url, { type: 'module', name: FRAMED });
  workers++;
  worker.onmessage = ({ data }) => port.postMessage(data);
  worker.onerror = worker.onmessageerror = () => port.postMessage({ lost: true });
  port.onmessage = ({ data }) => {
    if (data === 'end') {
      worker.terminate();
      port.close();
      workers--;
      return;
    }
    // No program from another origin is run here.
    const { puzzle, words, block, rest, lane, solution } = data;
    worker.postMessage({ puzzle, words, block, rest, lane, solution });
  };
  port.postMessage({ alive: true });
}
