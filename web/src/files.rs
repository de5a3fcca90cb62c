//! The embedded files of the app and of the console, and their compressed copies.

use std::{collections::HashMap, io::Write as _};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

/// A file: its path below [`crate::ROOT`], and its content.
type Source = (&'static str, &'static [u8]);

/// A table of files: those of a folder of `web`, then those of `web/common`, as if they stood in that folder, and those of
/// `web/vendor`.
macro_rules! files {
    ($folder:literal: $($file:literal)* common: $($common:literal)* vendor: $($vendor:literal)*) => {
        &[
            $(($file, include_bytes!(concat!("../", $folder, "/", $file)).as_slice()),)*
            $(($common, include_bytes!(concat!("../common/", $common)).as_slice()),)*
            $((concat!("vendor/", $vendor), include_bytes!(concat!("../vendor/", $vendor)).as_slice()),)*
        ]
    };
}

/// Every file of the app.
pub(crate) const SOURCES: &[Source] = files! {
    "app":
        "index.html" "style.css" "icon.svg"
        "app.js" "api.js" "broadcast.js" "camera.js" "chat.js" "config.js" "floating.js" "flv.js" "hidden.js" "joint.js"
        "md5.js" "picture.js" "player.js" "room.js" "router.js" "session.js" "view.js" "zh.js"
        "views/lists.js" "views/profile.js" "views/push.js" "views/replay.js" "views/sign_in.js" "views/start.js"
        "views/watch.js"
    common:
        "i18n.js"
    vendor:
        "lit-html.js" "lean-qr.js" "mpegts.js" "hls.light.min.js"
};

/// Every file of the console.
pub(crate) const CONSOLE: &[Source] = files! {
    "console":
        "index.html" "style.css" "icon.svg"
        "console.js" "api.js" "zh.js" "view.js"
        "views/bans.js" "views/ledger.js" "views/lives.js" "views/overview.js" "views/queue.js" "views/reports.js"
        "views/user.js"
    common:
        "i18n.js"
    vendor:
        "lit-html.js"
};

/// The name of the file that is served at the root.
pub(crate) const INDEX: &str = "index.html";

/// A file as it is served.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) media_type: &'static str,
    pub(crate) content: Bytes,
    /// The content compressed with gzip.
    pub(crate) gzip: Bytes,
    /// A digest of the content, in quotes.
    pub(crate) etag: String,
}

impl File {
    pub(crate) fn new(media_type: &'static str, content: Bytes) -> Self {
        let digest = hex::encode(Sha256::digest(&content));
        let etag = format!("\"{}\"", digest.get(..32).unwrap_or(&digest));
        Self { media_type, gzip: compress(&content), content, etag }
    }
}

/// These files, by their path below the root.
pub(crate) fn all(sources: &'static [Source]) -> HashMap<&'static str, File> {
    let file = |&(path, content): &Source| (path, File::new(media_type(path), Bytes::from_static(content)));
    sources.iter().map(file).collect()
}

fn compress(content: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let compressed = encoder.write_all(content).and_then(|()| encoder.finish());
    Bytes::from(compressed.expect("memory can be written to"))
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        Some(_) | None => "application/octet-stream",
    }
}
