/** The glue of the solver of `hashwx`: made by the build, joined into the script. Numbers may come back signed. */
export function initSync(options: { module: WebAssembly.Module }): unknown;
export function set_challenge_word(index: number, word: number): void;
/** The length in bytes of the module that tries a block of nonces; {@link module_word} gives it. */
export function write_module(sub_puzzle: number, block_high: number, block_low: number): number;
export function module_word(index: number): number;
export function set_nonce(sub_puzzle: number, high: number, low: number): void;
export function find_guard(): void;
export function guard_high(): number;
export function guard_low(): number;
