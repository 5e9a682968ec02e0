//! The attacker's side: programs as C, compiled by the system's compiler when the measurement runs.

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::BuildHasher as _;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use puzzle::hashwx::{ADDRESSES, BRANCHES, Instance, Instruction, MEMORY_BYTES, Operation, Program, REGISTERS, ROUNDS};
use tempfile::TempDir;

/// What the compiler is told.
pub(super) const FLAGS: [&str; 2] = ["-O3", "-march=native"];
/// Instances in a program: the rate of one depends on which programs it has.
pub(super) const INSTANCES: u32 = 8;
/// Nonces that each tries: a tenth of a second or so.
const NONCES: u32 = 32_768;

/// A program that tries nonces of instances that nobody has seen before.
pub(super) struct Compiled {
    folder: TempDir,
}

impl Compiled {
    /// Makes it, and has it prove that its hashes are those of the interpreter.
    pub(super) fn fresh() -> anyhow::Result<Self> {
        let random = RandomState::new();
        let instances: Vec<Instance> = (0..INSTANCES)
            .map(|number| {
                let word = |place: u32| random.hash_one((number, place)).to_be_bytes();
                let mut seed = [0; 32];
                for (place, bytes) in (0..).zip(seed.as_chunks_mut::<8>().0) {
                    *bytes = word(place);
                }
                Instance::new(&seed)
            })
            .collect();
        let compiled = Self { folder: tempfile::tempdir()? };
        let source = compiled.folder.path().join("hashes.c");
        std::fs::write(&source, source_of(&instances)?)?;
        let mut command = Command::new("cc");
        let status = command.args(FLAGS).arg("-o").arg(compiled.program()).arg(&source).status();
        ensure!(status.context("the C compiler `cc`")?.success(), "the programs do not compile");
        let (sum, _) = heard(compiled.start(4)?)?;
        let expected = instances.iter().flat_map(|instance| (0..4).map(|nonce| instance.hash(nonce)));
        ensure!(sum == expected.fold(0, |sum, hash| sum ^ hash), "native code and interpreter differ");
        Ok(compiled)
    }

    /// Thousands of attempts a second on one core.
    pub(super) fn rate(&self) -> anyhow::Result<f64> {
        Ok(heard(self.start(NONCES)?)?.1)
    }

    /// The same on so many at once.
    pub(super) fn rate_of_all(&self, cores: usize) -> anyhow::Result<f64> {
        let started: Vec<Child> = (0..cores).map(|_| self.start(NONCES)).collect::<Result<_, _>>()?;
        started.into_iter().map(|child| Ok(heard(child)?.1)).sum()
    }

    fn program(&self) -> std::path::PathBuf {
        self.folder.path().join("hashes")
    }

    fn start(&self, nonces: u32) -> anyhow::Result<Child> {
        Ok(Command::new(self.program()).arg(nonces.to_string()).stdout(Stdio::piped()).spawn()?)
    }
}

/// The sum of all hashes, and thousands of them a second.
fn heard(child: Child) -> anyhow::Result<(u64, f64)> {
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "the native program failed");
    let text = String::from_utf8(output.stdout)?;
    let (sum, rate) = text.trim().split_once(' ').context("two figures")?;
    Ok((u64::from_str_radix(sum, 16)?, rate.parse()?))
}

fn source_of(instances: &[Instance]) -> anyhow::Result<String> {
    let mut source = format!(
        "#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <time.h>\n\
         typedef uint64_t u64;\n\
         static u64 ror(u64 x, int n) {{ return x >> n | x << (64 - n); }}\n\
         static unsigned char memory[{MEMORY_BYTES}];\n\
         static u64 load(u64 a) {{ u64 v; memcpy(&v, memory + (a & {}), 8); return v; }}\n\
         static void store(unsigned a, u64 v) {{ memcpy(memory + a, &v, 8); }}\n\
         #define ROUND(a, b, c, d) a += b; c += d; b = ror(b, 51) ^ a; d = ror(d, 48) ^ c; a = ror(a, 32); c += b; \
         a += d; b = ror(b, 47) ^ c; d = ror(d, 43) ^ a; c = ror(c, 32);\n",
        ADDRESSES - 1
    );
    for (number, instance) in instances.iter().enumerate() {
        hash(&mut source, number, instance)?;
    }
    source.push_str("static u64 (*const hashes[])(u64) = {");
    for number in 0..instances.len() {
        write!(source, "hash{number}, ")?;
    }
    write!(
        source,
        "}};\nint main(int argc, char **argv) {{\n  u64 nonces = strtoull(argv[1], 0, 10), sum = 0;\n  \
         struct timespec a, b;\n  clock_gettime(CLOCK_MONOTONIC, &a);\n  \
         for (int i = 0; i < {0}; i++) for (u64 n = 0; n < nonces; n++) sum ^= hashes[i](n);\n  \
         clock_gettime(CLOCK_MONOTONIC, &b);\n  \
         double s = (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9;\n  \
         printf(\"%016llx %.6f\\n\", (unsigned long long)sum, {0} * nonces / s / 1e3);\n  return argc != 2;\n}}\n",
        instances.len()
    )?;
    Ok(source)
}

