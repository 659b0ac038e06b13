//! The teacher's page: sign in, then the class as it is now, and what a teacher does about it.
//!
//! It shows; the API decides.

use std::sync::Arc;

use askama::Template;
use axum::{Router, http::HeaderMap, routing::get};
use preau_shared::messages::Catalogue;

use super::page::{self, Frame};

/// Every sentence that the teacher's modules may say.
const KEYS: &[&str] = &[
    "step-clipboard",
    "step-downloads",
    "step-pages",
    "step-storage",
    "teacher-account",
    "teacher-activation-first",
    "teacher-activation-once",
    "teacher-activation-print",
    "teacher-activation-second",
    "teacher-activation-third",
    "teacher-activation-title",
    "teacher-add",
    "teacher-again",
    "teacher-again-help",
    "teacher-again-help-badges",
    "teacher-again-title",
    "teacher-again-yes",
    "teacher-alert-refusals",
    "teacher-alert-twice",
    "teacher-alert-unknown",
    "teacher-badge",
    "teacher-badge-acts",
    "teacher-badge-lost",
    "teacher-badge-lost-help",
    "teacher-badge-print",
    "teacher-badge-print-help",
    "teacher-badge-title",
    "teacher-badge-today",
    "teacher-badge-today-help",
    "teacher-badge-today-next",
    "teacher-badge-today-title",
    "teacher-badges",
    "teacher-badges-cards",
    "teacher-badges-go",
    "teacher-badges-labels",
    "teacher-badges-lost",
    "teacher-badges-lost-help",
    "teacher-badges-new",
    "teacher-badges-paper",
    "teacher-badges-printed",
    "teacher-badges-printed-help",
    "teacher-badges-printed-lost",
    "teacher-badges-printing",
    "teacher-badges-school",
    "teacher-badges-title",
    "teacher-badges-whose",
    "teacher-badges-why",
    "teacher-box-silent",
    "teacher-brand",
    "teacher-by-account",
    "teacher-by-badge",
    "teacher-calling",
    "teacher-cancel",
    "teacher-checked",
    "teacher-checked-help",
    "teacher-checked-steps",
    "teacher-checked-title",
    "teacher-classes",
    "teacher-codes",
    "teacher-codes-digits",
    "teacher-codes-help",
    "teacher-codes-none",
    "teacher-codes-pictures",
    "teacher-codes-pupils",
    "teacher-codes-title",
    "teacher-count",
    "teacher-end",
    "teacher-end-help",
    "teacher-end-title",
    "teacher-enrol",
    "teacher-enrol-help",
    "teacher-enrol-title",
    "teacher-enrol-until",
    "teacher-filter-all",
    "teacher-filter-seated",
    "teacher-filter-waiting",
    "teacher-foreign-code",
    "teacher-given-name",
    "teacher-go",
    "teacher-guests",
    "teacher-guests-close",
    "teacher-guests-close-help",
    "teacher-guests-close-title",
    "teacher-guests-help",
    "teacher-guests-hours",
    "teacher-guests-minutes",
    "teacher-guests-open",
    "teacher-guests-title",
    "teacher-hello",
    "teacher-learn",
    "teacher-learn-title",
    "teacher-leave",
    "teacher-let-in",
    "teacher-let-in-help",
    "teacher-let-in-none",
    "teacher-let-in-title",
    "teacher-locked-out",
    "teacher-new-code",
    "teacher-no-badge",
    "teacher-no-camera",
    "teacher-no-class",
    "teacher-nobody",
    "teacher-not-seated",
    "teacher-number",
    "teacher-off",
    "teacher-off-help",
    "teacher-off-title",
    "teacher-off-yes",
    "teacher-ok",
    "teacher-page-failed",
    "teacher-page-failed-next",
    "teacher-password",
    "teacher-pin",
    "teacher-pin-again",
    "teacher-pin-missing",
    "teacher-pin-title",
    "teacher-pin-wrong",
    "teacher-pupil",
    "teacher-pupil-help",
    "teacher-pupil-title",
    "teacher-scan",
    "teacher-secret",
    "teacher-secret-changed",
    "teacher-secret-changed-help",
    "teacher-secret-different",
    "teacher-secret-help",
    "teacher-secret-new",
    "teacher-secret-old",
    "teacher-secret-title",
    "teacher-secret-twice",
    "teacher-sign-in",
    "teacher-silent-help",
    "teacher-silent-next",
    "teacher-silent-title",
    "teacher-since",
    "teacher-since-now",
    "teacher-staff",
    "teacher-staff-given",
    "teacher-staff-help",
    "teacher-staff-own",
    "teacher-staff-reset",
    "teacher-staff-reset-help",
    "teacher-staff-reset-title",
    "teacher-staff-title",
    "teacher-staff-waiting",
    "teacher-state-free",
    "teacher-state-in-use",
    "teacher-state-lost",
    "teacher-state-outing",
    "teacher-state-retired",
    "teacher-state-unknown",
    "teacher-state-wiping",
    "teacher-substitute",
    "teacher-substitute-classes",
    "teacher-substitute-end",
    "teacher-substitute-friday",
    "teacher-substitute-next",
    "teacher-substitute-no-class",
    "teacher-substitute-ready",
    "teacher-substitute-title",
    "teacher-substitute-tonight",
    "teacher-substitute-until",
    "teacher-substitute-vouch",
    "teacher-tablet-free",
    "teacher-tablet-give",
    "teacher-tablet-nobody",
    "teacher-tablets",
    "teacher-unplugged",
    "teacher-unplugged-help",
    "teacher-unplugged-new",
    "teacher-unplugged-new-help",
    "teacher-unplugged-title",
    "teacher-void",
    "teacher-void-help",
    "teacher-wan-down",
    "teacher-wiping",
    "teacher-wiping-stuck",
];

#[derive(Template)]
#[template(path = "teacher/teacher.html")]
struct TeacherPage {
    frame: Frame,
}

/// `GET /enseignant`, also `/teacher`.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(catalogue: Arc<Catalogue>, training: bool) -> Router<S> {
    let version: Arc<str> = page::version().into();
    let show = move |asked: HeaderMap| {
        let frame = Frame::new(Arc::clone(&catalogue), &asked, Arc::clone(&version), KEYS).in_training(training);
        let answer = page::show(&TeacherPage { frame }, &version);
        std::future::ready(answer)
    };
    Router::new().route("/enseignant", get(show.clone())).route("/teacher", get(show))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_modules_say_what_the_page_hands_over() {
        let said: BTreeSet<String> = page::said_by(&["teacher/", "static/"]);
        assert_eq!(said, KEYS.iter().map(|k| (*k).to_owned()).collect());
    }
}
