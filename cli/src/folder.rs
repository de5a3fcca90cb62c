//! The folder that the local server keeps its data in.

use std::{
    fmt::Display,
    fs::{self, TryLockError},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

/// Makes a folder, unless it is there. What users wrote will be in it: its owner's business only.
pub fn make(folder: &Path) -> Result<(), String> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| format!("{}: {error}; choose another folder with --data", folder.display()))
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
        let file = folder.join("lock");
        let fault = |what: &dyn Display| format!("{}: {what}; choose another folder with --data", file.display());
        let mut options = fs::OpenOptions::new();
        let lock =
            options.read(true).write(true).create(true).truncate(false).open(&file).map_err(|error| fault(&error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(fault(&"another mini-lvb works on this folder")),
            Err(TryLockError::Error(error)) => return Err(fault(&error)),
        }
        let was_killed = lock.metadata().map_err(|error| fault(&error))?.len() > 0;
        Ok(Self { lock, was_killed })
    }

    /// Whether the process that had the folder before was killed.
    pub fn was_killed(&self) -> bool {
        self.was_killed
    }

    /// Says that writes begin.
    pub fn begin(&mut self) -> io::Result<()> {
        self.lock.write_all(b"in use")
    }

    /// Gives the folder up, all its writes being done.
    pub fn leave(self) -> io::Result<()> {
        self.lock.set_len(0)
    }
}
