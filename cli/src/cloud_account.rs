//! The account of a live cloud on this machine that fits the settings of a business server.

use app::{answer::CALLBACKS, config::Config};
use cloud::account::{Account, Settings};

/// The account. `run` is a prefix of the names of its pushes and files.
pub fn account(config: &Config, run: &str) -> Account {
    let Config { live, vod, .. } = config;
    let key = live.callback_path_key.iter().map(|key| format!("/{}", key.expose()));
    let settings = Settings {
        appid: live.appid.clone(),
        domains: live.domains.clone(),
        push_key: live.push_key.clone(),
        callback_key: live.callback_keys.first().unwrap_or(&live.api_key).clone(),
        callback_path: key.chain([CALLBACKS[0].to_owned()]).collect(),
        api_key: live.api_key.clone(),
        secret_id: vod.secret_id.clone(),
        secret_key: vod.secret_key.clone(),
    };
    Account::new(settings, run)
}
