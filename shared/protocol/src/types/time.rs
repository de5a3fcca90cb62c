//! Times: those of the server and the cloud, and those of the apps' clocks.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::{
    OffsetDateTime, PrimitiveDateTime,
    format_description::BorrowedFormatItem,
    macros::{datetime, format_description, offset},
};

/// A time: whole seconds since 1970, UTC.
///
/// ```
/// use protocol::types::UnixSeconds;
/// let time = UnixSeconds(1_600_000_000);
/// assert_eq!(time.in_china(), "2020-09-13 20:26:40");
/// assert_eq!(time.in_utc(), "2020-09-13T12:26:40Z");
/// assert_eq!(UnixSeconds::from_utc("2020-09-13T12:26:40Z"), Some(time));
/// assert_eq!(UnixSeconds::from_utc("2020-13-01T00:00:00Z"), None);
/// assert_eq!(UnixSeconds(1_600_041_599).date(), "2020-09-13", "the last second of the day");
/// assert_eq!(UnixSeconds(1_600_041_600).date(), "2020-09-14");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnixSeconds(pub u64);

/// The start of the year 2020: a clock that shows an earlier time has not been set.
const EARLIEST_CLOCK: UnixSeconds = UnixSeconds(1_577_836_800);

/// The tolerance between clocks: a time further ahead of now comes from a wrong clock, the cloud's or ours.
pub const CLOCK_TOLERANCE_SECONDS: u64 = 30;

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const IN_CHINA: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const ISO_8601: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

impl UnixSeconds {
    /// Whether this time is over 30 seconds after `now`, so that one of the two clocks is wrong. Always `false` if
    /// `now` is by a clock that has not been set (before 2020).
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// let now = UnixSeconds(1_600_000_000);
    /// assert!(now.plus(31).is_ahead_of(now));
    /// assert!(!now.plus(30).is_ahead_of(now));
    /// assert!(!now.is_ahead_of(UnixSeconds(100)), "the clock has not been set");
    /// ```
    pub fn is_ahead_of(self, now: Self) -> bool {
        now >= EARLIEST_CLOCK && self > now.plus(CLOCK_TOLERANCE_SECONDS)
    }

    /// This time, or `now` if this time [is ahead](Self::is_ahead_of).
    #[must_use]
    pub fn or_now_if_ahead(self, now: Self) -> Self {
        if self.is_ahead_of(now) { now } else { self }
    }

    /// Parses a decimal number of seconds, with an optional fraction, which is dropped, and an optional exponent.
    /// `None` if the text is no number, or the number is negative, or 10^15 or more.
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// assert_eq!(UnixSeconds::parse("1600000000.5"), Some(UnixSeconds(1_600_000_000)));
    /// assert_eq!(UnixSeconds::parse("1.5e9"), Some(UnixSeconds(1_500_000_000)));
    /// assert_eq!(UnixSeconds::parse("-1"), None);
    /// assert_eq!(UnixSeconds::parse("noon"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let seconds: f64 = text.parse().ok().filter(|seconds| (0.0..1e15).contains(seconds))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and 1e15")]
        Some(Self(seconds as u64))
    }

    /// Parses a time in UTC, in the format of ISO 8601; `None` if it is invalid, or before 1970.
    pub fn from_utc(text: &str) -> Option<Self> {
        let time = PrimitiveDateTime::parse(text, ISO_8601).ok()?.assume_utc();
        u64::try_from(time.unix_timestamp()).ok().map(Self)
    }

    /// The time in UTC, in the format of ISO 8601.
    pub fn in_utc(self) -> String {
        format(self.to_datetime(), ISO_8601)
    }

    /// The time in China (UTC+8), as Gen-2 apps show it.
    pub fn in_china(self) -> String {
        format(self.to_datetime().to_offset(offset!(+8)), IN_CHINA)
    }

    /// The date in UTC.
    pub fn date(self) -> String {
        format(self.to_datetime(), DATE)
    }

    /// The time in UTC, at most the end of the year 9999 in China, since the formats have years of four digits.
    fn to_datetime(self) -> OffsetDateTime {
        const LAST: OffsetDateTime = datetime!(9999-12-31 23:59:59 +8);
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX).min(LAST.unix_timestamp());
        OffsetDateTime::from_unix_timestamp(seconds).expect("a time within the range")
    }

    /// The time `seconds` later.
    #[must_use]
    pub fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// The time `seconds` earlier, not before 1970.
    #[must_use]
    pub fn minus(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }
}

fn format(time: OffsetDateTime, format: &[BorrowedFormatItem<'_>]) -> String {
    time.format(format).expect("every time has these components")
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The time at which an app made a call, by the app's clock: in seconds, or in milliseconds with an optional fraction,
/// as iOS apps send it.
///
/// ```
/// use protocol::types::{Timestamp, UnixSeconds};
/// assert_eq!(Timestamp::parse("1512890037").unwrap().0, UnixSeconds(1_512_890_037));
/// assert_eq!(Timestamp::parse("1512890037123.4").unwrap().0, UnixSeconds(1_512_890_037));
/// assert!(Timestamp::parse("-1").is_none());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Timestamp(pub UnixSeconds);

impl Timestamp {
    /// Parses the time; `None` if it is invalid.
    pub fn parse(text: &str) -> Option<Self> {
        /// A greater number is milliseconds. As seconds this is the year 5138, as milliseconds the year 1973.
        const MAX_SECONDS: u64 = 100_000_000_000;
        let UnixSeconds(number) = UnixSeconds::parse(text)?;
        Some(Self(UnixSeconds(if number > MAX_SECONDS { number / 1000 } else { number })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_seconds_has_a_date() {
        assert_eq!(UnixSeconds(0).in_china(), "1970-01-01 08:00:00");
        assert_eq!(UnixSeconds(u64::MAX).in_china(), "9999-12-31 23:59:59");
        assert_eq!(UnixSeconds(u64::MAX).in_utc(), "9999-12-31T15:59:59Z");
    }
}
