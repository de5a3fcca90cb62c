//! A stand-in for the object storage (COS): it keeps the pictures that apps upload with a signature of the business
//! server, and gives them to anybody, as a public bucket does.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use http::{HeaderMap, Method, StatusCode, header::AUTHORIZATION, request::Parts};
use percent_encoding::percent_decode_str;
use protocol::{
    sign::{cos, hex},
    types::{Secret, UnixSeconds},
};

use crate::bounds::{MAX_OBJECT_BYTES, MAX_OBJECTS_BYTES};

/// The longest path of a picture: twice as many digits are the name of its file.
const MAX_PATH_BYTES: usize = 120;
/// What is served, by the extension. A page or a script of a stranger would run with the rights of the app's page.
const MEDIA_TYPES: [(&str, &str); 5] =
    [("gif", "image/gif"), ("jpeg", "image/jpeg"), ("jpg", "image/jpeg"), ("png", "image/png"), ("webp", "image/webp")];

/// The storage, in a folder.
#[derive(Debug)]
pub struct ObjectStorage {
    folder: PathBuf,
    secret_id: String,
    secret_key: Secret,
    /// The size of all objects.
    bytes: Mutex<u64>,
}

/// A kept picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Object {
    /// The media type.
    pub media_type: &'static str,
    /// The file of its content, which is never read as a whole: anybody may ask for any picture.
    pub file: PathBuf,
}

/// Why a request is refused: the status, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: StatusCode,
    /// The reason.
    pub reason: String,
}

impl Refused {
    fn new(status: StatusCode, reason: impl ToString) -> Self {
        Self { status, reason: reason.to_string() }
    }
}

impl ObjectStorage {
    /// The storage in a folder, which is created when the first picture is kept.
    pub fn new(folder: PathBuf, secret_id: String, secret_key: Secret) -> Self {
        let bytes = Mutex::new(bytes_in(&folder));
        Self { folder, secret_id, secret_key, bytes }
    }

    /// Whether a request may write the object that its path names.
    pub fn authorize(&self, head: &Parts, now: UnixSeconds) -> Result<(), Refused> {
        let refused = |reason: cos::Fault| Refused::new(StatusCode::FORBIDDEN, reason);
        let authorization = text(&head.headers, AUTHORIZATION.as_str()).ok_or_else(|| refused(cos::Fault::Shape))?;
        let path = decoded(head.uri.path()).ok_or_else(|| refused(cos::Fault::Shape))?;
        let query: Vec<_> = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).collect();
        let parameters: Vec<_> = query.iter().map(|(name, value)| (&**name, &**value)).collect();
        let headers: Vec<_> =
            head.headers.keys().filter_map(|name| Some((name.as_str(), text(&head.headers, name.as_str())?))).collect();
        let request =
            cos::Request { method: head.method.as_str(), path: &path, parameters: &parameters, headers: &headers };
        cos::verify(authorization, request, &self.secret_id, &self.secret_key, now).map_err(refused)
    }

    /// Whether an object of this path can be kept: a picture, by its extension.
    pub fn is_object(path: &str) -> bool {
        media_type(path).is_some()
    }

    /// Keeps a picture, or deletes it, as the method says.
    pub fn write(&self, method: &Method, path: &str, content: &[u8]) -> Result<(), Refused> {
        let file = self.file(path).ok_or_else(|| {
            Refused::new(StatusCode::BAD_REQUEST, "only pictures are kept: .jpg, .jpeg, .png, .webp or .gif")
        })?;
        let failed = |error: io::Error| Refused::new(StatusCode::INSUFFICIENT_STORAGE, error);
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = fs::metadata(&file).map_or(0, |metadata| metadata.len());
        if *method == Method::DELETE {
            if before > 0 {
                fs::remove_file(&file).map_err(failed)?;
            }
            *bytes = bytes.saturating_sub(before);
            return Ok(());
        }
        let (length, others) = (content.len() as u64, bytes.saturating_sub(before));
        if length > MAX_OBJECT_BYTES || others + length > MAX_OBJECTS_BYTES {
            return Err(Refused::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the picture, or all pictures together, are too large",
            ));
        }
        fs::create_dir_all(&self.folder).and_then(|()| fs::write(&file, content)).map_err(failed)?;
        *bytes = others + length;
        Ok(())
    }

    /// A picture; `None` if there is none of this path.
    pub fn read(&self, path: &str) -> Option<Object> {
        let file = self.file(path).filter(|file| file.is_file())?;
        Some(Object { media_type: media_type(path)?, file })
    }

    /// The file of a picture. Its name is the path in hexadecimal digits, so that no path leads out of the folder.
    fn file(&self, path: &str) -> Option<PathBuf> {
        let path = decoded(path).filter(|path| path.len() <= MAX_PATH_BYTES)?;
        media_type(&path)?;
        Some(self.folder.join(hex(&path)))
    }
}

