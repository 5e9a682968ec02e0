//! Amounts per network in memory of fixed size: a count-min sketch with conservative update.
//!
//! An estimate is never below what was added for a network; it is above it only where other networks share *all* of its
//! cells. How large a sketch must be for that to be rare is a matter of its users; see `purchases`.

/// Rows of a sketch at the most.
pub(super) const ROWS_MAX: usize = 8;

/// The cell of a network in each row of a sketch. Reckoned once for everything that is done with it: with the reading of
/// its cells, that is most of the work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cells {
    positions: [u32; ROWS_MAX],
    rows: usize,
}

impl Cells {
    /// The rows are independent of each other (the mixing function of `SplitMix64`). `width` is a power of two: a
    /// division for each row would take longer than all the rest.
    pub(super) fn of(hash: u64, rows: usize, width: usize) -> Self {
        let mut positions = [0; ROWS_MAX];
        let mask = width as u64 - 1;
        let mut row_at = 0;
        let mut salt = 0_u64;
        for position in &mut positions[..rows] {
            salt = salt.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = hash.wrapping_add(salt);
            mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            *position = u32::try_from(row_at + ((mixed ^ mixed >> 31) & mask)).unwrap_or_default();
            row_at += width as u64;
        }
        Self { positions, rows }
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        self.positions[..self.rows].iter().map(|position| *position as usize)
    }
}

/// Rows of cells, each of `width`; a network has one cell in each row.
#[derive(Clone, Debug)]
pub struct CountMin {
    cells: Vec<f32>,
    rows: usize,
    width: usize,
    used: usize,
}

impl CountMin {
    /// `rows`, at most 8, times `width` cells at zero, `width` rounded up to a power of two; memory that nobody wrote to
    /// yet is not handed out by the system.
    #[must_use]
    pub fn new(rows: usize, width: usize) -> Self {
        let (rows, width) = (rows.clamp(1, ROWS_MAX), width.next_power_of_two());
        Self { cells: vec![0.0; rows * width], rows, width, used: 0 }
    }

    /// What was added for the network of this hash, or more.
    #[must_use]
    pub fn estimate(&self, hash: u64) -> f32 {
        self.least(&self.cells_of(hash))
    }

    /// Raises the network's cells just so far that its estimate is `amount` more (conservative update), and says what
    /// it is then.
    pub fn add(&mut self, hash: u64, amount: f32) -> f32 {
        let cells = self.cells_of(hash);
        let raised = self.least(&cells) + amount.max(0.0);
        for position in cells.positions() {
            let cell = &mut self.cells[position];
            self.used += usize::from(*cell == 0.0 && raised > 0.0);
            *cell = cell.max(raised);
        }
        raised
    }

    /// Everything in `other`, which is of the same size, and what is here times `kept`.
    pub fn absorb(&mut self, other: &Self, kept: f32) {
        for (cell, more) in self.cells.iter_mut().zip(&other.cells) {
            *cell = *cell * kept + more;
        }
        self.used = used(&self.cells);
    }

    /// Back to zero. Pages that were never written to stay untouched.
    pub fn clear(&mut self) {
        if self.used > 0 {
            self.cells.iter_mut().filter(|cell| **cell != 0.0).for_each(|cell| *cell = 0.0);
            self.used = 0;
        }
    }

    /// Cells that are not zero.
    #[must_use]
    pub const fn used(&self) -> usize {
        self.used
    }

    /// All cells, row by row.
    #[must_use]
    pub fn cells(&self) -> &[f32] {
        &self.cells
    }

    /// Takes cells that were kept elsewhere; `None` unless there are as many, all finite and none negative.
    #[must_use]
    pub fn with_cells(mut self, cells: &[f32]) -> Option<Self> {
        let fits = cells.len() == self.cells.len() && cells.iter().all(|cell| cell.is_finite() && *cell >= 0.0);
        fits.then(|| {
            self.cells.copy_from_slice(cells);
            self.used = used(cells);
            self
        })
    }

    fn cells_of(&self, hash: u64) -> Cells {
        Cells::of(hash, self.rows, self.width)
    }

    fn least(&self, cells: &Cells) -> f32 {
        cells.positions().map(|position| self.cells[position]).fold(f32::INFINITY, f32::min)
    }
}

fn used(cells: &[f32]) -> usize {
    cells.iter().filter(|cell| **cell != 0.0).count()
}
