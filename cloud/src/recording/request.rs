//! What a push URL asks to record: the formats, and the longest file.

use super::files::{FLV_NAME, PLAYLIST_NAME};
use crate::bounds::MAX_INTERVAL_SECONDS;

/// The longest file if the push URL does not say.
const DEFAULT_INTERVAL_SECONDS: u64 = 7200;

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One file with everything.
    Flv,
    /// A playlist and its segments.
    Hls,
}

impl Format {
    /// The name in push URLs and in notices.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flv => "flv",
            Self::Hls => "hls",
        }
    }

    /// The file that a player opens.
    pub fn entry(self) -> &'static str {
        match self {
            Self::Flv => FLV_NAME,
            Self::Hls => PLAYLIST_NAME,
        }
    }
}

/// What is recorded of a push.
#[derive(Clone, Debug)]
pub struct Request {
    /// The prefix of the names of the files.
    pub name: String,
    /// The formats of files that are kept.
    pub formats: Vec<Format>,
    /// The longest file, in seconds.
    pub interval_seconds: u64,
}

impl Request {
    /// What a push URL requests: `record=flv|hls&record_interval=7200`. Other formats are not recorded.
    pub fn of_query(name: &str, query: &str) -> Self {
        let params: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let param = |name: &str| params.iter().find(|(key, _)| key == name).map(|(_, value)| &**value);
        let formats = param("record").unwrap_or_default().split('|');
        let known = |word: &str| [Format::Flv, Format::Hls].into_iter().find(|format| format.name() == word);
        let interval = param("record_interval").and_then(|seconds| seconds.parse().ok()).filter(|seconds| *seconds > 0);
        Self {
            name: name.to_owned(),
            formats: formats.filter_map(known).collect(),
            interval_seconds: interval.unwrap_or(DEFAULT_INTERVAL_SECONDS).min(MAX_INTERVAL_SECONDS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_url_says_what_is_recorded() {
        let request = |query| Request::of_query("p", query);
        let both = request("bizid=8888&record_interval=60&record=flv|hls|mp4&txTime=0");
        assert_eq!((both.formats, both.interval_seconds), (vec![Format::Flv, Format::Hls], 60));
        assert_eq!(request("record_interval=18446744073709551615").interval_seconds, MAX_INTERVAL_SECONDS);
        let none = request("txTime=0&record_interval=0");
        assert_eq!((none.formats, none.interval_seconds), (vec![], 7200));
    }
}
