import { wrapFetch } from './fetching.js';
import { guardForms } from './forms.js';
import { keepClearance } from './renewing.js';
import { wrapXMLHttpRequest } from './xhr.js';

// Once a page, however often the tag stands in it.
const LOADED = Symbol.for('portcullis');
if (!(LOADED in globalThis)) {
  Object.defineProperty(globalThis, LOADED, { value: true });
  wrapFetch();
  wrapXMLHttpRequest();
  keepClearance();
  guardForms();
}
