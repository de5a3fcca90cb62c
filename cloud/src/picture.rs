//! Takes a picture of a push now and then: ffmpeg, if it is installed, decodes the last key frame.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

use crate::{
    bounds::{MAX_CAMERAS, MAX_PICTURE_BYTES},
    flv::{Role, Tag},
};

/// How often a picture is taken.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long a picture may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Whether ffmpeg could not be started: then there are no pictures, and one warning.
static IS_MISSING: AtomicBool = AtomicBool::new(false);
/// The places of the pictures that are being taken.
static PLACES: Semaphore = Semaphore::const_new(MAX_CAMERAS);

/// Takes the pictures of one push.
#[derive(Debug, Default)]
pub(crate) struct Camera {
    last: Option<Instant>,
    /// Whether a picture is being taken.
    is_busy: Arc<AtomicBool>,
}

/// The right to take a picture now.
pub(crate) struct Place(SemaphorePermit<'static>);

impl Camera {
    /// The right to take a picture, if a picture of this tag is due and not too many others are being taken.
    pub(crate) fn due(&self, tag: &Tag) -> Option<Place> {
        let is_due = tag.role() == Role::KeyFrame
            && self.last.is_none_or(|last| last.elapsed() >= INTERVAL)
            && !self.is_busy.load(Ordering::Relaxed)
            && !IS_MISSING.load(Ordering::Relaxed);
        if is_due { PLACES.try_acquire().ok().map(Place) } else { None }
    }

    /// Takes a picture of a stream in FLV, which begins with a key frame, and calls `keep` with it.
    pub(crate) fn shoot(&mut self, place: Place, flv: Bytes, keep: impl FnOnce(Vec<u8>) + Send + 'static) {
        self.last = Some(Instant::now());
        self.is_busy.store(true, Ordering::Relaxed);
        let is_busy = Arc::clone(&self.is_busy);
        tokio::spawn(async move {
            match timeout(TIMEOUT, decode(&flv)).await {
                Ok(Ok(picture)) if !picture.is_empty() => drop(tokio::task::spawn_blocking(|| keep(picture)).await),
                Ok(Ok(_)) => tracing::debug!("ffmpeg could not decode a picture"),
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                    if !IS_MISSING.swap(true, Ordering::Relaxed) {
                        tracing::warn!("there are no pictures of lives: install ffmpeg, and start again");
                    }
                }
                Ok(Err(error)) => tracing::debug!(%error, "a picture could not be taken"),
                Err(_) => tracing::debug!("a picture took too long"),
            }
            is_busy.store(false, Ordering::Relaxed);
            drop(place.0);
        });
    }
}

async fn decode(flv: &[u8]) -> std::io::Result<Vec<u8>> {
    const ARGUMENTS: &str = "-loglevel error -f flv -i pipe:0 -frames:v 1 -q:v 4 -f mjpeg pipe:1";
    let mut command = Command::new("ffmpeg");
    command.args(ARGUMENTS.split(' ')).kill_on_drop(true);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // ffmpeg closes its input when it has seen enough.
            drop(stdin.write_all(flv).await);
        }
    };
    let read = async {
        let mut picture = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(MAX_PICTURE_BYTES).read_to_end(&mut picture).await?;
        }
        std::io::Result::Ok(picture)
    };
    let ((), picture) = tokio::join!(write, read);
    process.wait().await?;
    picture
}
