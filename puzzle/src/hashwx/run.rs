//! The hash of a nonce (§3), instruction by instruction.

use super::sip::{SipGenerator, round};
use super::{ADDRESSES, BRANCHES, Instance, Instruction, MEMORY_BYTES, Operation, REGISTERS, ROUNDS, Scramble};

/// Bytes that a program stores: all registers it may write.
const STORED_BYTES: usize = 8 * REGISTERS;

pub(super) fn hash(instance: &Instance, nonce: u64) -> u64 {
    let mut generator = SipGenerator::new(instance.key, nonce);
    let registers: [u64; REGISTERS] = core::array::from_fn(|_| generator.next());
    // §3.1: R8 stays for the whole hash.
    let factor = (registers[0] ^ registers[4]) & !7 | 3;
    let mut machine = Machine { registers, factor, memory: [0; MEMORY_BYTES], stored_from: ADDRESSES };
    machine.memory[ADDRESSES..].copy_from_slice(&factor.to_le_bytes());
    for _ in 0..ROUNDS {
        machine.run::<false>(instance);
    }
    for _ in 0..ROUNDS {
        machine.run::<true>(instance);
    }
    let [r0, r1, r2, r3, r4, r5, r6, r7] = machine.registers;
    let [.., r3] = round([r0, r1, r2, r3]);
    let [.., r7] = round([r4, r5, r6, r7]);
    r3 ^ r7 ^ factor
}

struct Machine {
    registers: [u64; REGISTERS],
    /// R8.
    factor: u64,
    memory: [u8; MEMORY_BYTES],
    /// Where the last program stored the registers: SP.
    stored_from: usize,
}

impl Machine {
    /// One round of all programs, in the second phase with sources that are `LOADED`.
    fn run<const LOADED: bool>(&mut self, instance: &Instance) {
        let mut branches = BRANCHES;
        let [programs @ .., last] = &instance.programs;
        for program in programs {
            while !self.step::<LOADED>(program.scramble, &program.arithmetic) && branches > 0 {
                branches -= 1;
            }
        }
        for _ in 0..=branches {
            self.step::<LOADED>(last.scramble, &last.arithmetic);
        }
    }

    /// One program up to its branch; returns the branch flag.
    #[inline(always)]
    fn step<const LOADED: bool>(&mut self, scramble: Scramble, arithmetic: &[Instruction]) -> bool {
        if !LOADED {
            self.store();
        }
        let Scramble { destination, rotation } = scramble;
        let scrambled = &mut self.registers[destination.index()];
        *scrambled = scrambled.wrapping_mul(self.factor).rotate_right(rotation.into());
        let flag = *scrambled & 1 << 5 != 0;
        for &Instruction { operation, destination, source, immediate } in arithmetic {
            let source = self.registers[source.index()];
            let source = if LOADED { self.load(source) } else { source };
            let target = &mut self.registers[destination.index()];
            *target = apply(operation, *target, source, immediate);
        }
        flag
    }

    #[inline(always)]
    fn load(&self, address: u64) -> u64 {
        let start = (address % ADDRESSES as u64) as usize;
        let bytes = core::array::from_fn(|place| self.memory[start + place]);
        u64::from_le_bytes(bytes)
    }

    /// Downwards from the end of the addresses, R7 first.
    #[inline(always)]
    fn store(&mut self) {
        self.stored_from = self.stored_from.wrapping_sub(STORED_BYTES) % ADDRESSES;
        let space = self.memory[self.stored_from..].as_chunks_mut().0;
        for (space, register) in space.iter_mut().zip(self.registers.iter().rev()) {
            *space = register.to_le_bytes();
        }
    }
}

#[inline(always)]
fn apply(operation: Operation, target: u64, source: u64, immediate: u8) -> u64 {
    let bits = u32::from(immediate);
    let wide = u64::from(immediate);
    let shifted = |target: u64| target.cast_signed().wrapping_shr(bits).cast_unsigned();
    match operation {
        Operation::MulOr => (target | wide).wrapping_mul(source),
        Operation::MulXor => (target ^ wide).wrapping_mul(source),
        Operation::MulAdd => target.wrapping_add(wide).wrapping_mul(source),
        Operation::XorRor => target.rotate_right(bits) ^ source,
        Operation::AddRor => target.rotate_right(bits).wrapping_add(source),
        Operation::SubRor => target.rotate_right(bits).wrapping_sub(source),
        Operation::XorAsr => shifted(target) ^ source,
        Operation::AddAsr => shifted(target).wrapping_add(source),
        Operation::SubAsr => shifted(target).wrapping_sub(source),
        Operation::XorLsr => target.wrapping_shr(bits) ^ source,
        Operation::AddLsr => target.wrapping_shr(bits).wrapping_add(source),
        Operation::SubLsr => target.wrapping_shr(bits).wrapping_sub(source),
    }
}
