//! What the DSI sees, each page beside its HTML.

pub(super) mod board;

use askama::Template;
use axum::response::Html;
use preau_shared::rig::reply::Problem;

/// Fills a template.
pub(super) fn html(page: &impl Template) -> Result<Html<String>, Problem> {
    page.render().map(Html).map_err(|error| Problem::failed(&error))
}
