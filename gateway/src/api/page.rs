//! The web page: files that are part of the binary, so a node serves the page that it was built with.
//!
//! Nothing is loaded from anywhere else and no script is inline, which the browser is told to enforce;
//! so what trades with a key in this origin is what is in `gateway/web`.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Shared;

/// One file of the page.
#[derive(Clone, Copy)]
struct Asset {
    path: &'static str,
    kind: &'static str,
    body: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";
const PLAIN: &str = "text/plain; charset=utf-8";

macro_rules! assets {
    ($($path:literal $kind:ident $file:literal)*) => {
        &[$(Asset {
            path: $path,
            kind: $kind,
            body: include_bytes!(concat!("../../web/", $file)),
        }),*]
    };
}

const ASSETS: &[Asset] = assets![
    "/" HTML "index.html"
    "/explorer" HTML "explorer.html"
    "/web/style.css" STYLE "style.css"
    "/web/icon.svg" PICTURE "icon.svg"
    "/web/trade.js" SCRIPT "trade.js"
    "/web/account.js" SCRIPT "account.js"
    "/web/book.js" SCRIPT "book.js"
    "/web/chart.js" SCRIPT "chart.js"
    "/web/entry.js" SCRIPT "entry.js"
    "/web/explorer.js" SCRIPT "explorer.js"
    "/web/hex.js" SCRIPT "hex.js"
    "/web/login.js" SCRIPT "login.js"
    "/web/msgpack.js" SCRIPT "msgpack.js"
    "/web/net.js" SCRIPT "net.js"
    "/web/proof.js" SCRIPT "proof.js"
    "/web/sign.js" SCRIPT "sign.js"
    "/web/text.js" SCRIPT "text.js"
    "/web/vendor/noble-secp256k1/index.js" SCRIPT "vendor/noble-secp256k1/index.js"
    "/web/vendor/noble-secp256k1/LICENSE" PLAIN "vendor/noble-secp256k1/LICENSE"
    "/web/vendor/noble-hashes/_blake.js" SCRIPT "vendor/noble-hashes/_blake.js"
    "/web/vendor/noble-hashes/_md.js" SCRIPT "vendor/noble-hashes/_md.js"
    "/web/vendor/noble-hashes/_u64.js" SCRIPT "vendor/noble-hashes/_u64.js"
    "/web/vendor/noble-hashes/blake2.js" SCRIPT "vendor/noble-hashes/blake2.js"
    "/web/vendor/noble-hashes/blake3.js" SCRIPT "vendor/noble-hashes/blake3.js"
    "/web/vendor/noble-hashes/hmac.js" SCRIPT "vendor/noble-hashes/hmac.js"
    "/web/vendor/noble-hashes/sha2.js" SCRIPT "vendor/noble-hashes/sha2.js"
    "/web/vendor/noble-hashes/sha3.js" SCRIPT "vendor/noble-hashes/sha3.js"
    "/web/vendor/noble-hashes/utils.js" SCRIPT "vendor/noble-hashes/utils.js"
    "/web/vendor/noble-hashes/LICENSE" PLAIN "vendor/noble-hashes/LICENSE"
];

/// What a page may do: load its own files and talk to its own node, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Where they are.
pub(super) fn routes() -> Router<Arc<Shared>> {
    ASSETS.iter().fold(Router::new(), |router, asset| {
        let tag = tag_of(asset.body);
        let serve = move |headers: HeaderMap| async move { answer(asset, &tag, &headers) };
        router.route(asset.path, get(serve))
    })
}

/// A name for what is in the file.
fn tag_of(body: &[u8]) -> HeaderValue {
    let tag = format!("\"{}\"", &blake3::hash(body).to_hex()[..32]);
    HeaderValue::try_from(tag).expect("hexadecimal digits")
}

fn answer(asset: &Asset, tag: &HeaderValue, asked: &HeaderMap) -> Response {
    let known = asked.get(header::IF_NONE_MATCH);
    let mut response = if known.is_some_and(|known| is_named(known, tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        asset.body.into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag.clone());
    for (name, value) in [
        (header::CONTENT_TYPE, asset.kind),
        // It is asked for each time: a node of another version has another page.
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether a list of tags has this one; a proxy may have made it a weak one.
fn is_named(list: &HeaderValue, tag: &HeaderValue) -> bool {
    let tags = list.to_str().unwrap_or_default().split(',');
    let mut strong = tags.map(|it| it.trim().trim_start_matches("W/"));
    strong.any(|it| it == "*" || it.as_bytes() == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset(path: &str) -> &'static Asset {
        let found = ASSETS.iter().find(|it| it.path == path);
        found.unwrap_or_else(|| panic!("no {path}"))
    }

    #[test]
    fn a_file_that_is_known_is_not_sent_again() {
        let page = asset("/");
        let tag = tag_of(page.body);
        for (known, expected) in [
            (None, 200),
            (Some("\"other\"".to_owned()), 200),
            (Some(tag.to_str().unwrap().to_owned()), 304),
            (Some(format!("\"other\", W/{}", tag.to_str().unwrap())), 304),
        ] {
            let mut asked = HeaderMap::new();
            if let Some(known) = &known {
                asked.insert(header::IF_NONE_MATCH, known.parse().unwrap());
            }
            let response = answer(page, &tag, &asked);
            assert_eq!(response.status(), expected, "{known:?}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], HTML);
            assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        }
    }

    /// Every module that a script imports, and every file that a page names, is served; so no script
    /// is forgotten in the table, and none comes from elsewhere.
    #[test]
    fn whatever_a_file_names_is_served() {
        let mut named = 0;
        for asset in ASSETS.iter().filter(|it| [HTML, SCRIPT].contains(&it.kind)) {
            let text = std::str::from_utf8(asset.body).unwrap();
            assert!(
                !text.contains("<script>"),
                "{}: an inline script",
                asset.path
            );
            for path in paths_in(text, asset.kind == HTML) {
                let folder = asset.path.rsplit_once('/').unwrap().0;
                let path = path
                    .strip_prefix("./")
                    .map_or_else(|| path.to_owned(), |file| format!("{folder}/{file}"));
                // The page of the API's documents is made elsewhere.
                let is_served = path == "/docs" || ASSETS.iter().any(|it| it.path == path);
                assert!(is_served, "{} names {path}", asset.path);
                named += 1;
            }
        }
        assert!(named > 30, "only {named} names were found");
    }

    fn paths_in(text: &str, is_page: bool) -> Vec<&str> {
        let marks: &[&str] = if is_page {
            &["src=\"", "href=\""]
        } else {
            &[" from \"", " from './", "import(\"", "import './"]
        };
        let lines = text
            .lines()
            .filter(|line| is_page || !line.trim_start().starts_with(['*', '/']));
        let mut found = Vec::new();
        for line in lines {
            for mark in marks {
                for (at, _) in line.match_indices(mark) {
                    let rest = &line[at + mark.trim_end_matches("./").len()..];
                    let end = rest.find(['"', '\'']).unwrap_or(rest.len());
                    let path = &rest[..end];
                    if path.starts_with(['.', '/']) || is_page && !path.starts_with('#') {
                        found.push(path);
                    }
                }
            }
        }
        found
    }
}
