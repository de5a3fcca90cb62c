//! Tests of the rules of the settings.

use super::*;

/// Reads valid settings with the given changes.
fn read(changes: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::read(|name| {
        let changed = changes.iter().find(|(changed, _)| *changed == name).map(|(_, value)| *value);
        let good = match name {
            "ACTION_AUTH" => "open",
            "BIZID" => "8888",
            "SESSION_KEY" => "a-key-of-thirty-two-characters-or-more",
            name if name.ends_with("APPID") || name.ends_with("APP_ID") => "1250000000",
            name if name.ends_with("_ID") => "AKIDexample",
            name if name.ends_with("KEY") && !name.starts_with("CALLBACK") && !name.starts_with("OPERATOR") => {
                "a-key-that-is-long-enough"
            }
            "COS_BUCKET" => "covers",
            _ => "",
        };
        Some(changed.unwrap_or(good).to_owned())
    })
}

/// The errors of valid settings with the given changes.
fn errors(changes: &[(&str, &str)]) -> String {
    read(changes).expect_err(&format!("{changes:?}")).to_string()
}

#[test]
fn a_wrong_value_is_an_error_that_says_the_rule() {
    let too_long = "8".repeat(65);
    let long_name = "x".repeat(256);
    let rules: [(&str, &str, &[&str]); 23] = [
        ("BIZID", "is not set", &["", "  "]),
        ("BIZID", "must have at most 64 characters", &[&too_long]),
        ("LIVE_APPID", "may contain only digits", &["x", "-1"]),
        ("TABLE_NAME", "must have 3 to 255 letters, digits, _, - or .", &["x", "a table", "täbles", &long_name]),
        ("REPLAY_WINDOW_SECONDS", "must be at most five years", &["157680001", "18446744073709551615"]),
        ("REPLAY_WINDOW_SECONDS", "must be a whole number", &["1.5", "a week"]),
        ("LIMIT_SECONDS", "must not be 0", &["0"]),
        ("SESSION_SECONDS", "must not be 0", &["0"]),
        ("REFRESH_SECONDS", "must be at least SESSION_SECONDS", &["2591999"]),
        ("SESSIONS_PER_USER", "must be 1 to 16", &["0", "17"]),
        ("SESSION_KEY", "must have at least 32 characters", &["thirty-one-characters-are-short"]),
        ("SESSION_KEY_NEXT", "must have at least 32 characters", &["thirty-one-characters-are-short"]),
        ("PUSH_KEY", "must have at least 8 characters", &["short"]),
        ("PUSH_KEY", "is a placeholder, not a key", &["changeme", "Password"]),
        ("CALLBACK_PATH_KEY", "must have at least 8 characters", &["short"]),
        (
            "CALLBACK_PATH_KEY",
            "may contain only letters, digits, - and _",
            &["two/segments", "ends-with?", "hundred%25", "a b c d e"],
        ),
        ("ACTION_AUTH", "must be open or user-sig", &["closed"]),
        ("ACCOUNTS", "must be open or closed", &["maybe"]),
        ("COS_SIGN_KEYS", "must be given or refused", &["no"]),
        ("MODERATION", "must be record, hide or end", &["ban"]),
        ("RECORD_FORMATS", "must be none, or some of flv, hls, mp4 joined by |", &["avi", "flv|avi"]),
        (
            "API_URL",
            "must be none, or an http or https address without query",
            &["fcgi.example.com/common_access", "http://", "ftp://h/", "http://h/?cmd=1", "http://h/#a", "None"],
        ),
        (
            "CLOUD_API_URL",
            "must be none, or an https address without path (http for loopback only)",
            &[
                "http://{service}.example.com",
                "http://localhost.{service}",
                "{service}.example.com",
                "https://",
                "https:///",
                "https://{region}.example.com",
                "https://example.com/{service}",
                "https://example.com//",
                "https://example.com?a",
                "https://example.com#a",
                "https://a@example.com",
                "ftp://localhost",
                "None",
            ],
        ),
    ];
    for (name, rule, values) in rules {
        for value in values {
            assert_eq!(errors(&[(name, value)]), format!("settings: {name} {rule}"), "{value}");
        }
    }
}

