//! What happens during a push besides its start and its end, and the notices about it: files, screenshots, verdicts and
//! other events.

use protocol::types::UnixSeconds;
use serde_json::{Value, json};

use super::{Account, Push};
use crate::notices::Notice;

/// An address that is reserved for documentation.
const EXAMPLE_ADDRESS: &str = "203.0.113.7";
/// The size of a second of video, about.
const BYTES_PER_SECOND: u64 = 100_000;

/// The part of a push that a file has, and the address of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilePart<'a> {
    /// The start; by default that of the push.
    pub from: Option<UnixSeconds>,
    /// The end; by default that of the push, or now.
    pub to: Option<UnixSeconds>,
    /// The address; by default one of the cloud.
    pub url: Option<&'a str>,
    /// The size; by default that of a usual video of this length.
    pub bytes: Option<u64>,
}

/// The address of a file of an account.
pub fn file_url(appid: &str, id: &str, format: &str) -> String {
    let name = if format == "hls" { "playlist.m3u8".to_owned() } else { format!("f0.{format}") };
    format!("http://{appid}.vod2.myqcloud.com/{id}/{name}")
}

impl Account {
    /// Records a file of a push; `None` if there is no such push.
    pub fn record(
        &mut self,
        name: &str,
        format: &str,
        file: &str,
        part: FilePart<'_>,
        now: UnixSeconds,
    ) -> Option<Notice> {
        let id = self.file_name(file);
        self.record_as(name, format, &id, part, now)
    }

    /// As [`Self::record`], for a file with this id.
    pub fn record_as(
        &mut self,
        name: &str,
        format: &str,
        id: &str,
        part: FilePart<'_>,
        now: UnixSeconds,
    ) -> Option<Notice> {
        let push = self.pushes.get(name)?;
        let (from, to) = (part.from.unwrap_or(push.start), part.to.or(push.end).unwrap_or(now));
        let seconds = to.0.saturating_sub(from.0);
        let url = part.url.map_or_else(|| file_url(&self.settings.appid, id, format), str::to_owned);
        let fields = json!({
            "event_type": 100, "video_id": id, "file_id": id, "video_url": url, "file_format": format,
            "file_size": part.bytes.unwrap_or(seconds * BYTES_PER_SECOND), "start_time": from.0, "end_time": to.0, "duration": seconds,
            "vod2Flag": 1,
        });
        let notice = self.notice(name, push, fields);
        self.add_file(id.to_owned());
        Some(notice)
    }

    /// Takes a screenshot of a push, at this address, or else at one of the cloud; `None` if there is no such push.
    pub fn shot(&self, name: &str, url: Option<&str>, now: UnixSeconds) -> Option<Notice> {
        let path = format!("/screenshots/{}{name}-{now}.jpg", self.run);
        let of_cloud = || format!("http://screenshots-{}.file.myqcloud.com{path}", self.settings.appid);
        let url = url.map_or_else(of_cloud, str::to_owned);
        let fields = json!({
            "event_type": 200, "create_time": now.0, "pic_url": path,
            "pic_full_url": url,
            "file_size": 20_000, "width": 960, "height": 540,
        });
        Some(self.notice(name, self.pushes.get(name)?, fields))
    }

    /// Moderates a screenshot of a push; `None` if there is no such push.
    pub fn verdict(&self, name: &str, verdict: &str, now: UnixSeconds) -> Option<Notice> {
        let push = self.pushes.get(name)?;
        let img = format!("http://screenshots-{}.file.myqcloud.com/{name}-{now}.jpg", self.settings.appid);
        // This notice has other names for the stream than all other notices.
        let fields = json!({
            "event_type": 317, "streamId": push.stream, "channelId": push.stream, "img": img, "type": [1],
            "score": [95], "suggestion": verdict, "label": "Porn", "subLabel": "", "ocrMsg": "",
            "appid": self.appid(), "app": self.settings.domains.push, "appname": push.app,
        });
        Some(Notice { fields })
    }

    /// Any other event of a push; `None` if there is no such push.
    pub fn event(&self, name: &str, number: u32, now: UnixSeconds) -> Option<Notice> {
        let push = self.pushes.get(name)?;
        let fields = json!({
            "event_type": number, "event_time": now.0, "data_time": now.0, "domain": self.settings.domains.push,
            "path": push.app,
        });
        Some(self.notice(name, push, fields))
    }

    /// A notice about a push: these fields and those of all notices.
    pub(super) fn notice(&self, name: &str, push: &Push, mut fields: Value) -> Notice {
        let common = json!({
            "appid": self.appid(), "app": self.settings.domains.push, "appname": push.app, "stream_id": push.stream,
            "channel_id": push.stream, "stream_param": push.query, "sequence": format!("{}{name}", self.run),
            "node": EXAMPLE_ADDRESS, "user_ip": EXAMPLE_ADDRESS, "set_id": 2,
        });
        if let (Value::Object(fields), Value::Object(common)) = (&mut fields, common) {
            fields.extend(common);
        }
        Notice { fields }
    }

    fn appid(&self) -> Option<u64> {
        self.settings.appid.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        account::CLOSED,
        tests::{settings, url_of_alice},
    };

    const NOW: UnixSeconds = UnixSeconds(1_600_000_000);

    fn cloud() -> (Account, String) {
        (Account::new(settings(), "run-"), url_of_alice(NOW))
    }

    #[test]
    fn a_file_is_as_long_as_its_push_unless_it_is_said() {
        let (mut cloud, url) = cloud();
        cloud.push(&url, "p1", NOW).unwrap();
        let times = |notice: Notice| [&notice.fields["start_time"], &notice.fields["end_time"]].map(|t| t.as_u64());
        let until_now = cloud.record("p1", "flv", "f1", FilePart::default(), NOW.plus(5)).unwrap();
        assert_eq!(times(until_now), [Some(NOW.0), Some(NOW.0 + 5)]);
        cloud.stop("p1", CLOSED, NOW.plus(9)).unwrap();
        let whole = cloud.record("p1", "hls", "f2", FilePart::default(), NOW.plus(50)).unwrap();
        assert_eq!(times(whole), [Some(NOW.0), Some(NOW.0 + 9)]);
        let part = FilePart { from: Some(NOW.plus(1)), to: Some(NOW.plus(2)), ..FilePart::default() };
        let given = cloud.record("p1", "hls", "f3", part, NOW.plus(50)).unwrap();
        assert_eq!(times(given), [Some(NOW.0 + 1), Some(NOW.0 + 2)]);
        assert!(cloud.delete_file("run-f3") && !cloud.delete_file("run-f3"));
        assert_eq!(cloud.record("p2", "flv", "f4", FilePart::default(), NOW), None);
    }

    #[test]
    fn a_verdict_spells_the_stream_in_its_own_way() {
        let (mut cloud, url) = cloud();
        cloud.push(&url, "p1", NOW).unwrap();
        let verdict = cloud.verdict("p1", "Block", NOW).unwrap();
        assert_eq!((&verdict.fields["streamId"], verdict.fields.get("stream_id")), (&json!("8888_alice"), None));
    }
}