/// The text of a header.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A percent-encoded path as a text.
fn decoded(path: &str) -> Option<String> {
    Some(percent_decode_str(path).decode_utf8().ok()?.into_owned())
}

fn media_type(path: &str) -> Option<&'static str> {
    let (_, extension) = path.rsplit_once('.')?;
    MEDIA_TYPES.iter().find(|(known, _)| extension.eq_ignore_ascii_case(known)).map(|(_, media_type)| *media_type)
}

/// The size of the files in a folder.
fn bytes_in(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::tests::{Folder, settings};

    const NOW: UnixSeconds = UnixSeconds(1_600_000_000);
    const PICTURE: &str = "/alice/0011%20f.jpg";

    fn storage(folder: &Folder) -> ObjectStorage {
        ObjectStorage::new(folder.path().join("objects"), settings().secret_id, settings().secret_key)
    }

    /// A request that is signed for `NOW`.
    fn signed(method: &str, path: &str) -> Parts {
        let key = cos::derive_now(&settings().secret_key, NOW, 30);
        let headers = [("host", "127.0.0.1:8081"), ("content-type", "image/jpeg")];
        let path_text = decoded(path).unwrap();
        let request = cos::Request { method, path: &path_text, parameters: &[], headers: &headers };
        let authorization = key.authorization(&settings().secret_id, request);
        let [host, media_type] = headers;
        let request = Request::builder().method(method).uri(path).header("authorization", authorization);
        request.header(host.0, host.1).header(media_type.0, media_type.1).body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_signed_upload_is_authorized_for_its_method_its_path_and_its_time() {
        let folder = Folder::new();
        let storage = storage(&folder);
        let good = signed("PUT", PICTURE);
        assert_eq!(storage.authorize(&good, NOW), Ok(()));
        let with = |change: fn(&mut Parts)| {
            let mut parts = signed("PUT", PICTURE);
            change(&mut parts);
            storage.authorize(&parts, NOW).map_err(|refused| refused.status)
        };
        let forbidden = Err(StatusCode::FORBIDDEN);
        assert_eq!(with(|parts| parts.method = Method::DELETE), forbidden);
        assert_eq!(with(|parts| parts.uri = "/bob/0011%20f.jpg".parse().unwrap()), forbidden);
        assert_eq!(with(|parts| drop(parts.headers.remove("content-type"))), forbidden, "a signed header is missing");
        assert_eq!(with(|parts| drop(parts.headers.remove("authorization"))), forbidden);
        assert_eq!(with(|parts| drop(parts.headers.insert("user-agent", "any".parse().unwrap()))), Ok(()));
        let late = storage.authorize(&good, NOW.plus(31)).unwrap_err();
        assert_eq!(late.reason, "the signature is not valid at this time: q-sign-time is 1600000030");
    }

    #[test]
    fn a_picture_is_kept_replaced_and_deleted_and_counts_once() {
        let folder = Folder::new();
        let storage = storage(&folder);
        assert_eq!(storage.read(PICTURE), None);
        storage.write(&Method::PUT, PICTURE, b"first").unwrap();
        storage.write(&Method::PUT, PICTURE, b"second").unwrap();
        let object = storage.read(PICTURE).unwrap();
        assert_eq!((object.media_type, fs::read(object.file).unwrap()), ("image/jpeg", b"second".to_vec()));
        assert_eq!(*storage.bytes.lock().unwrap(), 6);
        let later = ObjectStorage::new(folder.path().join("objects"), settings().secret_id, settings().secret_key);
        assert_eq!(*later.bytes.lock().unwrap(), 6, "a new process counts what is there");
        storage.write(&Method::DELETE, PICTURE, b"").unwrap();
        storage.write(&Method::DELETE, PICTURE, b"").unwrap();
        assert_eq!((storage.read(PICTURE), *storage.bytes.lock().unwrap()), (None, 0));
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_refused_and_no_path_leads_out_of_the_folder() {
        let folder = Folder::new();
        let storage = storage(&folder);
        let status = |path: &str, bytes: usize| {
            storage.write(&Method::PUT, path, &vec![0; bytes]).err().map(|refused| refused.status.as_u16())
        };
        assert_eq!(status("/alice/page.html", 1), Some(400));
        assert_eq!(status("/alice/no-extension", 1), Some(400));
        assert_eq!(status("/alice/%ff.jpg", 1), Some(400), "no UTF-8");
        assert_eq!(status(&format!("/{}.jpg", "x".repeat(116)), 1), Some(400));
        assert_eq!(status("/alice/large.jpg", 16 * 1024 * 1024 + 1), Some(413));
        assert_eq!(status("/../../out.jpg", 1), None);
        assert_eq!(status("/..%2fout.jpg", 1), None);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["objects"]);
    }
}