#[test]
fn a_value_at_the_limit_of_its_rule_is_good() {
    assert!(read(&[("BIZID", &"8".repeat(64))]).is_ok());
    assert_eq!(read(&[("REPLAY_WINDOW_SECONDS", "157680000")]).unwrap().rules.replay_window_seconds, 157_680_000);
    for name in ["abc", "mini-lvb_2.Table", &"x".repeat(255)] {
        assert_eq!(read(&[("TABLE_NAME", name)]).unwrap().table, name);
    }
}

#[test]
fn every_error_is_reported_with_the_name_of_its_setting_and_without_its_value() {
    assert_eq!(
        errors(&[("BIZID", ""), ("PUSH_KEY", "short"), ("LIVE_APPID", "x"), ("ACTION_AUTH", "closed")]),
        "settings: BIZID is not set; ACTION_AUTH must be open or user-sig; LIVE_APPID may contain only digits; \
         PUSH_KEY must have at least 8 characters"
    );
}

#[test]
fn the_domains_follow_from_the_business_id() {
    let domains = read(&[]).unwrap().live.domains;
    assert_eq!(
        (domains.push.as_str(), domains.play.as_str()),
        ("8888.livepush.myqcloud.com", "8888.liveplay.myqcloud.com")
    );
    assert_eq!(read(&[("PUSH_DOMAIN", "push.example.com")]).unwrap().live.domains.push, "push.example.com");
}

#[test]
fn pseudonyms_in_the_log_need_a_salt() {
    let names = |users, salt| read(&[("LOG_USERS", users), ("LOG_SALT", salt)]).unwrap().log_names;
    assert_eq!(names("", "").of("alice"), "alice");
    let pseudonym = |salt| names("off", salt).of("alice");
    assert_eq!((pseudonym("sixteen-letters-").len(), pseudonym("sixteen-letters-").contains("alice")), (16, false));
    assert_ne!(pseudonym("sixteen-letters-"), pseudonym("another-sixteen-"));
    let errors = |users, salt| errors(&[("LOG_USERS", users), ("LOG_SALT", salt)]);
    assert_eq!(errors("off", ""), "settings: LOG_SALT is not set, but LOG_USERS is off");
    assert_eq!(errors("off", "fifteen-letters"), "settings: LOG_SALT must have at least 16 characters");
    assert_eq!(errors("no", ""), "settings: LOG_USERS must be on or off");
}

#[test]
fn recording_mixing_and_keys_for_any_upload_can_be_switched_off() {
    let config = read(&[]).unwrap();
    assert_eq!(config.live.recording.unwrap().formats, "flv|hls");
    assert_eq!(config.live.api_url.unwrap(), "http://fcgi.video.qcloud.com/common_access");
    assert!(config.cos.gives_keys);
    let config = read(&[("RECORD_FORMATS", "none"), ("API_URL", "none"), ("COS_SIGN_KEYS", "refused")]).unwrap();
    assert_eq!((config.live.recording, config.live.api_url, config.cos.gives_keys), (None, None, false));
    for url in ["https://fcgi.example.com/common_access", "http://127.0.0.1:9100"] {
        assert_eq!(read(&[("API_URL", url)]).unwrap().live.api_url.unwrap(), url);
    }
}

#[test]
fn the_newer_interface_of_the_cloud_has_an_address_per_service_and_can_be_switched_off() {
    let api = |url| read(&[("CLOUD_API_URL", url)]).unwrap().cloud_api;
    let addresses = |url| ["live", "vod"].map(|service| api(url).unwrap().url.of(service));
    assert_eq!(addresses(""), ["https://live.tencentcloudapi.com/", "https://vod.tencentcloudapi.com/"]);
    assert_eq!(addresses("http://[::1]:81"), ["http://[::1]:81/"; 2]);
    assert_eq!(addresses("https://{service}.example.com:443/")[1], "https://vod.example.com/", "https has port 443");
    assert_eq!(addresses("http://localhost:80")[0], "http://localhost/", "http has port 80");
    assert_eq!(addresses("https://localhost:80")[0], "https://localhost:80/", "https does not have port 80");
    assert!(api("none").is_none());
}

