//! Records a push in a thread of its own: a slow disk delays neither the push nor its viewers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
};

use crate::{
    bounds::{MAX_UNRECORDED_BYTES, MAX_UNRECORDED_TAGS},
    flv::{Role, Tag},
    recording::{Event, Recorder},
};

/// How many tags are given to the thread at a time: to wake it for each would take as long as to write the tag.
const BATCH_TAGS: usize = 16;
/// The stack of a thread, which calls little.
const STACK_BYTES: usize = 512 * 1024;

/// What gets the events of a recording, and `None` at its end, however it ends.
struct Report<F: FnMut(Option<Event>)>(F);

impl<F: FnMut(Option<Event>)> Drop for Report<F> {
    fn drop(&mut self) {
        (self.0)(None);
    }
}

/// The thread that records a push.
#[derive(Debug)]
pub(crate) struct RecordingThread {
    /// `None` if the recording has ended.
    tags: Option<SyncSender<Vec<Tag>>>,
    /// The tags that are not given to the thread yet.
    batch: Vec<Tag>,
    /// The bytes of the tags that wait for the disk.
    waiting: Arc<AtomicUsize>,
}

impl RecordingThread {
    /// Starts to record. `report` gets each event, and `None` at the end.
    pub(crate) fn start(recorder: Recorder, report: impl FnMut(Option<Event>) + Send + 'static) -> Self {
        let (tags, receiver) = mpsc::sync_channel(MAX_UNRECORDED_TAGS / BATCH_TAGS);
        let waiting = Arc::<AtomicUsize>::default();
        let (taken, report) = (Arc::clone(&waiting), Report(report));
        let thread = thread::Builder::new().name("recording".to_owned()).stack_size(STACK_BYTES);
        match thread.spawn(move || record(recorder, &receiver, &taken, report)) {
            Ok(_) => Self { tags: Some(tags), batch: Vec::new(), waiting },
            Err(error) => {
                tracing::warn!(%error, "a push is not recorded: there is no thread for it");
                Self { tags: None, batch: Vec::new(), waiting }
            }
        }
    }

    /// Records a tag. If the disk is too slow, the recording ends.
    pub(crate) fn add(&mut self, tag: Tag) {
        if self.tags.is_none() {
            return;
        }
        let length = tag.body.len();
        let is_too_much = self.waiting.fetch_add(length, Ordering::Relaxed) + length > MAX_UNRECORDED_BYTES;
        // A key frame may complete a segment, for which players wait.
        let is_due = tag.role() == Role::KeyFrame || self.batch.len() + 1 >= BATCH_TAGS || is_too_much;
        self.batch.push(tag);
        if is_due {
            self.flush(is_too_much);
        }
    }

    /// Gives the batch to the thread, unless it is too much.
    fn flush(&mut self, is_too_much: bool) {
        let batch = std::mem::take(&mut self.batch);
        let Some(tags) = &self.tags else { return };
        match if is_too_much { Err(mpsc::TrySendError::Full(batch)) } else { tags.try_send(batch) } {
            Ok(()) => {}
            Err(mpsc::TrySendError::Full(_)) => {
                tracing::warn!("a recording ends early: the disk is too slow");
                self.tags = None;
            }
            // The thread has said why.
            Err(mpsc::TrySendError::Disconnected(_)) => self.tags = None,
        }
    }

    /// Completes the files.
    pub(crate) fn end(mut self) {
        self.flush(false);
    }
}

fn record<F: FnMut(Option<Event>)>(
    mut recorder: Recorder,
    tags: &Receiver<Vec<Tag>>,
    waiting: &AtomicUsize,
    mut report: Report<F>,
) {
    let mut record = || {
        for tag in tags.iter().flatten() {
            let events = recorder.add(&tag)?;
            waiting.fetch_sub(tag.body.len(), Ordering::Relaxed);
            events.into_iter().for_each(|event| report.0(Some(event)));
        }
        recorder.finish()
    };
    match record() {
        Ok(events) => events.into_iter().for_each(|event| report.0(Some(event))),
        Err(error) => tracing::warn!(%error, "a recording ended early; the live goes on. Free some space on the disk"),
    }
    // What is not complete is deleted before the push is forgotten.
    drop(recorder);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use bytes::Bytes;
    use protocol::types::UnixSeconds;

    use super::*;
    use crate::{flv::TagKind, recording::Request, tests::Folder};

    /// A recording whose thread waits at its first segment, as for a disk that stands still, until the sender is dropped.
    fn stuck(folder: &Folder) -> (RecordingThread, mpsc::Sender<()>, Receiver<()>) {
        let recorder = Recorder::new(folder.path(), Request::of_query("p1", "record=flv"), || UnixSeconds(0));
        let ((release, released), (done, ended)) = (channel::<()>(), channel());
        let recording = RecordingThread::start(recorder, move |event| match event {
            Some(_) => drop(released.recv()),
            None => done.send(()).unwrap(),
        });
        (recording, release, ended)
    }

    fn tag(time: u32, body: &[u8], length: usize) -> Tag {
        let mut body = body.to_vec();
        body.resize(body.len().max(length), 0);
        Tag { kind: TagKind::Video, time, body: Bytes::from(body) }
    }

    /// Adds these tags behind those of a first segment; how many of them waited when the recording ended.
    fn waited(length: usize) -> usize {
        let folder = Folder::new();
        let (mut recording, release, ended) = stuck(&folder);
        recording.add(tag(0, &[0x17, 0, 0, 0, 0, 1, 1, 0, 0x1f, 0xff, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68], 0));
        for time in [0, 2000] {
            recording.add(tag(time, &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65], 0));
        }
        let mut count = 0;
        while recording.tags.is_some() {
            recording.add(tag(3000, &[0x27, 1, 0, 0, 0], length));
            count += 1;
        }
        drop(release);
        ended.recv().unwrap();
        count
    }

    #[test]
    fn a_disk_that_is_too_slow_ends_the_recording_before_the_memory_is_full() {
        let large = waited(1 << 20);
        assert!((16..=17).contains(&large), "{large}");
        // The thread may have taken two batches, or none yet: the last one did not wait.
        let small = waited(5);
        assert!(small.abs_diff(MAX_UNRECORDED_TAGS) <= 2 * BATCH_TAGS, "{small}");
    }
}
