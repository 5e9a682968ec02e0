import { startPage } from './page.js';
import { startWorker } from './worker.js';

// One file is page and worker: a visitor loads it once.
if (typeof document === 'undefined') {
  startWorker();
} else {
  startPage();
}
