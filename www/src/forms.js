import { OWN_URL, ensureClearance } from './clearing.js';

/** @import { Outcome } from './buying.js' */

const KEPT = 'What you typed is still here.';
const CODES = {
  refused: `Your browser did not keep the cookie that this site needs. Please allow cookies for this site, then send the form again. ${KEPT}`,
  failed: `The form could not be sent. ${KEPT} Please try again in a moment.`,
};

/** Forms that are held back. */
const held = new WeakSet();

/** A form is posted by the browser once the gate will take it. Until then it stays where it is with all that was typed. */
export function guardForms() {
  // After all listeners of the page: a form that its scripts send themselves is theirs.
  addEventListener('submit', guardPosted);
}

/**
 * @param {SubmitEvent} event
 */
async function guardPosted(event) {
  const form = event.target;
  const isOurs = new URL(OWN_URL).origin === location.origin;
  if (!(form instanceof HTMLFormElement) || event.defaultPrevented || !isOurs) {
    return;
  }
  const { submitter } = event;
  const { method, origin } = goal(form, submitter);
  if (form.dataset.portcullis === 'off' || method !== 'post' || origin !== location.origin) {
    return;
  }
  event.preventDefault();
  await hold(form, async () => {
    await ensure(form, submitter);
    send(form, submitter);
  });
}

/**
 * @param {HTMLFormElement} form
 * @param {() => Promise<void>} act
 */
async function hold(form, act) {
  if (held.has(form)) {
    return;
  }
  held.add(form);
  form.setAttribute('aria-busy', 'true');
  tell(form, '');
  try {
    await act();
  } catch (code) {
    tell(form, code === 'refused' ? CODES.refused : CODES.failed);
  }
  form.removeAttribute('aria-busy');
  held.delete(form);
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter
 */
async function ensure(form, submitter) {
  const { href } = goal(form, submitter);
  /** @type {Outcome} */
  const outcome = await ensureClearance(href);
  if (outcome === 'failed' || outcome === 'refused') {
    throw outcome;
  }
}

/**
 * Where a form goes, and how.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter
 */
function goal(form, submitter) {
  const method = (submitter?.getAttribute('formmethod') ?? form.getAttribute('method') ?? 'get').toLowerCase();
  const action = submitter?.getAttribute('formaction') ?? form.getAttribute('action');
  const { href, origin } = new URL(action || location.href, document.baseURI);
  return { method, href, origin };
}

/**
 * Sends a form as the browser would have done, without asking the page's scripts a second time.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter
 */
function send(form, submitter) {
  const before = ['action', 'method', 'enctype', 'target'].map((name) => {
    const own = form.getAttribute(name);
    const wanted = submitter?.getAttribute(`form${name}`);
    if (wanted != null) {
      form.setAttribute(name, wanted);
    }
    return { name, own };
  });
  const field = document.createElement('input');
  field.type = 'hidden';
  field.name = submitter?.getAttribute('name') ?? '';
  field.value = submitter?.getAttribute('value') ?? '';
  if (field.name) {
    form.append(field);
  }
  HTMLFormElement.prototype.submit.call(form);
  field.remove();
  for (const { name, own } of before) {
    if (own === null) {
      form.removeAttribute(name);
    } else {
      form.setAttribute(name, own);
    }
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {string} text nothing takes it away again
 */
function tell(form, text) {
  let note = form.querySelector('.portcullis-alert');
  if (!note && text) {
    note = document.createElement('p');
    note.className = 'portcullis-alert';
    note.setAttribute('role', 'alert');
    form.append(note);
  }
  if (note) {
    note.textContent = text;
  }
}
