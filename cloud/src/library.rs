//! The folder of recordings: finds their files for players, deletes them on request, and keeps within a size and an age.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{bounds::MAX_RECORDED_BYTES, recording::PARTIAL};

/// How long a recording is kept.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// What a file takes of the disk at least, and in what steps.
const BLOCK_BYTES: u64 = 4096;

/// The recordings in a folder.
#[derive(Clone, Debug)]
pub struct Library {
    folder: PathBuf,
}

/// A recording on the disk.
struct Kept {
    folder: PathBuf,
    bytes: u64,
    modified: SystemTime,
}

impl Library {
    /// The recordings in a folder, which is created. Incomplete ones of an earlier process are deleted.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        let partial = folder.join(PARTIAL);
        match fs::remove_dir_all(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(&partial)?;
        Ok(Self { folder })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The ids of the complete recordings.
    pub fn ids(&self) -> io::Result<Vec<String>> {
        Ok(kept_in(&self.folder)?.iter().filter_map(|kept| name_of(&kept.folder)).collect())
    }

    /// The file of a path below `/vod/`: `<id>/<name>`; `None` if no recording has such a file.
    pub fn file(&self, path: &str) -> Option<PathBuf> {
        let (id, name) = path.split_once('/')?;
        if !is_plain(id) || !is_plain(name) || id == PARTIAL {
            return None;
        }
        let places = [self.folder.join(id), self.folder.join(PARTIAL).join(id)];
        places.into_iter().map(|folder| folder.join(name)).find(|file| file.is_file())
    }

    /// Deletes a recording. One that is not there counts as deleted.
    pub fn delete(&self, id: &str) -> io::Result<()> {
        if !is_plain(id) || id == PARTIAL {
            return Ok(());
        }
        match fs::remove_dir_all(self.folder.join(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    /// Deletes recordings that are too old, and then the oldest ones until the rest is small enough, those that are being
    /// written included. Returns the ids of the deleted ones.
    pub fn shrink(&self, now: SystemTime) -> io::Result<Vec<String>> {
        self.shrink_to(MAX_RECORDED_BYTES, now)
    }

    fn shrink_to(&self, max_bytes: u64, now: SystemTime) -> io::Result<Vec<String>> {
        let (mut kept, partial) = (kept_in(&self.folder)?, kept_in(&self.folder.join(PARTIAL))?);
        kept.sort_by_key(|kept| kept.modified);
        let mut bytes = kept.iter().chain(&partial).map(|kept| kept.bytes).sum::<u64>();
        let mut deleted = Vec::new();
        for Kept { folder, bytes: size, modified } in kept {
            let age = now.duration_since(modified).unwrap_or_default();
            if age > MAX_AGE || bytes > max_bytes {
                fs::remove_dir_all(&folder)?;
                bytes -= size;
                deleted.extend(name_of(&folder));
            }
        }
        Ok(deleted)
    }
}

/// The recordings in a folder.
fn kept_in(folder: &Path) -> io::Result<Vec<Kept>> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == PARTIAL || !entry.file_type()?.is_dir() {
            continue;
        }
        match measure(&entry.path()) {
            Ok((bytes, modified)) => kept.push(Kept { folder: entry.path(), bytes, modified }),
            // Another push has just completed or deleted it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(kept)
}

/// What a recording takes of the disk, and when it was written last.
fn measure(folder: &Path) -> io::Result<(u64, SystemTime)> {
    let (mut bytes, mut modified) = (0, SystemTime::UNIX_EPOCH);
    for file in fs::read_dir(folder)? {
        let file = file?.metadata()?;
        bytes += file.len().max(1).next_multiple_of(BLOCK_BYTES);
        modified = modified.max(file.modified()?);
    }
    Ok((bytes, modified))
}

fn name_of(folder: &Path) -> Option<String> {
    Some(folder.file_name()?.to_str()?.to_owned())
}

/// Whether a name is one segment of a path.
fn is_plain(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Folder;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000)
    }

    /// A library with these recordings of ten bytes, each a minute older than the one before.
    fn library(folder: &Folder, ids: &[&str], now: SystemTime) -> Library {
        let library = Library::open(folder.path().to_owned()).unwrap();
        for (id, minutes) in ids.iter().zip(1..) {
            fs::create_dir(folder.path().join(id)).unwrap();
            let file = fs::File::create(folder.path().join(id).join("f0.flv")).unwrap();
            file.set_len(10).unwrap();
            file.set_modified(now - Duration::from_secs(60 * minutes)).unwrap();
        }
        library
    }

    fn ids(library: &Library) -> Vec<String> {
        let mut ids = library.ids().unwrap();
        ids.sort();
        ids
    }

    #[test]
    fn the_oldest_recordings_are_deleted_and_never_one_that_is_being_written() {
        let (folder, now) = (Folder::new(), now());
        let library = library(&folder, &["a", "b", "c"], now);
        let shrink = |blocks, now| library.shrink_to(blocks * BLOCK_BYTES, now).unwrap();
        assert_eq!(shrink(3, now), [""; 0]);
        assert_eq!((shrink(2, now), ids(&library)), (vec!["c".to_owned()], vec!["a".to_owned(), "b".to_owned()]));
        let later = now + MAX_AGE - Duration::from_secs(90);
        assert_eq!((shrink(2, later), ids(&library)), (vec!["b".to_owned()], vec!["a".to_owned()]));
        fs::create_dir(folder.path().join(PARTIAL).join("d")).unwrap();
        fs::write(folder.path().join(PARTIAL).join("d").join("0.ts"), [0; 100]).unwrap();
        assert_eq!((shrink(2, now), shrink(1, now)), (vec![], vec!["a".to_owned()]), "it counts, and stays");
        assert_eq!((shrink(0, now), library.file("d/0.ts").is_some()), (vec![], true));
    }

    #[test]
    fn what_an_earlier_process_did_not_complete_is_deleted() {
        let folder = Folder::new();
        fs::create_dir_all(folder.path().join(PARTIAL).join("old")).unwrap();
        let library = library(&folder, &["a"], now());
        assert_eq!((library.file("old/0.ts"), ids(&library)), (None, vec!["a".to_owned()]));
        assert!(!folder.path().join(PARTIAL).join("old").exists());
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let folder = Folder::new();
        let library = library(&folder, &["a"], now());
        fs::write(folder.path().join("secret"), "").unwrap();
        assert!(library.file("a/f0.flv").is_some());
        for path in [
            "a",
            "a/",
            "/f0.flv",
            "a/../secret",
            "../a/f0.flv",
            "./secret",
            "a/..",
            "a/b/c",
            "partial/secret",
            "a/f0.flv%00",
        ] {
            assert_eq!(library.file(path), None, "{path}");
        }
        library.delete("..").unwrap();
        library.delete("a").unwrap();
        library.delete("a").unwrap();
        assert_eq!(ids(&library), [""; 0]);
        assert!(folder.path().join("secret").exists());
    }
}
