//! Times in UTC and as clocks on the wall show them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// How times are told.
#[derive(Clone, Debug)]
pub struct Times {
    zone: TimeZone,
}

/// Why a time zone is not known.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no time zone that is known here; write one like Europe/Berlin")]
pub struct ZoneError(String);

impl Times {
    /// With the zone of this name, or of the system.
    ///
    /// # Errors
    /// The name is not known to the system's time zone database.
    pub fn new(zone: Option<&str>) -> Result<Self, ZoneError> {
        let zone = match zone {
            Some(name) => TimeZone::get(name).map_err(|_| ZoneError(name.to_owned()))?,
            None => TimeZone::try_system().unwrap_or(TimeZone::UTC),
        };
        Ok(Self { zone })
    }

    /// `2026-11-25 02:11:03 UTC`.
    #[must_use]
    pub fn utc(&self, at: u32) -> String {
        stamp(at).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
    }

    /// `2026-11-25 03:11:03 +01:00`.
    #[must_use]
    pub fn local(&self, at: u32) -> String {
        stamp(at).to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }

    /// `2026-11-25T02:11:03Z`, as RFC 3339 has it.
    #[must_use]
    pub fn rfc3339(at: u32) -> String {
        stamp(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// What the zone is called: `Europe/Berlin`, or as much as is known.
    #[must_use]
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("the time zone of this machine")
    }
}

fn stamp(at: u32) -> Timestamp {
    // Every second of 32 bits is within what a timestamp can be.
    Timestamp::from_second(i64::from(at)).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_utc_and_as_the_clock_on_the_wall() {
        let times = Times { zone: TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone") };
        assert_eq!(times.utc(1_795_572_663), "2026-11-25 02:11:03 UTC");
        assert_eq!(times.local(1_795_572_663), "2026-11-25 03:11:03 +01:00");
        assert_eq!(times.local(1_782_000_000), "2026-06-21 02:00:00 +02:00");
        assert_eq!(Times::rfc3339(u32::MAX), "2106-02-07T06:28:15Z");
        assert!(Times::new(Some("Middle-earth/Shire")).is_err());
    }
}
