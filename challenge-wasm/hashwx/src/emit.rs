//! An instance as a wasm module: `run(high, low, attempts)` tries consecutive nonces from the one that both words say, and
//! returns how many attempts were left when it found one, itself counted, or 0.
//!
//! The whole of it is inside: the registers of a nonce, both phases, and the comparison with the target.

use puzzle::hashwx::{ADDRESSES, BRANCHES, Instance, Instruction, Operation, Program, REGISTERS, ROUNDS};

use crate::code::{Code, Local, Plain, ValueType};

// The parameters, then variables of 32 bits, then those of 64.
const HIGH: Local = Local(0);
const LOW: Local = Local(1);
const ATTEMPTS: Local = Local(2);
const BRANCHES_LEFT: Local = Local(3);
const STORED_FROM: Local = Local(4);
const ROUNDS_LEFT: Local = Local(5);
const TAKEN: Local = Local(6);
const NONCE: Local = Local(7);
const FIRST_REGISTER: u8 = 8;
/// R8.
const FACTOR: Local = Local(FIRST_REGISTER + REGISTERS as u8);

/// Variables of 32 and of 64 bits that are no parameters.
const VARIABLES: [(u8, ValueType); 2] = [(4, ValueType::I32), (2 + REGISTERS as u8, ValueType::I64)];

/// A module is a little shorter.
const CAPACITY_BYTES: usize = 16 * 1024;

const fn register(number: usize) -> Local {
    Local(FIRST_REGISTER + number as u8)
}

/// The module of an instance, for hashes of at most `target`.
#[must_use]
pub fn module(instance: &Instance, target: u64) -> Vec<u8> {
    const TYPES: u8 = 1;
    const FUNCTIONS: u8 = 3;
    const MEMORIES: u8 = 5;
    const EXPORTS: u8 = 7;
    const CODE: u8 = 10;
    const FUNCTION_TYPE: u8 = 0x60;
    const I32: u8 = ValueType::I32 as u8;

    let mut function = Code::with_capacity(CAPACITY_BYTES);
    function.unsigned(VARIABLES.len() as u64);
    for (count, kind) in VARIABLES {
        function.raw(&[count, kind as u8]);
    }
    run(&mut function, instance, target);
    function.end();

    let mut module = Code::with_capacity(CAPACITY_BYTES);
    module.raw(b"\0asm\x01\0\0\0");
    let mut section = |id: u8, content: &Code| {
        module.raw(&[id]).sized(content);
    };
    let list = |bytes: &[u8]| {
        let mut content = Code::default();
        content.raw(&[1]).raw(bytes);
        content
    };
    section(TYPES, &list(&[FUNCTION_TYPE, 3, I32, I32, I32, 1, I32]));
    section(FUNCTIONS, &list(&[0]));
    // One page at least and at most.
    section(MEMORIES, &list(&[1, 1, 1]));
    section(EXPORTS, &list(&[3, b'r', b'u', b'n', 0, 0]));
    let mut functions = list(&[]);
    functions.sized(&function);
    section(CODE, &functions);
    module.into_bytes()
}

fn run(code: &mut Code, instance: &Instance, target: u64) {
    code.get(HIGH).op(Plain::I64ExtendI32U).i64(32).op(Plain::I64Shl);
    code.get(LOW).op(Plain::I64ExtendI32U).op(Plain::I64Or).set(NONCE);
    code.begin_loop();
    registers_of_nonce(code, instance);
    code.i32(ADDRESSES as i32).tee(STORED_FROM).get(FACTOR).store(0);
    for loaded in [false, true] {
        code.i32(ROUNDS as i32).set(ROUNDS_LEFT);
        code.begin_loop();
        code.i32(BRANCHES as i32).set(BRANCHES_LEFT);
        let [programs @ .., last] = instance.programs();
        for program in programs {
            emit_program(code, program, loaded, false);
        }
        emit_program(code, last, loaded, true);
        count_down(code, ROUNDS_LEFT);
        code.again_if().end();
    }
    sip_round(code, [0, 1, 2, 3].map(register));
    sip_round(code, [4, 5, 6, 7].map(register));
    code.get(register(3)).get(register(7)).op(Plain::I64Xor).get(FACTOR).op(Plain::I64Xor);
    code.i64(target).op(Plain::I64LeU);
    code.begin_if().get(ATTEMPTS).op(Plain::Return).end();
    code.get(NONCE).i64(1).op(Plain::I64Add).set(NONCE);
    count_down(code, ATTEMPTS);
    code.again_if().end();
    code.i32(0);
}

/// Leaves on the stack what is left.
fn count_down(code: &mut Code, counter: Local) {
    code.get(counter).i32(1).op(Plain::I32Sub).tee(counter);
}