#[test]
fn an_identity_provider_has_a_secure_address_and_an_audience() {
    let set = |issuer, audience| [("OIDC_ISSUER", issuer), ("OIDC_AUDIENCE", audience)];
    assert!(read(&set("", "")).unwrap().oidc.is_none());
    for issuer in ["https://id.example.com/", "https://id.example.com:8443/a", "http://127.0.0.1:3000", "http://[::1]"]
    {
        let oidc = read(&set(issuer, "app")).unwrap().oidc.unwrap();
        assert_eq!((oidc.issuer.as_str(), oidc.user_claim.as_str()), (issuer, "sub"), "not changed in any way");
    }
    for issuer in ["http://id.example.com", "id.example.com", "https://id.example.com/?a", "https://id.example.com/#a"]
    {
        let rule = "settings: OIDC_ISSUER must be an https address without query (http for loopback only)";
        assert_eq!(errors(&set(issuer, "app")), rule, "{issuer}");
    }
    assert_eq!(errors(&set("https://i", "")), "settings: OIDC_AUDIENCE is not set, but OIDC_ISSUER is");
    assert_eq!(errors(&set("", "app")), "settings: OIDC_ISSUER is not set, but OIDC_AUDIENCE is");
}

#[test]
fn a_function_reads_its_keys_from_one_variable_and_the_others_are_withheld() {
    let function = |secrets: Option<&str>| {
        Config::read_function(|name| match name {
            SECRETS => secrets.map(str::to_owned),
            "ACTION_AUTH" => Some("open".to_owned()),
            "BIZID" | "COS_BUCKET" => Some("word".to_owned()),
            name if name.ends_with("KEY") || name.ends_with("KEY_NEXT") => None,
            name => name.ends_with("ID").then(|| "1250000000".to_owned()),
        })
    };
    let config = function(Some(r#"{"PUSH_KEY":"a \"key\" \\ of 8","CALLBACK_KEY":"none"}"#)).unwrap();
    assert_eq!(config.live.push_key.expose(), r#"a "key" \ of 8"#);
    assert!(config.cos.secret_key == Secret::new(Secret::WITHHELD));
    assert!(config.live.callback_keys[0] == Secret::new(Secret::WITHHELD), "API_KEY, which is withheld");
    assert!(function(Some("{}")).is_ok());
    let errors = |secrets| function(secrets).unwrap_err().to_string();
    assert!(errors(None).contains("PUSH_KEY is not set"), "without the variable a key must be set");
    for wrong in ["hunter22", r#"["hunter22"]"#, r#"{"PUSH_KEY":1}"#] {
        assert_eq!(errors(Some(wrong)), "settings: SECRETS must be a JSON object of texts");
    }
}

#[test]
fn a_secret_of_none_is_not_set() {
    let path_key = |value| read(&[("CALLBACK_PATH_KEY", value)]).unwrap().live.callback_path_key;
    assert!(path_key("").is_none() && path_key("none").is_none());
    assert_eq!(path_key("A-key_of-8").unwrap().expose(), "A-key_of-8");

    let callback_keys = |key, next| {
        let live = read(&[("CALLBACK_KEY", key), ("CALLBACK_KEY_NEXT", next)]).unwrap().live;
        live.callback_keys.iter().map(|key| key.expose().to_owned()).collect::<Vec<_>>()
    };
    let api_key = "a-key-that-is-long-enough";
    assert_eq!(callback_keys("", ""), [api_key]);
    assert_eq!(callback_keys("none", "none"), [api_key]);
    assert_eq!(callback_keys("callback-key", ""), ["callback-key"]);
    assert_eq!(callback_keys("", "the-next-key"), [api_key, "the-next-key"]);
}