fn hash(source: &mut String, number: usize, instance: &Instance) -> anyhow::Result<()> {
    let [b0, b1, b2, b3] = instance.generator_begin();
    let [k0, k1] = instance.key();
    write!(
        source,
        "static u64 hash{number}(u64 nonce) {{\n  u64 r3 = {b0}ull, r2 = {b1}ull, r1 = {b2}ull, r0 = {b3}ull ^ nonce;\n  \
         ROUND(r3, r2, r1, r0) r3 ^= nonce; r1 ^= 0xbb;\n  \
         ROUND(r3, r2, r1, r0) ROUND(r3, r2, r1, r0) ROUND(r3, r2, r1, r0)\n  \
         u64 r7 = r3 ^ {k0}ull, r6 = r2 ^ {k1}ull, r5 = r1 ^ {k0}ull, r4 = r0 ^ {k1}ull;\n  \
         ROUND(r7, r6, r5, r4) ROUND(r7, r6, r5, r4) ROUND(r7, r6, r5, r4) ROUND(r7, r6, r5, r4)\n  \
         const u64 r8 = ((r0 ^ r4) & ~7ull) | 3;\n  unsigned sp = {ADDRESSES}, taken;\n  store(sp, r8);\n"
    )?;
    for loaded in [false, true] {
        writeln!(source, "  for (int i = 0; i < {ROUNDS}; i++) {{ unsigned left = {BRANCHES};")?;
        let [programs @ .., last] = instance.programs();
        for program in programs {
            emit_program(source, program, loaded, false)?;
        }
        emit_program(source, last, loaded, true)?;
        source.push_str("  }\n");
    }
    source.push_str("  ROUND(r0, r1, r2, r3) ROUND(r4, r5, r6, r7)\n  return r3 ^ r7 ^ r8;\n}\n");
    Ok(())
}

fn emit_program(source: &mut String, program: &Program, loaded: bool, last: bool) -> anyhow::Result<()> {
    source.push_str("    do {");
    if !loaded {
        write!(source, " sp -= {};", 8 * REGISTERS)?;
        for number in 0..REGISTERS {
            write!(source, " store(sp + {}, r{number});", 8 * (REGISTERS - 1 - number))?;
        }
    }
    let scrambled = program.scramble.destination.index();
    write!(source, " r{scrambled} = ror(r{scrambled} * r8, {});", program.scramble.rotation)?;
    for instruction in &program.arithmetic {
        write!(source, " {};", expression(*instruction, loaded))?;
    }
    let flag = if last { "1".to_owned() } else { format!("!(r{scrambled} >> 5 & 1)") };
    writeln!(source, " taken = (left != 0) & {flag}; left -= taken; }} while (taken);")?;
    Ok(())
}

fn expression(instruction: Instruction, loaded: bool) -> String {
    let Instruction { operation, destination, source, immediate } = instruction;
    let (target, source) = (format!("r{}", destination.index()), format!("r{}", source.index()));
    let source = if loaded { format!("load({source})") } else { source };
    let rotated = format!("ror({target}, {immediate})");
    let arithmetic = format!("(u64)((int64_t){target} >> {immediate})");
    let logical = format!("({target} >> {immediate})");
    let (value, combined) = match operation {
        Operation::MulOr => (format!("({target} | {immediate})"), '*'),
        Operation::MulXor => (format!("({target} ^ {immediate})"), '*'),
        Operation::MulAdd => (format!("({target} + {immediate})"), '*'),
        Operation::XorRor => (rotated, '^'),
        Operation::AddRor => (rotated, '+'),
        Operation::SubRor => (rotated, '-'),
        Operation::XorAsr => (arithmetic, '^'),
        Operation::AddAsr => (arithmetic, '+'),
        Operation::SubAsr => (arithmetic, '-'),
        Operation::XorLsr => (logical, '^'),
        Operation::AddLsr => (logical, '+'),
        Operation::SubLsr => (logical, '-'),
    };
    format!("{target} = {value} {combined} {source}")
}
