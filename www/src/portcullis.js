import { OWN_URL } from './clearing.js';
import { wrapFetch } from './fetching.js';
import { guardForms } from './forms.js';
import { keepClearance } from './renewing.js';
import { offerWidgets } from './widgets.js';
import { wrapXMLHttpRequest } from './xhr.js';

// Once a page, however often the tag stands in it; but what each tag says of widgets counts.
const LOADED = Symbol.for('portcullis');
const page = /** @type {any} */ (globalThis);
if (!(LOADED in page)) {
  Object.defineProperty(page, LOADED, { value: offerWidgets });
  wrapFetch();
  wrapXMLHttpRequest();
  keepClearance();
  guardForms();
}
page[LOADED](new URL(OWN_URL).searchParams);
