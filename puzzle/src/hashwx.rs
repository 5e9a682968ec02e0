//! HashWX: a hash function made of random programs, another one for every seed.
//!
//! Written from its public specification alone (`tevador/hashwx`, `doc/specification.md`, commit
//! `14b5cb7259545e490ea7d54396fb41a673236825`); its test vectors are tests here. The sections named below are those of
//! that document.
//!
//! An instance is 32 small programs and a key. A hash runs the programs 512 times in all: the first half fills 16 KiB of
//! memory, the second half reads them at addresses that the data decide.

// Numbers are taken modulo the length of a table before they are narrowed. An instruction that is not inlined costs more
// than it does. The memory is one page of stack, so that a check needs no allocation.
#![allow(clippy::cast_possible_truncation, clippy::inline_always, clippy::large_stack_arrays)]

mod generate;
mod run;
mod sip;

use sip::SipKey;

/// Programs of an instance.
pub const PROGRAMS: usize = 32;
/// Arithmetic instructions of a program, after its [`Scramble`].
pub const ARITHMETIC: usize = 7;
/// Registers that programs write.
pub const REGISTERS: usize = 8;
/// How often the programs are run in each of the two phases of a hash (§3.2, §3.3).
pub const ROUNDS: usize = 4;
/// How many branches are taken in a round.
pub const BRANCHES: u32 = 32;
/// What addresses are taken modulo, in bytes.
pub const ADDRESSES: usize = 16_384;
/// Memory in bytes: the last eight are read only by loads that straddle the end of the addresses.
pub const MEMORY_BYTES: usize = ADDRESSES + 8;

/// One of the registers R0 to R7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register(u8);

impl Register {
    /// Its number, 0 to 7.
    #[must_use]
    pub const fn index(self) -> usize {
        (self.0 % REGISTERS as u8) as usize
    }
}

/// What an arithmetic instruction does with destination, immediate and source (§1.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are what the specification calls them")]
pub enum Operation {
    MulOr,
    MulXor,
    MulAdd,
    XorRor,
    AddRor,
    SubRor,
    XorAsr,
    AddAsr,
    SubAsr,
    XorLsr,
    AddLsr,
    SubLsr,
}

/// An arithmetic instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub operation: Operation,
    /// What it changes.
    pub destination: Register,
    /// What it reads, or in the second phase the address of what it reads.
    pub source: Register,
    /// 1, 9 or 33 where it multiplies, else by how many bits it rotates or shifts: 1 to 63.
    pub immediate: u8,
}

/// The instruction `RMCG`: multiplies by R8, rotates right, and decides the program's branch: it is taken where bit 5 is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scramble {
    /// What it changes.
    pub destination: Register,
    /// By how many bits it rotates, 1 to 63.
    pub rotation: u8,
}

/// One program: all registers are stored (in the first phase), one is scrambled, seven instructions follow, then a branch
/// back to the beginning: in the last program always, in the others where the scrambled register says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Index 1 of the specification's table.
    pub scramble: Scramble,
    /// Indexes 2 to 8.
    pub arithmetic: [Instruction; ARITHMETIC],
}

/// A hash function.
#[derive(Clone, Debug)]
pub struct Instance {
    programs: [Program; PROGRAMS],
    key: SipKey,
}

impl Instance {
    /// The hash function of a seed (§2).
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        let (programs, key) = generate::instance(seed);
        Self { programs, key }
    }

    /// Its programs, for whoever compiles them.
    #[must_use]
    pub const fn programs(&self) -> &[Program; PROGRAMS] {
        &self.programs
    }

    /// The two words of the key from which a nonce's registers are made.
    #[must_use]
    pub const fn key(&self) -> [u64; 2] {
        [self.key.low, self.key.high]
    }

    /// The state of the generator that makes a nonce's registers, before the nonce is mixed into it (A.2).
    #[must_use]
    pub const fn generator_begin(&self) -> [u64; 4] {
        sip::begin(self.key)
    }

    /// The hash of a nonce (§3).
    #[must_use]
    pub fn hash(&self, nonce: u64) -> u64 {
        run::hash(self, nonce)
    }
}

#[cfg(test)]
mod tests;
