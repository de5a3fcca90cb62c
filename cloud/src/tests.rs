//! What the tests share.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use protocol::{
    sign::push_url::{Domains, Scheme},
    types::{Secret, StreamId, UnixSeconds},
};

use crate::account::Settings;

/// Settings of an account.
pub(crate) fn settings() -> Settings {
    Settings {
        appid: "1250000000".to_owned(),
        domains: Domains {
            bizid: "8888".to_owned(),
            push: "8888.livepush.myqcloud.com".to_owned(),
            play: "8888.liveplay.myqcloud.com".to_owned(),
            play_scheme: Scheme::Http,
        },
        push_key: Secret::new("pushkey123"),
        callback_key: Secret::new("cbkey456"),
        callback_path: "/callback/Live_callback.php".to_owned(),
        api_key: Secret::new("apikey789"),
        secret_id: "AKIDaccount".to_owned(),
        secret_key: Secret::new("secret of the account"),
    }
}

/// A push URL of the stream `8888_alice` that is good for a minute.
pub(crate) fn url_of_alice(now: UnixSeconds) -> String {
    let Settings { domains, push_key, .. } = settings();
    domains.push_url(&push_key, &StreamId::parse("8888_alice").unwrap(), now.plus(60), None)
}

/// An empty folder that is deleted when the value is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("live-cloud-{}-{number}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}
