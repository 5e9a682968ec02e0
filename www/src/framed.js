import { SCRIPTS } from './pool.js';

/** @import { Solver } from './pool.js' */

/** A frame that says nothing for so long was not let in by the site's policy, or by the verifier. */
const ALIVE_MS_MAX = 8000;

/**
 * By site key: the frame whose page runs our workers, and its window.
 *
 * @type {Map<string, {element: HTMLIFrameElement, loaded: Promise<Window>}>}
 */
const frames = new Map();
/** Once one was silent, none is tried again: the page solves by itself. */
let silent = false;

/**
 * A page of another origin may not run our workers. A frame of ours may, and does that and nothing else.
 *
 * @param {string} base beside which URL the endpoints are
 * @param {string} key whose hosts may hold such a frame
 * @param {string} url of the worker's script
 * @returns {Solver} in the place of a worker
 */
export function openFramed(base, key, url) {
  if (silent) {
    throw new Error('there is no frame');
  }
  const { port1, port2 } = new MessageChannel();
  const lose = () => {
    silent = true;
    solver.onerror?.();
  };
  const timer = setTimeout(lose, ALIVE_MS_MAX);
  port1.onmessage = ({ data }) => {
    clearTimeout(timer);
    if (data.lost) {
      solver.onerror?.();
    } else if (!data.alive) {
      solver.onmessage?.({ data });
    }
  };
  frameOf(base, key).then((frame) => frame.postMessage({ script: SCRIPTS.indexOf(url) }, new URL(base).origin, [port2]));
  /** @type {Solver} */
  const solver = {
    // What is compiled there was loaded there.
    postMessage: ({ bytes: _bytes, module: _module, ...order }) => port1.postMessage(order),
    terminate() {
      clearTimeout(timer);
      port1.postMessage('end');
      port1.close();
    },
  };
  return solver;
}

/**
 * @param {string} base
 * @param {string} key
 */
function frameOf(base, key) {
  const present = frames.get(key);
  // A script of the page may have taken it out with everything else.
  if (present?.element.isConnected) {
    return present.loaded;
  }
  const url = new URL('frame', base);
  url.search = String(new URLSearchParams({ key }));
  const element = document.createElement('iframe');
  element.title = 'Portcullis';
  element.tabIndex = -1;
  element.style.display = 'none';
  /** @type {Promise<Window>} */
  const loaded = new Promise((resolve) => {
    element.addEventListener('load', () => element.contentWindow && resolve(element.contentWindow), { once: true });
  });
  frames.set(key, { element, loaded });
  element.src = url.href;
  document.body.append(element);
  return loaded;
}
