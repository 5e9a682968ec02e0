/** The WebAssembly solver's glue: made by the build, joined into the script. Numbers may come back signed. */
export function initSync(options: { module: WebAssembly.Module }): unknown;
export function set_challenge_word(index: number, word: number): void;
export function prepare(sub_puzzle: number): void;
/** Tries consecutive nonces; 0 = none solves. */
export function run(nonce_high: number, nonce_low: number, attempts: number): number;
export function found_high(): number;
export function found_low(): number;
