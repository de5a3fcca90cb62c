//! The events in the live cloud's notices: the parser of a notice's body.

use serde_json::Value;

use super::prelude::*;
use protocol::sign::md5_hex;
use timeline::Reason;

/// The fields that may tell when a moderated picture was taken, the best first. The versions of the notice differ in
/// their spelling; the last two fields tell when the notice was sent.
const PICTURE_TIMES: [&str; 8] = [
    "screenshotTime",
    "screenshot_time",
    "createTime",
    "create_time",
    "eventTime",
    "event_time",
    "sendTime",
    "send_time",
];
/// A larger number is a time in milliseconds: no time in seconds is so large, and every time in milliseconds since 1973
/// is larger.
const MIN_MILLISECONDS: u64 = 100_000_000_000;
/// How many characters of the cloud's error message are kept.
const MAX_MESSAGE_CHARS: usize = 64;
/// The longest name of an event in the id of a notice.
const MAX_NAME_BYTES: usize = 512;

/// What a notice reports.
pub(super) enum Event {
    /// Event 1: a push started.
    Started { push: String, at: Option<UnixSeconds> },
    /// Event 0: a push ended. Very old notices do not name the push.
    Ended { push: Option<String>, at: Option<UnixSeconds>, seconds: Option<u64>, reason: Option<Reason> },
    /// Event 100: a file was recorded.
    Recorded(Box<File>),
    /// Event 200: a picture of the stream was taken.
    Screenshot { picture: Option<Link<255>>, at: Option<UnixSeconds> },
    /// Event 317: a picture was moderated.
    Moderated { is_forbidden: bool, at: Option<UnixSeconds> },
    /// Any other event: the notice is kept, and nothing else is done.
    Other,
}

/// A recorded file.
pub(super) struct File {
    pub(super) file: FileId,
    pub(super) vod_file: Text<200>,
    pub(super) url: Link<1024>,
    pub(super) format: Text<16>,
    pub(super) start: UnixSeconds,
    pub(super) end: UnixSeconds,
    /// When the signature of the notice expires.
    pub(super) expires_at: UnixSeconds,
}

impl Event {
    /// Reads the event of a notice with this `event_type`.
    pub(super) fn parse(params: &Params, kind: &str) -> Result<Self, Error> {
        match kind {
            "0" => {
                let milliseconds = params.optional::<UnixSeconds>("push_duration").ok().flatten();
                Ok(Self::Ended {
                    push: push(params)?,
                    at: params.optional("event_time")?,
                    seconds: milliseconds.map(|ms| ms.0 / 1000),
                    reason: push_end_reason(params),
                })
            }
            "1" => {
                let at: Option<UnixSeconds> = params.optional("event_time")?;
                let by_time = || format!("@{}", at.unwrap_or(UnixSeconds(0)));
                Ok(Self::Started { push: push(params)?.unwrap_or_else(by_time), at })
            }
            "100" => Ok(Self::Recorded(Box::new(File::parse(params)?))),
            "200" => {
                let picture = params.optional::<Link<255>>("pic_full_url").ok().flatten();
                let at = params.optional("create_time").ok().flatten();
                Ok(Self::Screenshot { picture: picture.filter(|link| !link.as_str().is_empty()), at })
            }
            "317" => {
                let suggestion = params.optional::<String>("suggestion").ok().flatten();
                let is_forbidden = suggestion.is_some_and(|word| word.eq_ignore_ascii_case("block"));
                let at = PICTURE_TIMES.iter().find_map(|name| seconds_or_milliseconds(params, name));
                Ok(Self::Moderated { is_forbidden, at })
            }
            _ => Ok(Self::Other),
        }
    }
}

impl File {
    fn parse(params: &Params) -> Result<Self, Error> {
        let format: Text<16> = params.nullable("file_format")?.unwrap_or_default();
        Ok(Self {
            file: params.required("video_id")?,
            vod_file: params.optional("file_id").ok().flatten().unwrap_or_default(),
            url: params.required("video_url")?,
            format: Text::parse(&format.as_str().to_ascii_lowercase()).unwrap_or_default(),
            start: params.required("start_time")?,
            end: params.required("end_time")?,
            expires_at: params.optional("t").ok().flatten().unwrap_or_default(),
        })
    }
}

/// The id of a notice, which no other notice of the same stream has.
pub(super) fn notice_id(params: &Params, kind: &str) -> String {
    let field = |name| params.number_or_text(name).ok().filter(|text| !text.is_empty());
    let name = match kind {
        "0" | "1" => field("sequence").or_else(|| field("event_time").map(|at| format!("@{at}"))),
        "100" => field("video_id"),
        "200" => field("pic_url").or_else(|| field("pic_full_url")),
        _ => None,
    };
    // Other notices are identified by their body without the signature, which differs in each attempt.
    let name = name.filter(|name| name.len() <= MAX_NAME_BYTES).unwrap_or_else(|| {
        let mut body: Value = serde_json::from_slice(params.body()).unwrap_or_default();
        if let Some(fields) = body.as_object_mut() {
            fields.remove("t");
            fields.remove("sign");
        }
        md5_hex(&[&body.to_string()])
    });
    let kind: String = kind.chars().filter(|c| !c.is_control()).take(16).collect();
    // An id must not begin with a blank: command lines drop leading blanks.
    let kind = if kind.trim().is_empty() { "none" } else { kind.trim() };
    format!("{kind} {name}")
}

/// The id of a notice that reports another address of a file than an earlier notice with the id `id`.
pub(super) fn notice_id_of_url(id: &str, url: &Link<1024>) -> String {
    format!("{id} {}", md5_hex(&[url.as_str()]))
}

/// The address of the file that a notice reports.
pub(super) fn url_in(body: &str) -> Option<Link<1024>> {
    Params::of_notice(body).ok()?.required("video_url").ok()
}

/// Why the push ended, if the notice reports that.
pub(super) fn push_end_reason(params: &Params) -> Option<Reason> {
    let number = |name| params.number_or_text(name).ok().and_then(|text| text.parse::<u64>().ok());
    let message = params.optional::<String>("errmsg").ok().flatten().unwrap_or_default();
    let message: String = message.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE_CHARS).collect();
    Some(Reason { code: number("errcode")?, detail: number("sub_errcode").unwrap_or(0), message })
}

/// The name of the push, if the notice has one.
fn push(params: &Params) -> Result<Option<String>, Error> {
    let sequence = params.optional::<Text<128>>("sequence")?.unwrap_or_default();
    Ok(Some(sequence.as_str().to_owned()).filter(|sequence| !sequence.is_empty()))
}

/// A time that the field has in seconds or in milliseconds.
fn seconds_or_milliseconds(params: &Params, name: &'static str) -> Option<UnixSeconds> {
    let UnixSeconds(number) = params.optional(name).ok().flatten()?;
    let seconds = if number >= MIN_MILLISECONDS { number / 1000 } else { number };
    Some(UnixSeconds(seconds)).filter(|at| at.0 > 0)
}
