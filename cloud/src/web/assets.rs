//! Files that pages are made of: part of the program, under a path that names their common hash, so that browsers may
//! keep them for a year and never mix two versions.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use data_encoding::HEXLOWER;
use preau_shared::keys::sha256;

use super::Web;

/// Hexadecimal digits of the common hash in the path.
const HASH_DIGITS: usize = 12;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const ASSETS: &[Asset] = &[
    Asset { name: "board.css", kind: "text/css; charset=utf-8", bytes: include_bytes!("console/board.css") },
    Asset { name: "board.js", kind: "text/javascript; charset=utf-8", bytes: include_bytes!("console/board.js") },
    Asset { name: "icon.svg", kind: "image/svg+xml", bytes: include_bytes!("console/icon.svg") },
];

/// `/assets/<hash>`: the same in every coordinator of one build.
pub(super) fn prefix() -> String {
    let all: Vec<u8> = ASSETS.iter().flat_map(|asset| sha256(asset.bytes)).collect();
    let hash: String = HEXLOWER.encode(&sha256(&all)).chars().take(HASH_DIGITS).collect();
    format!("/assets/{hash}")
}

/// `GET /assets/{hash}/{name}`.
pub(super) async fn asset(State(web): State<Web>, Path((hash, name)): Path<(String, String)>) -> Response {
    let current = web.assets.ends_with(&format!("/{hash}"));
    match ASSETS.iter().find(|asset| current && asset.name == name) {
        Some(asset) => {
            let headers =
                [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
            (headers, asset.bytes).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
