//! Randomness at the edge: the operating system's generator and nothing else.

/// `N` fresh random bytes.
///
/// # Errors
/// If the operating system's generator fails; whoever asked then does what `on_failure` says.
pub fn bytes<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
