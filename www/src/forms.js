import { BASE_URL, TOLD, ensureClearance } from './clearing.js';
import { sayOr } from './saying.js';
import { loadWidgets } from './widgets.js';

/** @import { Outcome } from './buying.js' */
/** @import { Said } from './saying.js' */

const KEPT = 'What you typed is still here.';
const COOKIES_TEXT = `Your browser did not keep the cookie that this site needs. Please allow cookies for this site, then send the form again. ${KEPT}`;
const NOT_SENT_TEXT = `The form could not be sent. ${KEPT} Please try again in a moment.`;

/** Fields of a form may have such names. */
const append = Element.prototype.append;
const remove = Element.prototype.remove;
/** As the browser does it: without an event. */
const nativeSubmit = HTMLFormElement.prototype.submit;
/** Forms that are held back. */
const held = new WeakSet();
/** Forms that are sent now, with all that they need. */
const passing = new WeakSet();

/**
 * A form is sent by the browser once the gate will take it, and where it asks for that with a fresh token. Until then it stays
 * where it is with all that was typed.
 */
export function guardForms() {
  // Before the page's own scripts, so that they find the token.
  addEventListener('submit', guardMarked, true);
  // After all listeners of the page: a form that its scripts send themselves is theirs.
  addEventListener('submit', guardPosted);
  HTMLFormElement.prototype.submit = function submit() {
    guardScripted(this);
  };
  addEventListener('focusin', ({ target }) => {
    const form = target instanceof Element && target.closest('form');
    if (form && needsToken(form)) {
      loadWidgets().then((widgets) => void widgets.prepare(form), () => {});
    }
  });
}

/**
 * `<form data-portcullis data-sitekey="…">`: where the key is missing there is no token, and nothing is sent.
 *
 * @param {HTMLFormElement} form
 */
function needsToken({ dataset }) {
  return (dataset.portcullis ?? 'off') !== 'off';
}

/** @param {SubmitEvent} event */
async function guardMarked(event) {
  const { target: form, submitter } = event;
  if (!(form instanceof HTMLFormElement) || !needsToken(form) || passing.has(form)) {
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  await hold(form, async () => {
    await provide(form, submitter);
    passing.add(form);
    try {
      if (form.isConnected) {
        // A field of the form may have its name.
        HTMLFormElement.prototype.requestSubmit.call(form, submitter);
      } else if (isPostedTo(form, submitter)) {
        send(form, submitter);
      }
    } finally {
      passing.delete(form);
    }
  });
}

/** @param {SubmitEvent} event */
async function guardPosted(event) {
  const { target: form, submitter } = event;
  if (!(form instanceof HTMLFormElement) || event.defaultPrevented || passing.has(form) || !isPostedTo(form, submitter)) {
    return;
  }
  event.preventDefault();
  await hold(form, async () => {
    await ensureOrShow(form, submitter);
    send(form, submitter);
  });
}

/** @param {HTMLFormElement} form that a script sends by itself, without an event */
async function guardScripted(form) {
  const marked = needsToken(form);
  if (!form.isConnected || passing.has(form) || !(marked || isPostedTo(form, null))) {
    nativeSubmit.call(form);
    return;
  }
  // As it is now: what the script does to it in the next line does not count.
  const copy = /** @type {HTMLFormElement} */ (form.cloneNode());
  const data = new FormData(form);
  await hold(form, async () => {
    if (marked) {
      await provide(form, null);
      const name = tokenName(form);
      data.set(name, /** @type {string} */ (new FormData(form).get(name)));
    } else {
      await ensureOrShow(form, null);
    }
    sendCopy(copy, data);
  });
}

/**
 * Gives a form a token in its field.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter
 */
async function provide(form, submitter) {
  if (!form.dataset.sitekey) {
    console.warn('Portcullis: a form has data-portcullis, and no data-sitekey.');
  }
  const widgets = await loadWidgets();
  try {
    await ensure(form, submitter);
  } catch (code) {
    // A verifier that has died does not know what it sold before.
    widgets.forget(form);
    throw code;
  }
  await widgets.provide(form, TOLD);
}

/** @param {HTMLFormElement} form */
function tokenName(form) {
  return form.dataset.responseFieldName || 'portcullis-response';
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
  tell(form, {});
  try {
    await act();
  } catch (code) {
    tell(form, await (code === 'refused' ? sayOr(COOKIES_TEXT, 'tag_form_cookies', form) : sayOr(NOT_SENT_TEXT, 'widget_not_sent', form, false)));
  }
  form.removeAttribute('aria-busy');
  held.delete(form);
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter
 */
async function ensure(form, submitter) {
  if (!isGated(form, submitter)) {
    return;
  }
  const { href, method } = goal(form, submitter);
  /** @type {Outcome} */
  const outcome = await ensureClearance(href, method.toUpperCase());
  if (outcome === 'failed' || outcome === 'refused') {
    throw outcome;
  }
}

/**
 * The same; but where nobody could read why a form was not sent, it is sent, and the gate's own page says it.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter
 */
async function ensureOrShow(form, submitter) {
  await ensure(form, submitter).catch((code) => {
    if (form.isConnected) {
      throw code;
    }
  });
}

/**
 * Whether the browser would post a form to the site.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter
 */
function isPostedTo(form, submitter) {
  return form.dataset.portcullis !== 'off' && goal(form, submitter).method === 'post' && isGated(form, submitter);
}

/**
 * Whether a form goes where the endpoints of this site are known, or may be: to a neighbour, by the last two parts of its name.
 * Elsewhere no clearance would go along.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter
 */
function isGated(form, submitter) {
  const { href, origin } = goal(form, submitter);
  const site = (/** @type {string} */ url) => {
    const { protocol, hostname } = new URL(url);
    return [protocol, ...hostname.split('.').slice(-2)].join('.');
  };
  const { origin: base } = new URL(BASE_URL);
  return (base === location.origin || base === origin) && site(href) === site(location.href);
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
    append.call(form, field);
  }
  if (form.isConnected) {
    nativeSubmit.call(form);
  } else {
    // A script of the page has put another one in its place meanwhile.
    sendCopy(/** @type {HTMLFormElement} */ (form.cloneNode()), new FormData(form));
  }
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
 * Sends what a form was, wherever that is by now.
 *
 * @param {HTMLFormElement} copy without its fields
 * @param {FormData} data
 */
function sendCopy(copy, data) {
  data.forEach((value, name) => {
    const field = document.createElement('input');
    field.name = name;
    if (typeof value === 'string') {
      field.type = 'hidden';
      field.value = value;
    } else {
      field.type = 'file';
      // No file was chosen: a field without one says the same.
      if (value.name || value.size) {
        const files = new DataTransfer();
        files.items.add(value);
        field.files = files.files;
      }
    }
    append.call(copy, field);
  });
  copy.hidden = true;
  document.body.append(copy);
  nativeSubmit.call(copy);
  remove.call(copy);
}

/**
 * @param {HTMLFormElement} form
 * @param {Partial<Said>} said nothing takes it away again
 */
function tell(form, { textContent = '', lang = '', dir = '' }) {
  let note = form.querySelector('.portcullis-alert');
  if (!note && textContent) {
    note = document.createElement('p');
    note.className = 'portcullis-alert';
    note.setAttribute('role', 'alert');
    append.call(form, note);
  }
  if (note) {
    Object.assign(note, { textContent, lang, dir });
  }
}
