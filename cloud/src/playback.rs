//! Playback by HTTP: running streams as FLV and HLS, and recordings with ranges.

use std::{io, path::Path};

use bytes::Bytes;
use futures_util::stream;
use http::{
    HeaderValue, Response, StatusCode,
    header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE},
    request::Parts,
};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, SeekFrom},
};

use crate::{
    channel::Viewer,
    listen::{Body, full, text},
};

/// How much of a file is read at a time.
const CHUNK_BYTES: usize = 64 * 1024;
/// What is played, by the extension.
const MEDIA_TYPES: [(&str, &str); 4] =
    [("flv", "video/x-flv"), ("jpg", "image/jpeg"), ("m3u8", "application/vnd.apple.mpegurl"), ("ts", "video/mp2t")];

/// The media type of a file.
fn media_type(name: &str) -> HeaderValue {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let known = MEDIA_TYPES.iter().find(|(known, _)| *known == extension);
    HeaderValue::from_static(known.map_or("application/octet-stream", |(_, media_type)| media_type))
}

/// A running stream as FLV, until it ends.
pub(crate) fn flv(viewer: Viewer) -> Response<Body> {
    let frames = stream::unfold(viewer, |mut viewer| async {
        let bytes = viewer.next().await?;
        Some((io::Result::Ok(Frame::data(bytes)), viewer))
    });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, media_type("live.flv"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The playlist of a running stream.
pub(crate) fn playlist(playlist: String) -> Response<Body> {
    let mut response = full(playlist);
    response.headers_mut().insert(CONTENT_TYPE, media_type("live.m3u8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A file of a recording, or the range of it that the request names.
pub(crate) async fn file(path: &Path, head: &Parts) -> io::Result<Response<Body>> {
    let mut file = File::open(path).await?;
    let length = file.metadata().await?.len();
    let header = head.headers.get(RANGE).and_then(|range| range.to_str().ok());
    let range = match header.and_then(|header| header.strip_prefix("bytes=")) {
        None => None,
        Some(range) => match parse_range(range, length) {
            Range::Bytes(first, last) => Some((first, last)),
            Range::Ignored => None,
            Range::Unsatisfiable => {
                let mut response = text(StatusCode::RANGE_NOT_SATISFIABLE, "the range is behind the end of the file");
                response.headers_mut().insert(CONTENT_RANGE, value(&format!("bytes */{length}")));
                return Ok(response);
            }
        },
    };
    let (first, count) = range.map_or((0, length), |(first, last)| (first, last - first + 1));
    file.seek(SeekFrom::Start(first)).await?;
    let chunks = stream::try_unfold((file.take(count), ()), |(mut file, ())| async move {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        let read = (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut chunk).await?;
        Ok((read > 0).then(|| (Frame::data(Bytes::from(chunk)), (file, ()))))
    });
    let mut response = Response::new(StreamBody::new(chunks).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media_type(&path.to_string_lossy()));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(count));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // A recording never changes.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    if let Some((first, last)) = range {
        headers.insert(CONTENT_RANGE, value(&format!("bytes {first}-{last}/{length}")));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// The answer to a request for one range.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// These bytes: the first and the last one.
    Bytes(u64, u64),
    /// The whole file: the header cannot be read, or names several ranges.
    Ignored,
    /// There are no such bytes.
    Unsatisfiable,
}

/// Reads the header `Range`, without its unit: `<first>-`, `<first>-<last>` or `-<length>`.
fn parse_range(range: &str, length: u64) -> Range {
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let Some((first, last)) = range.split_once('-') else { return Range::Ignored };
    let (first, last) = match (first, last) {
        ("", suffix) => match number(suffix) {
            Some(0) => return Range::Unsatisfiable,
            Some(suffix) => (length.saturating_sub(suffix), length.saturating_sub(1)),
            None => return Range::Ignored,
        },
        (first, "") => match number(first) {
            Some(first) => (first, length.saturating_sub(1)),
            None => return Range::Ignored,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => (first, last.min(length.saturating_sub(1))),
            _ => return Range::Ignored,
        },
    };
    if first < length { Range::Bytes(first, last) } else { Range::Unsatisfiable }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).expect("digits can be a header")
}

/// The name and the extension of a path `/<app>/<stream>.<extension>`.
pub(crate) fn stream_in(path: &str) -> Option<(&str, &str)> {
    let (_, file) = path.strip_prefix('/')?.split_once('/')?;
    file.rsplit_once('.').filter(|(stream, _)| !stream.contains('/'))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::tests::Folder;

    #[test]
    fn one_range_is_read_as_the_standard_has_it() {
        let parse = |range| parse_range(range, 100);
        assert_eq!(
            (parse("0-"), parse("10-19"), parse("90-200")),
            (Range::Bytes(0, 99), Range::Bytes(10, 19), Range::Bytes(90, 99))
        );
        assert_eq!((parse("-10"), parse("-200")), (Range::Bytes(90, 99), Range::Bytes(0, 99)));
        assert_eq!(
            (parse("100-"), parse("-0"), parse_range("0-", 0)),
            (Range::Unsatisfiable, Range::Unsatisfiable, Range::Unsatisfiable)
        );
        for range in ["", "-", "5", "9-5", "a-b", "+1-2", "0-1,5-6", "18446744073709551616-"] {
            assert_eq!(parse(range), Range::Ignored, "{range}");
        }
    }

    #[test]
    fn a_path_names_a_stream_and_a_format() {
        assert_eq!(stream_in("/live/8888_e.x.flv"), Some(("8888_e.x", "flv")));
        for path in ["/live", "/live/", "/live/8888_x", "/live/a/b.flv", "live/a.flv"] {
            assert_eq!(stream_in(path), None, "{path}");
        }
    }

    #[tokio::test]
    async fn a_file_is_given_whole_or_in_part() {
        let folder = Folder::new();
        let path = folder.path().join("f0.flv");
        let content: Vec<u8> = (0..200_000u32).map(|n| n.to_be_bytes()[3]).collect();
        std::fs::write(&path, &content).unwrap();
        let get = async |range: Option<&str>| {
            let request = Request::get("/");
            let request = range.map_or_else(Request::default, |range| request.header("range", range).body(()).unwrap());
            let response = file(&path, &request.into_parts().0).await.unwrap();
            let (head, body) = response.into_parts();
            (head.status.as_u16(), head.headers, body.collect().await.unwrap().to_bytes())
        };
        let (status, headers, body) = get(None).await;
        assert_eq!(
            (status, &headers["content-type"], &headers["content-length"]),
            (200, &"video/x-flv".parse().unwrap(), &"200000".parse().unwrap())
        );
        assert!(body == content);
        let (status, headers, body) = get(Some("bytes=65530-65541")).await;
        assert_eq!((status, &headers["content-range"]), (206, &"bytes 65530-65541/200000".parse().unwrap()));
        assert_eq!(body, content[65530..65542]);
        let (status, headers, _) = get(Some("bytes=200000-")).await;
        assert_eq!((status, &headers["content-range"]), (416, &"bytes */200000".parse().unwrap()));
    }
}
