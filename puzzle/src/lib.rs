//! Wire format and arithmetic.
