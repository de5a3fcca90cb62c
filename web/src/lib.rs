//! The demo app: a page that uses the public protocol of the server, as phones do.
//!
//! The files of `web/app`, `web/common` and `web/vendor` are part of the program. They are plain modules of JavaScript, so
//! that a build needs nothing but Rust. [`App::respond`] is a pure function from the head of a request to a response.

mod console;
mod files;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
        CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
    },
    request::Parts,
};
use serde::Serialize;

pub use crate::console::Console;
use crate::files::File;

/// The path of the app.
pub const ROOT: &str = "/app/";
/// The path of the settings, below the root.
const CONFIG: &str = "config.json";

/// What the page must know, and which addresses it may connect to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Settings {
    /// The address of the live cloud that takes pushes by WebSocket and carries the chat, as `http://127.0.0.1:8081`.
    /// `None`: the page cannot push from a camera.
    pub video: Option<String>,
    /// Whether the live cloud carries the chat of rooms.
    pub chat: bool,
    /// The addresses of play URLs and pictures, as `https://play.example.com`. The page loads media of no other
    /// address, since addresses of pictures are text of strangers.
    pub media: BTreeSet<String>,
}

/// The app, ready to be served.
#[derive(Debug)]
pub struct App {
    files: HashMap<&'static str, File>,
    /// The value of the header `Content-Security-Policy`.
    policy: HeaderValue,
}

impl App {
    /// Compresses the files. An address in the settings that cannot be part of a header is left out.
    pub fn new(settings: Settings) -> Self {
        let media = settings.media.into_iter().filter(|address| is_origin(address)).collect();
        let video = settings.video.filter(|address| is_origin(address));
        let settings = Settings { chat: settings.chat && video.is_some(), video, media };
        let json = serde_json::to_vec(&settings).expect("the settings are texts and flags");
        let mut files = files::all(files::SOURCES);
        files.insert(CONFIG, File::new("application/json", Bytes::from(json)));
        Self { files, policy: policy(&settings) }
    }

    /// Answers a request with this head. `None`: the request is not for the app.
    pub fn respond(&self, request: &Parts) -> Option<Response<Bytes>> {
        if ![Method::GET, Method::HEAD].contains(&request.method) {
            return None;
        }
        let path = request.uri.path();
        let is_visit = path == "/" && accepts(&request.headers, &ACCEPT, "text/html");
        if is_visit || path == ROOT.trim_end_matches('/') {
            return Some(redirect());
        }
        let name = path.strip_prefix(ROOT)?;
        Some(page(&self.files, name, &self.policy, request))
    }
}

/// The file with this name, or 404, with the headers of all files.
fn page(files: &HashMap<&'static str, File>, name: &str, policy: &HeaderValue, request: &Parts) -> Response<Bytes> {
    let mut response = match files.get(if name.is_empty() { files::INDEX } else { name }) {
        Some(file) => serve(file, &request.headers),
        None => not_found(),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if request.method == Method::HEAD {
        response.body_mut().clear();
    }
    response
}

/// The file, or 304 if the client has it.
fn serve(file: &File, request: &HeaderMap) -> Response<Bytes> {
    let takes_gzip = accepts(request, &ACCEPT_ENCODING, "gzip");
    let body = if takes_gzip { &file.gzip } else { &file.content };
    let is_known = accepts(request, &IF_NONE_MATCH, &file.etag) || accepts(request, &IF_NONE_MATCH, "*");
    let mut response = Response::new(if is_known { Bytes::new() } else { body.clone() });
    let headers = response.headers_mut();
    // The browser asks again each time: a new version of the server must not meet old modules.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(ETAG, HeaderValue::from_str(&file.etag).expect("a digest is a valid header"));
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.media_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    if takes_gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn redirect() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static(ROOT));
    // The answer at `/` depends on this header: another client gets the health check there.
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}

fn not_found() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"There is no such file.\n"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Whether a header with a list has this element, with a weight other than 0. A weak ETag counts as its strong one.
fn accepts(headers: &HeaderMap, name: &HeaderName, element: &str) -> bool {
    let lists = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let is_it =
            parts.next().is_some_and(|value| value.strip_prefix("W/").unwrap_or(value).eq_ignore_ascii_case(element));
        let is_refused = parts.any(|parameter| {
            parameter
                .strip_prefix("q=")
                .and_then(|weight| weight.parse::<f32>().ok())
                .is_some_and(|weight| weight <= 0.0)
        });
        is_it && !is_refused
    })
}

/// Whether a text is an address without path, in characters that have no meaning in a policy.
fn is_origin(address: &str) -> bool {
    let host = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    })
}

/// The page runs only its own files, and connects only to this server and to the addresses of the settings.
fn policy(settings: &Settings) -> HeaderValue {
    let media: BTreeSet<&String> = settings.media.iter().chain(&settings.video).collect();
    let media: String = media.iter().map(|address| format!(" {address}")).collect();
    // http://host becomes ws://host, and https://host becomes wss://host.
    let sockets = settings.video.as_ref().and_then(|address| address.strip_prefix("http"));
    let sockets = sockets.map(|rest| format!(" ws{rest}")).unwrap_or_default();
    // Players give the video to the page as a blob.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{media}; media-src 'self' \
         blob:{media}; connect-src 'self'{media}{sockets}; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
    );
    HeaderValue::from_str(&policy).expect("addresses are ASCII")
}
