//! The data folder of the local server, and its files, which only their owner can read.

use std::{
    fmt::Display,
    fs::{self, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use app::process::random_u32;

/// The mode of every file: the files have keys, and personal data of users.
const OWNER_ONLY: u32 = 0o600;
/// The permissions of everybody but the owner.
const OTHERS: u32 = 0o077;

/// The file that a running server locks. It is empty unless a server has not stopped in order.
const LOCK: &str = "lock";

/// Creates the folder, unless it exists.
pub fn create(folder: &Path) -> Result<(), String> {
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    created.map_err(|error| format!("{}: {error}; choose another folder with --data", folder.display()))
}

/// The file of the embedded table.
pub fn table(folder: &Path) -> PathBuf {
    folder.join("table.db")
}

/// Whether the file of the embedded table exists and is not empty.
pub fn has_table(folder: &Path) -> bool {
    fs::metadata(table(folder)).is_ok_and(|file| file.len() > 0)
}

/// Whether a server has used the folder before.
pub fn was_used(folder: &Path) -> bool {
    folder.join(LOCK).exists()
}

/// The file of the settings.
pub fn settings(folder: &Path) -> PathBuf {
    folder.join("settings.toml")
}

/// Removes the permissions of other users from every file of the folder, for example after a restored backup.
pub fn make_private(folder: &Path) {
    for name in ["settings.toml", "table.db", "table.db-wal", "table.db-shm", LOCK] {
        let file = folder.join(name);
        let Ok(metadata) = fs::metadata(&file) else { continue };
        if metadata.permissions().mode() & OTHERS == 0 {
            continue;
        }
        if let Err(error) = fs::set_permissions(&file, Permissions::from_mode(OWNER_ONLY)) {
            let file = file.display();
            tracing::warn!(%file, %error, "other users of this machine can read the file; set its mode to 0600");
        }
    }
}

/// Opens a file for reading and writing. Creates the file if there is none.
pub fn open(file: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(OWNER_ONLY).open(file)
}

/// Replaces the content of a file. After a crash the file has all of the old content or all of the new content.
pub fn write(file: &Path, text: &str) -> io::Result<()> {
    // A symbolic link is kept: its target is replaced.
    let file = match fs::canonicalize(file) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => file.to_owned(),
        Err(error) => return Err(error),
    };
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:08x}.new", random_u32()));
    let new = file.with_file_name(name);
    let replace = || {
        let mut open = fs::OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&new)?;
        open.write_all(text.as_bytes())?;
        open.sync_all()?;
        fs::rename(&new, &file)?;
        // The new name is on the disk once the folder is.
        file.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    };
    replace().inspect_err(|_| drop(fs::remove_file(&new)))
}

/// The lock on a data folder: one process uses the folder at a time, because the writes of two would not be ordered.
///
/// The operating system releases the lock at the end of the process. The file has content while the server runs and
/// after it was killed.
#[derive(Debug)]
pub struct FolderLock {
    file: fs::File,
    /// Whether the last server was killed, or stopped while calls were running.
    pub was_killed: bool,
}

impl FolderLock {
    /// Locks a folder.
    pub fn acquire(folder: &Path) -> Result<Self, String> {
        let path = folder.join(LOCK);
        let fault = |what: &dyn Display| format!("{}: {what}; choose another folder with --data", path.display());
        let file = open(&path).map_err(|error| fault(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.display();
                return Err(format!(
                    "{path}: another mini-lvb uses this folder; stop it, or choose another folder with --data"
                ));
            }
            Err(TryLockError::Error(error)) => return Err(fault(&error)),
        }
        let was_killed = file.metadata().map_err(|error| fault(&error))?.len() > 0;
        Ok(Self { file, was_killed })
    }

    /// Marks the folder as in use, on the disk: called before the first write to the table.
    pub fn mark_in_use(&mut self) -> io::Result<()> {
        self.file.write_all(b"in use")?;
        self.file.sync_all()
    }

    /// Removes the mark and the lock: called after the last write to the table.
    pub fn release(self) -> io::Result<()> {
        self.file.set_len(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_else_is_left() {
        let folder = std::env::temp_dir().join(format!("mini-lvb-folder-{:08x}", random_u32()));
        create(&folder).unwrap();
        let (file, link) = (folder.join("settings.toml"), folder.join("link"));
        write(&file, "old").unwrap();
        let mut reader = fs::File::open(&file).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, "new and longer").unwrap();
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "old", "a reader of the old file reads all of it");
        assert_eq!(fs::read_to_string(&file).unwrap(), "new and longer");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, OWNER_ONLY);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(folder).unwrap();
    }
}
