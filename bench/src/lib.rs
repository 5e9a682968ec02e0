//! What the measurements and the instruction counts have in common.

pub mod stand;