/// The eight first numbers of the generator whose salt is the nonce, and R8 (§3.1). It gives the words of its state from the
/// last to the first, so the registers take them in that order.
fn registers_of_nonce(code: &mut Code, instance: &Instance) {
    let begin = instance.generator_begin();
    let first = [3, 2, 1, 0].map(register);
    for (word, value) in first.into_iter().zip(begin) {
        code.i64(value).set(word);
    }
    let [v0, _, v2, v3] = first;
    code.get(v3).get(NONCE).op(Plain::I64Xor).set(v3);
    sip_round(code, first);
    code.get(v0).get(NONCE).op(Plain::I64Xor).set(v0);
    code.get(v2).i64(0xbb).op(Plain::I64Xor).set(v2);
    for _ in 0..3 {
        sip_round(code, first);
    }
    let second = [7, 6, 5, 4].map(register);
    let [low, high] = instance.key();
    for ((word, before), key) in second.into_iter().zip(first).zip([low, high, low, high]) {
        code.get(before).i64(key).op(Plain::I64Xor).set(word);
    }
    for _ in 0..4 {
        sip_round(code, second);
    }
    code.get(register(0)).get(register(4)).op(Plain::I64Xor).i64(!7).op(Plain::I64And);
    code.i64(3).op(Plain::I64Or).set(FACTOR);
}

/// A.1.
fn sip_round(code: &mut Code, [v0, v1, v2, v3]: [Local; 4]) {
    let add = |code: &mut Code, target, source| {
        code.get(target).get(source).op(Plain::I64Add).set(target);
    };
    let rotate_xor = |code: &mut Code, target, bits, source| {
        code.get(target).i64(bits).op(Plain::I64Rotr).get(source).op(Plain::I64Xor).set(target);
    };
    let rotate = |code: &mut Code, target| {
        code.get(target).i64(32).op(Plain::I64Rotr).set(target);
    };
    add(code, v0, v1);
    add(code, v2, v3);
    rotate_xor(code, v1, 51, v0);
    rotate_xor(code, v3, 48, v2);
    rotate(code, v0);
    add(code, v2, v1);
    add(code, v0, v3);
    rotate_xor(code, v1, 47, v2);
    rotate_xor(code, v3, 43, v0);
    rotate(code, v2);
}

/// One program with its branch, as a loop: back to its beginning means that the branch is taken.
fn emit_program(code: &mut Code, program: &Program, loaded: bool, last: bool) {
    code.begin_loop();
    if !loaded {
        code.get(STORED_FROM).i32(8 * REGISTERS as i32).op(Plain::I32Sub).set(STORED_FROM);
        for number in 0..REGISTERS {
            code.get(STORED_FROM).get(register(number)).store(8 * (REGISTERS - 1 - number) as u64);
        }
    }
    let scrambled = register(program.scramble.destination.index());
    code.get(scrambled).get(FACTOR).op(Plain::I64Mul);
    code.i64(program.scramble.rotation.into()).op(Plain::I64Rotr).set(scrambled);
    // The flag is taken before other instructions may change the register: none does, each has one of its own.
    for instruction in &program.arithmetic {
        emit_instruction(code, *instruction, loaded);
    }
    code.get(BRANCHES_LEFT).i32(0).op(Plain::I32Ne);
    if !last {
        code.get(scrambled).i64(1 << 5).op(Plain::I64And).op(Plain::I64Eqz).op(Plain::I32And);
    }
    // One branch for both conditions: it cannot be foretold, so that a second one would only be wrong again.
    code.tee(TAKEN).get(BRANCHES_LEFT).get(TAKEN).op(Plain::I32Sub).set(BRANCHES_LEFT);
    code.again_if().end();
}

fn emit_instruction(code: &mut Code, instruction: Instruction, loaded: bool) {
    let Instruction { operation, destination, source, immediate } = instruction;
    let (target, immediate) = (register(destination.index()), u64::from(immediate));
    let (first, second) = match operation {
        Operation::MulOr => (Plain::I64Or, Plain::I64Mul),
        Operation::MulXor => (Plain::I64Xor, Plain::I64Mul),
        Operation::MulAdd => (Plain::I64Add, Plain::I64Mul),
        Operation::XorRor => (Plain::I64Rotr, Plain::I64Xor),
        Operation::AddRor => (Plain::I64Rotr, Plain::I64Add),
        Operation::SubRor => (Plain::I64Rotr, Plain::I64Sub),
        Operation::XorAsr => (Plain::I64ShrS, Plain::I64Xor),
        Operation::AddAsr => (Plain::I64ShrS, Plain::I64Add),
        Operation::SubAsr => (Plain::I64ShrS, Plain::I64Sub),
        Operation::XorLsr => (Plain::I64ShrU, Plain::I64Xor),
        Operation::AddLsr => (Plain::I64ShrU, Plain::I64Add),
        Operation::SubLsr => (Plain::I64ShrU, Plain::I64Sub),
    };
    code.get(target).i64(immediate).op(first);
    code.get(register(source.index()));
    if loaded {
        code.op(Plain::I32WrapI64).i32(ADDRESSES as i32 - 1).op(Plain::I32And).load();
    }
    code.op(second).set(target);
}
