//! From a seed to programs (§2).

use super::sip::{SipGenerator, SipKey};
use super::{ARITHMETIC, Instruction, Operation, PROGRAMS, Program, REGISTERS, Register, Scramble};

/// The salt of the generator that makes programs (§2.1).
const PROGRAMS_SALT: u64 = u64::MAX;
/// Numbers that a program is made from (§2.3).
const NUMBERS: usize = 16;

/// The programs, and the key of the hash.
pub(super) fn instance(seed: &[u8; 32]) -> ([Program; PROGRAMS], SipKey) {
    let eight = |start: usize| core::array::from_fn(|place| seed[start + place]);
    let mut generator = SipGenerator::new(SipKey::new(eight(0), eight(8)), PROGRAMS_SALT);
    let programs = core::array::from_fn(|_| {
        let numbers: [u64; NUMBERS] = core::array::from_fn(|_| generator.next());
        program(&numbers)
    });
    (programs, SipKey::new(eight(16), eight(24)))
}

fn program(numbers: &[u64; NUMBERS]) -> Program {
    let choice = numbers[ARITHMETIC];
    let multiplies = TEMPLATES[below(choice, TEMPLATES.len())];
    let order = SOURCE_ORDERS[below(choice, SOURCE_ORDERS.len())];
    let destinations = shuffled(numbers);

    let arithmetic = core::array::from_fn(|place| {
        let low = numbers[place] & 0xffff_ffff;
        let immediate = numbers[NUMBERS - ARITHMETIC + place];
        let (operation, immediate) = if multiplies >> (ARITHMETIC - 1 - place) & 1 == 1 {
            (MULTIPLYING[below(low, MULTIPLYING.len())], FACTORS[below(immediate, FACTORS.len())])
        } else {
            let operation = SHIFTING[below(low, SHIFTING.len())];
            (operation, 1 + below(immediate, longest_shift(operation)) as u8)
        };
        // The first of the order belongs to the scramble, which has no source of this kind.
        let source = order >> (3 * (ARITHMETIC - 1 - place)) & 7;
        Instruction {
            operation,
            destination: destinations[place + 1],
            source: destinations[source as usize],
            immediate,
        }
    });
    let rotation = 1 + below(numbers[NUMBERS - ARITHMETIC - 1], 63) as u8;
    Program { scramble: Scramble { destination: destinations[0], rotation }, arithmetic }
}

/// The remainder of a division by a small number: one of a table's places.
const fn below(number: u64, places: usize) -> usize {
    (number % places as u64) as usize
}

/// A permutation of the registers by the numbers' high halves (Appendix C).
fn shuffled(numbers: &[u64; NUMBERS]) -> [Register; REGISTERS] {
    let mut registers = [Register(0); REGISTERS];
    for place in 1..REGISTERS {
        let other = below(numbers[place - 1] >> 32, place + 1);
        registers[place] = Register(place as u8);
        registers.swap(place, other);
    }
    registers
}

/// §2.3.2.2.
const MULTIPLYING: [Operation; 3] = [Operation::MulOr, Operation::MulXor, Operation::MulAdd];

/// §2.3.2.1.
const SHIFTING: [Operation; 9] = [
    Operation::XorRor,
    Operation::AddRor,
    Operation::SubRor,
    Operation::XorAsr,
    Operation::AddAsr,
    Operation::SubAsr,
    Operation::XorLsr,
    Operation::AddLsr,
    Operation::SubLsr,
];

/// The immediates of instructions that multiply (§2.3.5).
const FACTORS: [u8; 3] = [1, 9, 33];

const fn longest_shift(operation: Operation) -> usize {
    match operation {
        Operation::XorRor | Operation::AddRor | Operation::SubRor => 63,
        _ => 3,
    }
}

/// Which of the seven instructions multiply, the first in the highest of seven bits (Appendix B): every choice of three,
/// in descending order.
const TEMPLATES: [u8; 35] = {
    let mut templates = [0; 35];
    let (mut found, mut pattern) = (0, 1 << ARITHMETIC);
    while found < templates.len() {
        pattern -= 1;
        let template: u8 = pattern;
        if template.count_ones() == 3 {
            templates[found] = template;
            found += 1;
        }
    }
    templates
};

