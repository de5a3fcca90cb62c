//! Tests of the responses, and of the table of files against the folders.

use std::{fs, io::Read as _, path::Path};

use flate2::read::GzDecoder;
use http::Request;

use super::*;

const VIDEO: &str = "http://127.0.0.1:8081";

fn app() -> App {
    let media = BTreeSet::from([VIDEO.to_owned(), "https://pictures.example.com".to_owned()]);
    App::new(Settings { video: Some(VIDEO.to_owned()), chat: true, media })
}

fn head(method: &Method, path: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn get(path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
    app().respond(&head(&Method::GET, path, headers)).unwrap()
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[test]
fn a_browser_at_the_root_of_the_server_is_led_to_the_app() {
    for (path, accept) in [("/", "text/html,application/xhtml+xml;q=0.9"), ("/app", "*/*")] {
        let response = get(path, &[("accept", accept)]);
        assert_eq!((response.status(), header(&response, "location")), (StatusCode::FOUND, "/app/"), "{path}");
    }
}

#[test]
fn other_requests_are_not_for_the_app() {
    let html = [("accept", "text/html")];
    for request in [
        head(&Method::GET, "/", &[]),
        head(&Method::GET, "/", &[("accept", "*/*")]),
        head(&Method::GET, "/", &[("accept", "text/html;q=0")]),
        head(&Method::POST, "/", &html),
        head(&Method::POST, "/app/", &html),
        head(&Method::GET, "/interface.php", &html),
        head(&Method::GET, "/login", &html),
        head(&Method::GET, "/application", &html),
    ] {
        assert!(app().respond(&request).is_none(), "{} {}", request.method, request.uri);
    }
}

#[test]
fn a_file_is_compressed_for_clients_that_take_it() {
    let plain = get("/app/", &[]);
    assert_eq!(header(&plain, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&plain, "content-encoding"), "");
    let compressed = get("/app/", &[("accept-encoding", "deflate, GZIP;q=1.0, br")]);
    assert_eq!(header(&compressed, "content-encoding"), "gzip");
    assert_eq!(header(&compressed, "vary"), "accept-encoding");
    assert_eq!(header(&compressed, "content-length"), compressed.body().len().to_string());
    let mut content = Vec::new();
    GzDecoder::new(&compressed.body()[..]).read_to_end(&mut content).unwrap();
    assert_eq!(content, plain.body()[..]);
    let refused = get("/app/", &[("accept-encoding", "gzip;q=0")]);
    assert_eq!(header(&refused, "content-encoding"), "");
}

#[test]
fn a_file_that_the_browser_has_is_not_sent_again() {
    let etag = header(&get("/app/app.js", &[]), "etag").to_owned();
    for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
        let response = get("/app/app.js", &[("if-none-match", &known)]);
        assert_eq!((response.status(), response.body().len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
        assert_eq!(header(&response, "etag"), etag);
    }
    assert_eq!(get("/app/app.js", &[("if-none-match", "\"x\"")]).status(), StatusCode::OK);
    assert_ne!(header(&get("/app/api.js", &[]), "etag"), etag);
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let (got, response) = (get("/app/style.css", &[]), app().respond(&head(&Method::HEAD, "/app/style.css", &[])));
    let response = response.unwrap();
    assert_eq!(response.headers(), got.headers());
    assert!(response.body().is_empty() && !got.body().is_empty());
}

#[test]
fn a_file_that_does_not_exist_is_not_found_and_no_path_leaves_the_table() {
    for path in ["/app/nothing.js", "/app/../Cargo.toml", "/app//index.html", "/app/vendor/README.md"] {
        assert_eq!(get(path, &[]).status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[test]
fn the_policy_names_the_video_and_the_pictures_and_nothing_else() {
    for path in ["/app/", "/app/config.json", "/app/nothing"] {
        let response = get(path, &[]);
        assert_eq!(
            header(&response, "content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' http://127.0.0.1:8081 \
             https://pictures.example.com; media-src 'self' blob: http://127.0.0.1:8081 https://pictures.example.com; \
             connect-src 'self' http://127.0.0.1:8081 https://pictures.example.com ws://127.0.0.1:8081; base-uri \
             'none'; frame-ancestors 'none'; form-action 'none'"
        );
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_eq!(header(&response, "referrer-policy"), "no-referrer");
    }
}

#[test]
fn the_page_learns_its_settings() {
    assert_eq!(
        get("/app/config.json", &[]).body(),
        r#"{"video":"http://127.0.0.1:8081","chat":true,"media":["http://127.0.0.1:8081","https://pictures.example.com"]}"#
    );
    let config = |settings| App::new(settings).files[CONFIG].content.clone();
    assert_eq!(config(Settings::default()), r#"{"video":null,"chat":false,"media":[]}"#);
    let odd = Settings { video: Some("http://a; script-src *".to_owned()), chat: true, ..Settings::default() };
    assert_eq!(config(odd), r#"{"video":null,"chat":false,"media":[]}"#);
}

#[test]
fn every_file_of_the_app_is_in_the_table() {
    let web = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    for (folder, prefix) in [("app", ""), ("app/views", "views/"), ("common", "")] {
        for entry in fs::read_dir(web.join(folder)).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                found.insert(format!("{prefix}{}", entry.file_name().to_str().unwrap()));
            }
        }
    }
    let is_own = |path: &&str| !path.starts_with("vendor/");
    let table = files::SOURCES.iter().map(|(path, _)| *path).filter(is_own).map(str::to_owned).collect();
    assert_eq!(found, table);
}

#[test]
fn the_app_is_small() {
    let app = app();
    let own = app.files.iter().filter(|(path, _)| !path.starts_with("vendor/"));
    let bytes: usize = own.map(|(_, file)| file.gzip.len()).sum();
    assert!(bytes < 40 * 1024, "{bytes} bytes");
}

#[test]
fn the_page_has_no_inline_script_or_style_which_the_policy_forbids() {
    for (path, content) in files::SOURCES.iter().filter(|(path, _)| !path.starts_with("vendor/")) {
        let content = str::from_utf8(content).unwrap();
        for forbidden in [" style=\"", " style=$", "<style", "innerHTML", "eval(", "unsafeHTML", "onclick="] {
            assert!(!content.contains(forbidden), "{path}: {forbidden}");
        }
        for foreign in content.split("http").skip(1).filter(|rest| rest.starts_with("://") || rest.starts_with("s://"))
        {
            assert!(foreign.starts_with("://www.w3.org/2000/svg"), "{path}: http{}", &foreign[..20.min(foreign.len())]);
        }
    }
}
