/**
 * The demo's app. Every part counts what it did and what failed, and says what the site answered; what does not come back as it
 * was sent has failed.
 */

const POLL_MS = 1000;

/** @typedef {'done' | 'failed'} Outcome */

/** @param {string} name */
function partOf(name) {
  return /** @type {HTMLElement} */ (document.querySelector(`[data-part=${name}]`));
}

/**
 * @param {HTMLElement} part
 * @param {Outcome} outcome
 * @param {string} answer
 */
function tell(part, outcome, answer) {
  part.dataset[outcome] = String(Number(part.dataset[outcome]) + 1);
  say(part, '.answer', answer);
  say(part, '.count', `${part.dataset.done} done, ${part.dataset.failed} failed.`);
  const parts = [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-part]'))];
  const sum = (/** @type {Outcome} */ which) => parts.reduce((sum, { dataset }) => sum + Number(dataset[which]), 0);
  const [done, failed] = [sum('done'), sum('failed')];
  const text = failed ? `${failed} of ${done + failed} actions have failed.` : `${done} actions, and none has failed.`;
  say(document.body, '#state', text);
}

/**
 * @param {HTMLElement} where
 * @param {string} selector
 * @param {string} text
 */
function say(where, selector, text) {
  /** @type {HTMLElement} */ (where.querySelector(selector)).textContent = text;
}

/**
 * A part whose form is sent by this script, one at a time.
 *
 * @param {string} name
 * @param {(data: FormData, part: HTMLElement) => Promise<string>} send gives what is to be said, or throws
 */
function sendByScript(name, send) {
  const part = partOf(name);
  const form = /** @type {HTMLFormElement} */ (part.querySelector('form'));
  let busy = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (busy) {
      return;
    }
    busy = true;
    try {
      tell(part, 'done', await send(new FormData(form), part));
      form.reset();
    } catch (error) {
      tell(part, 'failed', `It failed: ${error}`);
    }
    busy = false;
  });
}

/**
 * @param {number} status
 * @param {string} answer
 * @param {string} expected
 */
function check(status, answer, expected) {
  if (status !== 200) {
    throw new Error(`the answer was ${status}`);
  }
  if (!answer.startsWith(expected)) {
    throw new Error('something else came back than was sent');
  }
  return `The site has received: ${answer}`;
}

/**
 * @param {string} url
 * @param {XMLHttpRequestBodyInit} body
 * @param {(sent: number) => void} [progressed] in parts of one
 * @returns {Promise<{status: number, text: string}>}
 */
function post(url, body, progressed) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', url);
    request.upload.addEventListener('progress', ({ loaded, total }) => progressed?.(loaded / total));
    request.addEventListener('load', () => resolve({ status: request.status, text: request.responseText }));
    request.addEventListener('error', () => reject(new Error('no answer')));
    request.send(body);
  });
}

sendByScript('fetch', async (data) => {
  const body = String(data.get('text'));
  const response = await fetch('/app/fetch', { method: 'POST', body });
  return check(response.status, await response.text(), body);
});

sendByScript('xhr', async (data) => {
  const body = String(data.get('text'));
  const { status, text } = await post('/app/xhr', body);
  return check(status, text, body);
});

sendByScript('upload', async (data, part) => {
  const file = /** @type {File} */ (data.get('file'));
  const bar = /** @type {HTMLProgressElement} */ (part.querySelector('progress'));
  const { status, text } = await post('/app/upload', file, (sent) => (bar.value = sent));
  return check(status, text, `${file.size} bytes`);
});

/** The browser sends this form itself, into a frame; the script only looks. */
function watchForm() {
  const part = partOf('form');
  const form = /** @type {HTMLFormElement} */ (part.querySelector('form'));
  const frame = /** @type {HTMLIFrameElement} */ (part.querySelector('iframe'));
  /** @type {string | undefined} */
  let sent;
  form.addEventListener('submit', (event) => {
    if (sent !== undefined) {
      event.preventDefault();
      return;
    }
    sent = String(new FormData(form).get('text'));
  });
  const end = (/** @type {Outcome} */ outcome, /** @type {string} */ answer) => {
    sent = undefined;
    tell(part, outcome, answer);
  };
  frame.addEventListener('load', () => {
    if (sent === undefined) {
      return;
    }
    const received = frame.contentDocument?.getElementById('received')?.textContent;
    // A form has line breaks of its own.
    if (received?.replace(/\r/g, '') === sent.replace(/\r/g, '')) {
      end('done', 'The site has received the message.');
      form.reset();
    } else {
      end('failed', 'It failed: something else came back than was sent.');
    }
  });
  // The form was not sent, and says why.
  new MutationObserver(() => {
    if (sent !== undefined && form.querySelector('.portcullis-alert')?.textContent) {
      end('failed', 'It failed, and the message is still there.');
    }
  }).observe(form, { childList: true, subtree: true, characterData: true });
}
watchForm();

document.body.addEventListener('htmx:afterRequest', (event) => {
  const { successful, xhr, elt } = /** @type {CustomEvent} */ (event).detail;
  if (successful) {
    tell(partOf('htmx'), 'done', 'The site has received the entry.');
    elt.reset();
  } else {
    tell(partOf('htmx'), 'failed', `It failed: the answer was ${xhr.status}`);
  }
});

/** Asks while somebody looks at the page and has not said no. */
async function poll() {
  const wanted = /** @type {HTMLInputElement} */ (document.getElementById('polls')).checked;
  if (wanted && !document.hidden) {
    const part = partOf('poll');
    try {
      const response = await fetch('/app/poll');
      check(response.status, '', '');
      const time = new Date(1000 * Number(await response.text()));
      tell(part, 'done', `It is ${time.toLocaleTimeString()} there.`);
    } catch (error) {
      tell(part, 'failed', `It failed: ${error}`);
    }
  }
  setTimeout(poll, POLL_MS);
}
poll();