/// In which order the destinations become sources (Appendix D), an octal digit each.
#[rustfmt::skip]
const SOURCE_ORDERS: [u32; 128] = [
    0o0234_5671, 0o0237_5614, 0o0245_1673, 0o0271_3456, 0o0317_2456, 0o0345_6712, 0o0356_7214, 0o0412_7356,
    0o0456_7123, 0o0457_6132, 0o0512_3746, 0o0612_3475, 0o0654_1372, 0o1032_6745, 0o1057_6342, 0o1067_5234,
    0o1072_3456, 0o1074_2635, 0o1076_5324, 0o1257_6304, 0o1305_6742, 0o1467_2035, 0o1467_5230, 0o1605_7234,
    0o1605_7324, 0o1635_7042, 0o1670_5234, 0o1702_3456, 0o1706_5234, 0o1750_6234, 0o1750_6324, 0o1764_2053,
    0o2067_5341, 0o2071_3456, 0o2074_1653, 0o2345_7601, 0o2361_5740, 0o2364_5701, 0o2365_7041, 0o2367_5041,
    0o2431_6705, 0o2467_5031, 0o2506_7314, 0o2547_1603, 0o2564_0731, 0o2631_0745, 0o2701_3456, 0o2745_0631,
    0o2764_5013, 0o2764_5031, 0o3017_2456, 0o3045_6271, 0o3065_7142, 0o3074_1625, 0o3401_6725, 0o3402_6715,
    0o3405_7612, 0o3460_2715, 0o3470_1625, 0o3470_2615, 0o3546_0172, 0o3546_1270, 0o3546_2170, 0o3670_5214,
    0o3710_2456, 0o3750_6124, 0o3750_6214, 0o4012_7356, 0o4075_2613, 0o4236_1705, 0o4257_6130, 0o4301_2675,
    0o4375_1620, 0o4506_1273, 0o4506_2173, 0o4536_7021, 0o4536_7102, 0o4607_5231, 0o4630_2751, 0o4631_2705,
    0o4631_5702, 0o4712_0356, 0o4750_6213, 0o5012_3746, 0o5246_0173, 0o5246_1073, 0o5246_1370, 0o5246_1730,
    0o5270_6314, 0o5301_7642, 0o5341_2670, 0o5364_1270, 0o5406_2371, 0o5437_2601, 0o5467_3120, 0o5631_7042,
    0o5640_7312, 0o5674_0123, 0o5712_3046, 0o6012_3475, 0o6231_5704, 0o6245_0371, 0o6257_0143, 0o6274_3015,
    0o6351_7402, 0o6351_7420, 0o6457_1230, 0o6574_0123, 0o6574_0213, 0o6574_0312, 0o6712_3405, 0o6712_3450,
    0o6735_0142, 0o6754_0123, 0o7201_3456, 0o7245_1306, 0o7245_1603, 0o7310_2456, 0o7345_6021, 0o7412_0356,
    0o7456_0132, 0o7512_3046, 0o7531_6024, 0o7564_1203, 0o7564_1230, 0o7612_3405, 0o7612_3450, 0o7630_5124,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_those_of_the_specification() {
        assert_eq!(TEMPLATES[..5], [0b111_0000, 0b110_1000, 0b110_0100, 0b110_0010, 0b110_0001]);
        assert_eq!(TEMPLATES[14..17], [0b100_0011, 0b011_1000, 0b011_0100]);
        assert_eq!(TEMPLATES[32..], [0b000_1101, 0b000_1011, 0b000_0111]);
    }

    #[test]
    fn the_source_orders_are_sorted_permutations_in_which_none_is_its_own() {
        assert!(SOURCE_ORDERS.is_sorted_by(|one, next| one < next));
        for order in SOURCE_ORDERS {
            let digits: [u32; 8] = core::array::from_fn(|place| order >> (3 * (7 - place)) & 7);
            assert_eq!(digits.iter().fold(0, |seen, digit| seen | 1 << digit), 0xff, "{order:o}");
            assert!((1..8).all(|place| digits[place] as usize != place), "{order:o}");
        }
    }

    #[test]
    fn a_shuffle_without_exchanges_leaves_every_register_in_its_place() {
        let numbers: [u64; NUMBERS] = core::array::from_fn(|place| (place as u64 + 1) << 32);
        assert_eq!(shuffled(&numbers).map(Register::index), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(shuffled(&[0; NUMBERS]).map(Register::index), [7, 0, 1, 2, 3, 4, 5, 6]);
    }
}
