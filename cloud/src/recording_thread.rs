//! Records a push in a thread of its own: a slow disk delays neither the push nor its viewers.

use std::{
    sync::mpsc::{self, Receiver, SyncSender, TrySendError},
    thread,
};

use crate::{
    flv::Tag,
    recording::{Event, Recorder},
};

/// How many tags may wait for the disk: many seconds of audio and video.
const MAX_WAITING: usize = 2048;
/// The stack of a thread, which calls little.
const STACK_BYTES: usize = 512 * 1024;

/// The thread that records a push.
#[derive(Debug)]
pub(crate) struct RecordingThread {
    /// `None` if the recording has ended.
    tags: Option<SyncSender<Tag>>,
}

impl RecordingThread {
    /// Starts to record. `report` gets each event, and `None` at the end.
    pub(crate) fn start(recorder: Recorder, report: impl FnMut(Option<Event>) + Send + 'static) -> Self {
        let (tags, receiver) = mpsc::sync_channel(MAX_WAITING);
        let thread = thread::Builder::new().name("recording".to_owned()).stack_size(STACK_BYTES);
        match thread.spawn(move || record(recorder, &receiver, report)) {
            Ok(_) => Self { tags: Some(tags) },
            Err(error) => {
                tracing::warn!(%error, "a push is not recorded: there is no thread for it");
                Self { tags: None }
            }
        }
    }

    /// Records a tag. If the disk is too slow, the recording ends.
    pub(crate) fn add(&mut self, tag: &Tag) {
        if let Some(tags) = &self.tags
            && let Err(error) = tags.try_send(tag.clone())
        {
            if matches!(error, TrySendError::Full(_)) {
                tracing::warn!("a recording ends early: the disk is too slow");
            }
            self.tags = None;
        }
    }

    /// Completes the files.
    pub(crate) fn end(self) {}
}

fn record(mut recorder: Recorder, tags: &Receiver<Tag>, mut report: impl FnMut(Option<Event>)) {
    let mut outcome = Ok(());
    while let Ok(tag) = tags.recv() {
        match recorder.add(&tag) {
            Ok(events) => events.into_iter().for_each(|event| report(Some(event))),
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    let outcome = outcome.and_then(|()| recorder.finish());
    match outcome {
        Ok(events) => events.into_iter().for_each(|event| report(Some(event))),
        Err(error) => tracing::warn!(%error, "a recording ended early; the live goes on. Free some space on the disk"),
    }
    report(None);
}
