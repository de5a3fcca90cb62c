//! The files of the operator's console. They hold no secret: the program that serves them relays the calls.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use http::{HeaderValue, Response, request::Parts};

use crate::{
    files::{self, File},
    is_origin, page,
};

/// The addresses of this machine, for pictures of a live cloud on it.
const THIS_MACHINE: &str = " http://127.0.0.1:* http://localhost:*";

/// The console, ready to be served.
#[derive(Debug)]
pub struct Console {
    files: HashMap<&'static str, File>,
    policy: HeaderValue,
}

impl Console {
    /// The console that loads pictures from these addresses, as `https://play.example.com`, and if `is_local` from this
    /// machine: addresses of pictures are text of strangers, who must not learn where the operators are. An address that
    /// cannot be part of a header is left out.
    pub fn new(pictures: BTreeSet<String>, is_local: bool) -> Self {
        let addresses = pictures.iter().filter(|address| is_origin(address));
        let mut sources: String = addresses.map(|address| format!(" {address}")).collect();
        if is_local {
            sources.push_str(THIS_MACHINE);
        }
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{sources}; connect-src 'self'; \
             base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
        );
        let policy = HeaderValue::from_str(&policy).expect("addresses are ASCII");
        Self { files: files::all(files::CONSOLE), policy }
    }

    /// Answers a GET or HEAD with this head.
    pub fn respond(&self, request: &Parts) -> Response<Bytes> {
        page(&self.files, request.uri.path().trim_start_matches('/'), &self.policy, request)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use http::Request;

    use super::*;

    fn get(console: &Console, path: &str) -> Response<Bytes> {
        console.respond(&Request::get(path).body(()).unwrap().into_parts().0)
    }

    fn policy(console: &Console) -> String {
        get(console, "/").headers()["content-security-policy"].to_str().unwrap().to_owned()
    }

    #[test]
    fn every_file_of_the_folder_is_served_and_no_other() {
        let console = Console::new(BTreeSet::new(), true);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("console");
        let names = |folder: &Path| -> Vec<String> {
            let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            files.filter(|path| path.is_file()).map(|path| path.file_name().unwrap().to_str().unwrap().into()).collect()
        };
        let views = names(&folder.join("views")).into_iter().map(|name| format!("views/{name}"));
        for name in names(&folder).into_iter().chain(views) {
            assert_eq!(get(&console, &format!("/{name}")).status(), 200, "{name}");
        }
        for path in ["/api.rs", "/views/", "/../Cargo.toml", "/vendor/mpegts.js"] {
            assert_eq!(get(&console, path).status(), 404, "{path}");
        }
    }

    #[test]
    fn pictures_come_only_from_the_addresses_that_were_named() {
        let named = ["https://play.example.com", "https://x; script-src *"].map(str::to_owned).into();
        let policy = policy(&Console::new(named, false));
        assert!(policy.contains("img-src 'self' https://play.example.com; connect-src 'self';"), "{policy}");
        assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn a_console_of_this_machine_loads_pictures_of_this_machine() {
        let policy = policy(&Console::new(BTreeSet::new(), true));
        assert!(policy.contains("img-src 'self' http://127.0.0.1:* http://localhost:*;"), "{policy}");
    }
}
