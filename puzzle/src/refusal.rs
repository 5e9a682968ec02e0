//! Every way a redemption can be refused.

/// Why a solution buys nothing: the codes of PROTOCOL §4, one variant each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Posted from a page of another site.
    #[error("the solution came from a page of another site")]
    CrossSite,
    /// Not the bytes the protocol describes.
    #[error("the challenge or the solution is not well-formed")]
    Malformed,
    /// The verifier sheds load, or its table is full.
    #[error("the verifier is busy")]
    Busy,
    /// The MAC does not hold under the key of its day.
    #[error("the challenge was not issued here")]
    Forged,
    /// Outside its lifetime, or issued before this verifier's table begins.
    #[error("the challenge has expired")]
    Expired,
    /// Made for another site or key.
    #[error("the challenge was made for another site")]
    WrongSite,
    /// Made for another client network (`bind = "strict"`).
    #[error("the challenge was made for another network")]
    WrongClient,
    /// A sub-puzzle does not meet the target.
    #[error("the solution does not solve the challenge")]
    Unsolved,
    /// Redeemed before, and what it bought is spent or expired.
    #[error("the solution has been used")]
    Used,
    /// Its work buys less than the least that is sold.
    #[error("the price has risen: this work buys too little now")]
    Outpriced,
}

impl Refusal {
    /// The `code` of the problem answer.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::CrossSite => "cross_site",
            Self::Malformed => "malformed",
            Self::Busy => "busy",
            Self::Forged => "forged",
            Self::Expired => "expired",
            Self::WrongSite => "wrong_site",
            Self::WrongClient => "wrong_client",
            Self::Unsolved => "unsolved",
            Self::Used => "used",
            Self::Outpriced => "outpriced",
        }
    }

    /// The HTTP status of the problem answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::CrossSite | Self::Forged | Self::WrongSite | Self::WrongClient | Self::Unsolved => 403,
            Self::Used | Self::Outpriced => 409,
            Self::Expired => 410,
            Self::Busy => 503,
        }
    }

    /// All refusals, in the order of the checks.
    pub const ALL: [Self; 10] = [
        Self::CrossSite,
        Self::Malformed,
        Self::Busy,
        Self::Forged,
        Self::Expired,
        Self::WrongSite,
        Self::WrongClient,
        Self::Unsolved,
        Self::Used,
        Self::Outpriced,
    ];
}
