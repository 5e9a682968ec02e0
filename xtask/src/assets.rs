//! What browsers load, built into `target/www`.

/// Builds every asset.
pub(crate) fn build() -> anyhow::Result<()> {
    Ok(())
}
