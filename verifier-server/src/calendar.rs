//! Days and times as access logs and operators write them, without a time zone database: every one names its offset, or is
//! in UTC.

use puzzle::UnixSeconds;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_SECONDS: i64 = 86_400;

/// `25/Nov/2026:02:11:03 +0100`, as in the common and the combined format.
pub(crate) fn of_log(text: &str) -> Option<UnixSeconds> {
    let (date_time, offset) = text.split_once(' ')?;
    let (date, time) = date_time.split_once(':')?;
    let mut parts = date.split('/');
    let (day, month, year) = (number(parts.next()?, 2)?, parts.next()?, number(parts.next()?, 4)?);
    let month = MONTHS.iter().position(|name| *name == month)?;
    let month = i64::try_from(month).ok()? + 1;
    seconds(days(year, month, day)?, of_day(time)?, of_offset(offset)?)
}

/// `2026-11-25T02:11:03+01:00`, `2026-11-25 02:11`, `2026-11-25`: RFC 3339, in UTC where no offset is written.
#[must_use]
pub fn of_operator(text: &str) -> Option<UnixSeconds> {
    let text = text.trim();
    let date = text.get(..10)?;
    let mut parts = date.split('-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let days = days(year, month, day)?;
    let Some(rest) = text.get(10..).filter(|rest| !rest.is_empty()) else { return seconds(days, 0, 0) };
    let rest = rest.strip_prefix(['T', 't', ' '])?.trim_start();
    let end = rest.find(['Z', 'z', '+', '-', ' ']).unwrap_or(rest.len());
    let (time, offset) = rest.split_at(end);
    let offset = match offset.trim() {
        "" | "Z" | "z" | "UTC" => 0,
        offset => of_offset(&offset.replace(':', ""))?,
    };
    seconds(days, of_day(time)?, offset)
}

/// `2026-11-25 02:11 UTC`.
pub(crate) fn told(time: UnixSeconds) -> String {
    let of_day = time.0 % 86_400;
    format!("{} {:02}:{:02} UTC", date(time), of_day / 3_600, of_day / 60 % 60)
}

/// `2026-11-25T02:11:03Z`.
pub(crate) fn rfc_3339(time: UnixSeconds) -> String {
    let of_day = time.0 % 86_400;
    format!("{}T{:02}:{:02}:{:02}Z", date(time), of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

/// `2026-11-25` (civil from days, by Howard Hinnant's algorithm).
pub(crate) fn date(time: UnixSeconds) -> String {
    // The inverse of `days`: a year begins in March, so that the leap day is its last.
    let since = i64::from(time.0) / DAY_SECONDS + 719_468;
    let (era, of_era) = (since / 146_097, since % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Days since 1970-01-01, by the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let longest = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) || !(1970..=2105).contains(&year) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let (era, of_era) = (year / 400, year % 400);
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// `02:11:03`, with or without seconds and parts of them.
fn of_day(text: &str) -> Option<i64> {
    let whole = text.split('.').next()?;
    let mut parts = whole.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| number(second, 2))?;
    let fits = hour < 24 && minute < 60 && second <= 60 && parts.next().is_none();
    fits.then_some(hour * 3_600 + minute * 60 + second)
}

/// `+0100`, in seconds.
fn of_offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let value = number(digits, 4)?;
    let (hours, minutes) = (value / 100, value % 100);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn seconds(days: i64, of_day: i64, offset: i64) -> Option<UnixSeconds> {
    u32::try_from(days * DAY_SECONDS + of_day - offset).ok().map(UnixSeconds)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let all_digits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| all_digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_moment_is_written_to_the_second() {
        assert_eq!(rfc_3339(UnixSeconds(1_795_572_663)), "2026-11-25T02:11:03Z");
        assert_eq!(of_operator(&rfc_3339(UnixSeconds(1_795_572_663))), Some(UnixSeconds(1_795_572_663)));
    }

    #[test]
    fn a_time_of_a_log_is_read_with_its_offset() {
        assert_eq!(of_log("25/Nov/2026:02:11:03 +0000"), Some(UnixSeconds(1_795_572_663)));
        assert_eq!(of_log("25/Nov/2026:03:11:03 +0100"), Some(UnixSeconds(1_795_572_663)));
        assert_eq!(of_log("24/Nov/2026:20:41:03 -0530"), Some(UnixSeconds(1_795_572_663)));
        assert_eq!(of_log("29/Feb/2028:00:00:00 +0000").map(date).as_deref(), Some("2028-02-29"));
        for odd in
            ["", "25/Nov/2026", "29/Feb/2026:00:00:00 +0000", "1/Nov/2026:00:00:00 +0000", "25/Nov/2026:24:00:00 +0000"]
        {
            assert_eq!(of_log(odd), None, "{odd}");
        }
    }

    #[test]
    fn an_operator_writes_a_time_as_he_likes() {
        let expected = Some(UnixSeconds(1_795_572_660));
        for text in [
            "2026-11-25T02:11:00Z",
            "2026-11-25 02:11",
            "2026-11-25 02:11 UTC",
            "2026-11-25T03:11+01:00",
            "2026-11-25T03:11:00.5+0100",
        ] {
            assert_eq!(of_operator(text), expected, "{text}");
        }
        assert_eq!(of_operator("2026-11-25").map(told).as_deref(), Some("2026-11-25 00:00 UTC"));
        for odd in ["", "yesterday", "2026-13-01", "2026-11-25T25:00", "2026-11-25T02:11+99", "25.11.2026"] {
            assert_eq!(of_operator(odd), None, "{odd}");
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_795_572_000, "2026-11-25"),
            (1_798_761_599, "2026-12-31"),
            (u32::MAX, "2106-02-07"),
        ] {
            assert_eq!(date(UnixSeconds(seconds)), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_told_is_read_again(seconds in 0_u32..4_000_000_000) {
            let minute = UnixSeconds(seconds / 60 * 60);
            prop_assert_eq!(of_operator(&told(minute)), Some(minute));
        }

        #[test]
        fn whatever_is_written_reading_it_ends(text in ".{0,40}") {
            let _ = (of_log(&text), of_operator(&text));
        }
    }
}
