//! The folder that the local server keeps its data in, and its files, which nobody but their owner can read.

use std::{
    fmt::Display,
    fs::{self, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use app::process::random_u32;

/// The access rights of a file with keys or with what users wrote: its owner reads and writes it, nobody else.
const OWNER_ONLY: u32 = 0o600;
/// The rights of everybody but the owner.
const OTHERS: u32 = 0o077;

/// The file by which a server has a folder for itself.
const LOCK: &str = "lock";

/// Makes a folder, unless it is there. What users wrote will be in it: its owner's business only.
pub fn make(folder: &Path) -> Result<(), String> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| format!("{}: {error}; choose another folder with --data", folder.display()))
}

/// The file of the embedded table.
pub fn table(folder: &Path) -> PathBuf {
    folder.join("table.db")
}

/// Whether the file of the embedded table is there, with something in it.
pub fn has_table(folder: &Path) -> bool {
    fs::metadata(table(folder)).is_ok_and(|file| file.len() > 0)
}

/// Whether a server has had the folder before.
pub fn was_used(folder: &Path) -> bool {
    folder.join(LOCK).exists()
}

/// The file of the settings.
pub fn settings(folder: &Path) -> PathBuf {
    folder.join("settings.toml")
}

/// Takes the rights of others from every file of the folder that is there, whatever gave them: an older version, a copy
/// or a restored backup.
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

/// Opens a file for reading and writing; one that is not there is made, for its owner only.
pub fn open(file: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(OWNER_ONLY).open(file)
}

/// Writes a whole file, for its owner only. After a crash the file is the old one or the new one, never a part of it.
pub fn write(file: &Path, text: &str) -> io::Result<()> {
    // A link stays one: what it leads to is written.
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

/// A data folder that this process has for itself: what two would do to one row at the same time is not ordered.
///
/// The file that says so is held until the end of the process, however it comes, and has something in it for as long as
/// the process has not ended well.
#[derive(Debug)]
pub struct Folder {
    lock: fs::File,
    was_killed: bool,
}

impl Folder {
    /// Takes the folder.
    pub fn occupy(folder: &Path) -> Result<Self, String> {
        let file = folder.join(LOCK);
        let fault = |what: &dyn Display| format!("{}: {what}; choose another folder with --data", file.display());
        let lock = open(&file).map_err(|error| fault(&error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(fault(&"another mini-lvb works on this folder")),
            Err(TryLockError::Error(error)) => return Err(fault(&error)),
        }
        let was_killed = lock.metadata().map_err(|error| fault(&error))?.len() > 0;
        Ok(Self { lock, was_killed })
    }

    /// Whether the process that had the folder before was killed, or stopped while calls were running.
    pub fn was_killed(&self) -> bool {
        self.was_killed
    }

    /// Says that writes begin: on the disk, before any of them is.
    pub fn begin(&mut self) -> io::Result<()> {
        self.lock.write_all(b"in use")?;
        self.lock.sync_all()
    }

    /// Gives the folder up, all its writes being done.
    pub fn leave(self) -> io::Result<()> {
        self.lock.set_len(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = std::env::temp_dir().join(format!("mini-lvb-folder-{:08x}", random_u32()));
        make(&folder).unwrap();
        let (file, link) = (folder.join("settings.toml"), folder.join("link"));
        write(&file, "old").unwrap();
        let mut reader = fs::File::open(&file).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, "new and longer").unwrap();
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "old", "whoever reads it meanwhile reads all of one");
        assert_eq!(fs::read_to_string(&file).unwrap(), "new and longer");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, OWNER_ONLY);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(folder).unwrap();
    }
}
