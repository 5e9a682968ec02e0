//! What is known of SHA-256 before a message is (FIPS 180-4).

/// The initial state (§5.3.3).
pub(crate) const INITIAL_STATE: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The last block of a message of `len` bytes (§5.1.1), its part of the message still zero. The bit after the message is
/// in it unless it belongs to the block before, because the length leaves no room for it.
pub(crate) const fn padding(len: usize) -> [u8; 64] {
    let mut block = [0; 64];
    block[len % 64] = 0x80;
    let bits = (8 * len as u64).to_be_bytes();
    let mut place = 0;
    while place < bits.len() {
        block[56 + place] = bits[place];
        place += 1;
    }
    block
}

/// A state as the digest that it is at the end.
pub(crate) fn bytes_of(state: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    bytes
}
