//! The generator of pseudorandom numbers (Appendix A).

/// Its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SipKey {
    pub(super) low: u64,
    pub(super) high: u64,
}

impl SipKey {
    pub(super) const fn new(low: [u8; 8], high: [u8; 8]) -> Self {
        Self { low: u64::from_le_bytes(low), high: u64::from_le_bytes(high) }
    }
}

/// What a round mixes.
pub(super) type State = [u64; 4];

/// `SipRound` (A.1).
#[inline(always)]
pub(super) const fn round([mut v0, mut v1, mut v2, mut v3]: State) -> State {
    v0 = v0.wrapping_add(v1);
    v2 = v2.wrapping_add(v3);
    v1 = v1.rotate_right(51) ^ v0;
    v3 = v3.rotate_right(48) ^ v2;
    v0 = v0.rotate_right(32);
    v2 = v2.wrapping_add(v1);
    v0 = v0.wrapping_add(v3);
    v1 = v1.rotate_right(47) ^ v2;
    v3 = v3.rotate_right(43) ^ v0;
    v2 = v2.rotate_right(32);
    [v0, v1, v2, v3]
}

/// The state before a salt is mixed into it (A.2).
pub(super) const fn begin(SipKey { low, high }: SipKey) -> State {
    [
        0x736f_6d65_7073_6575 ^ low,
        0x646f_7261_6e64_6f6d ^ high,
        0x6c79_6765_6e65_7261 ^ low,
        0x7465_6462_7974_6573 ^ high,
    ]
}

/// A stream of numbers: four from each state.
#[derive(Clone, Copy, Debug)]
pub(super) struct SipGenerator {
    key: SipKey,
    state: State,
    /// How many of the state's numbers are left.
    left: usize,
}

impl SipGenerator {
    /// A.2.
    pub(super) fn new(key: SipKey, salt: u64) -> Self {
        let mut state = begin(key);
        state[3] ^= salt;
        state = round(state);
        state[0] ^= salt;
        state[2] ^= 0xbb;
        state = round(round(round(state)));
        Self { key, state, left: state.len() }
    }

    /// A.3: the state from its end, and mixed with the key where it is used up.
    pub(super) fn next(&mut self) -> u64 {
        if self.left == 0 {
            let [v0, v1, v2, v3] = self.state;
            let SipKey { low, high } = self.key;
            self.state = round(round(round(round([v0 ^ low, v1 ^ high, v2 ^ low, v3 ^ high]))));
            self.left = self.state.len();
        }
        self.left -= 1;
        self.state[self.left % self.state.len()]
    }
}
