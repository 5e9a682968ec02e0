//! Bytes of a wasm module (WebAssembly Core Specification 1.0, chapter 5).

/// Instructions without an immediate.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Plain {
    Return = 0x0f,
    I64Eqz = 0x50,
    I32Ne = 0x47,
    I64LeU = 0x58,
    I32Sub = 0x6b,
    I32And = 0x71,
    I64Add = 0x7c,
    I64Sub = 0x7d,
    I64Mul = 0x7e,
    I64And = 0x83,
    I64Or = 0x84,
    I64Xor = 0x85,
    I64Shl = 0x86,
    I64ShrS = 0x87,
    I64ShrU = 0x88,
    I64Rotr = 0x8a,
    I32WrapI64 = 0xa7,
    I64ExtendI32U = 0xad,
}

/// A local variable, by its index.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Local(pub(crate) u8);

/// The type of a local or a result.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum ValueType {
    I32 = 0x7f,
    I64 = 0x7e,
}

const LOOP: u8 = 0x03;
const IF: u8 = 0x04;
const END: u8 = 0x0b;
const BRANCH_IF: u8 = 0x0d;
const GET: u8 = 0x20;
const SET: u8 = 0x21;
const TEE: u8 = 0x22;
const I64_LOAD: u8 = 0x29;
const I64_STORE: u8 = 0x37;
const I32_CONST: u8 = 0x41;
const I64_CONST: u8 = 0x42;
/// A block that leaves nothing on the stack.
const NO_RESULT: u8 = 0x40;
/// Alignment hints, as exponents of two.
const ALIGNED_TO_1: u8 = 0;
const ALIGNED_TO_8: u8 = 3;

/// A piece of a module that grows at its end.
#[derive(Default)]
pub(crate) struct Code {
    bytes: Vec<u8>,
}

impl Code {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A number in unsigned LEB128, in its shortest form.
    pub(crate) fn unsigned(&mut self, mut number: u64) -> &mut Self {
        loop {
            let seven = (number & 0x7f) as u8;
            number >>= 7;
            if number == 0 {
                self.bytes.push(seven);
                return self;
            }
            self.bytes.push(seven | 0x80);
        }
    }

    /// A number in signed LEB128, in its shortest form.
    fn signed(&mut self, mut number: i64) -> &mut Self {
        loop {
            let seven = (number & 0x7f) as u8;
            number >>= 7;
            let sign = seven & 0x40 != 0;
            if (number == 0 && !sign) || (number == -1 && sign) {
                self.bytes.push(seven);
                return self;
            }
            self.bytes.push(seven | 0x80);
        }
    }

    /// A piece with its length in front.
    pub(crate) fn sized(&mut self, piece: &Self) -> &mut Self {
        self.unsigned(piece.bytes.len() as u64).raw(&piece.bytes)
    }

    pub(crate) fn op(&mut self, plain: Plain) -> &mut Self {
        self.bytes.push(plain as u8);
        self
    }

    pub(crate) fn get(&mut self, local: Local) -> &mut Self {
        self.raw(&[GET, local.0])
    }

    pub(crate) fn set(&mut self, local: Local) -> &mut Self {
        self.raw(&[SET, local.0])
    }

    pub(crate) fn tee(&mut self, local: Local) -> &mut Self {
        self.raw(&[TEE, local.0])
    }

    pub(crate) fn i32(&mut self, number: i32) -> &mut Self {
        self.raw(&[I32_CONST]).signed(number.into())
    }

    pub(crate) fn i64(&mut self, number: u64) -> &mut Self {
        self.raw(&[I64_CONST]).signed(number.cast_signed())
    }

    /// Loads from the address on the stack, of any alignment.
    pub(crate) fn load(&mut self) -> &mut Self {
        self.raw(&[I64_LOAD, ALIGNED_TO_1]).unsigned(0)
    }

    /// Stores the value on the stack, so many bytes behind the address below it.
    pub(crate) fn store(&mut self, offset: u64) -> &mut Self {
        self.raw(&[I64_STORE, ALIGNED_TO_8]).unsigned(offset)
    }

    /// Begins a loop; a branch to it begins it again.
    pub(crate) fn begin_loop(&mut self) -> &mut Self {
        self.raw(&[LOOP, NO_RESULT])
    }

    pub(crate) fn begin_if(&mut self) -> &mut Self {
        self.raw(&[IF, NO_RESULT])
    }

    pub(crate) fn end(&mut self) -> &mut Self {
        self.raw(&[END])
    }

    /// Back to the beginning of the innermost loop if the stack says so.
    pub(crate) fn again_if(&mut self) -> &mut Self {
        self.raw(&[BRANCH_IF, 0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_shortest_form() {
        let unsigned = |number| Code::default().unsigned(number).bytes.clone();
        assert_eq!(unsigned(0), [0]);
        assert_eq!(unsigned(127), [127]);
        assert_eq!(unsigned(128), [0x80, 1]);
        assert_eq!(unsigned(624_485), [0xe5, 0x8e, 0x26]);
        let signed = |number| Code::default().signed(number).bytes.clone();
        assert_eq!(signed(0), [0]);
        assert_eq!(signed(63), [63]);
        assert_eq!(signed(64), [0xc0, 0]);
        assert_eq!(signed(-1), [0x7f]);
        assert_eq!(signed(-64), [0x40]);
        assert_eq!(signed(-65), [0xbf, 0x7f]);
        assert_eq!(signed(-123_456), [0xc0, 0xbb, 0x78]);
        assert_eq!(signed(i64::MIN), [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]);
    }
}
