//! Expected answers that are not a yes. Each has a stable code (RFC 9457 problems carry it as `code`), a status and a
//! sentence with the next thing to do, in both languages (`refusal-<code>` and its `.next` in the catalogue).

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal;)*) => {
        /// A refusal, by its stable code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Refusal { $($(#[$doc])* $name,)* }

        impl Refusal {
            /// Every refusal there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
            /// The HTTP status (RFC 9110) that carries it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

refusals! {
    /// The text is not a badge of this territory.
    BadgeMalformed = "badge_malformed", 400;
    /// No badge of that hash is known here.
    BadgeUnknown = "badge_unknown", 404;
    /// The badge was made void.
    BadgeVoid = "badge_void", 403;
    /// The badge is past its time.
    BadgeExpired = "badge_expired", 403;
    /// A second factor is asked for and none came.
    SecondFactorRequired = "second_factor_required", 401;
    /// The second factor is wrong.
    SecondFactorWrong = "second_factor_wrong", 401;
    /// A pupil gave a wrong second factor twice or more; her name rises in the teacher's list.
    AdultCalled = "adult_called", 403;
    /// A second factor that classmates would try first.
    CodeTooSimple = "code_too_simple", 422;
    /// An activation code opens nothing by itself: at the staff's page an own secret is chosen with it.
    SecretToChoose = "secret_to_choose", 403;
    /// A secret of staff that anybody would try first, or too short.
    SecretTooSimple = "secret_too_simple", 422;
    /// The code in the school's safe opens only at a box whose plug was just put in.
    SafeClosed = "safe_closed", 403;
    /// Not the code in the school's safe, or one that was used or replaced.
    SafeCodeWrong = "safe_code_wrong", 401;
    /// Too many wrong tries; a teacher lets in.
    LockedOut = "locked_out", 429;
    /// Account or password is wrong.
    AccountWrong = "account_wrong", 401;
    /// The account sits at as many tablets as it may.
    AccountFull = "account_full", 409;
    /// The tablet is in use, or not yet wiped.
    TabletNotFree = "tablet_not_free", 409;
    /// The tablet is another pupil's.
    TabletOfAnother = "tablet_of_another", 403;
    /// No such tablet, or its token is not ours.
    TabletUnknown = "tablet_unknown", 401;
    /// The wipe receipt lacks a step, or a required step failed.
    WipeIncomplete = "wipe_incomplete", 409;
    /// The receipt names another wipe than the tablet's current one.
    WipeUnknown = "wipe_unknown", 404;
    /// The person has no enrolment in this school.
    NotEnrolledHere = "not_enrolled_here", 403;
    /// Other words of the school's charter hold by now.
    CharterChanged = "charter_changed", 409;
    /// Outside opening hours.
    OutsideHours = "outside_hours", 403;
    /// The enrolment code is wrong or closed.
    EnrolmentClosed = "enrolment_closed", 403;
    /// The DSI has not let boxes of this school decode camera frames.
    FramesOff = "frames_off", 403;
    /// The session is over or was never ours.
    SessionUnknown = "session_unknown", 401;
    /// Staff must sign in first.
    StaffRequired = "staff_required", 401;
    /// Signed in, but not allowed to.
    Forbidden = "forbidden", 403;
    /// The DPoP proof lacks the current nonce.
    UseDpopNonce = "use_dpop_nonce", 401;
    /// The DPoP proof does not hold.
    ProofInvalid = "proof_invalid", 401;
    /// The DPoP proof was used before.
    ProofReplayed = "proof_replayed", 401;
    /// The request is not of the described form.
    Malformed = "malformed", 400;
    /// There is nothing by that name.
    NotFound = "not_found", 404;
    /// Another method is meant.
    MethodNotAllowed = "method_not_allowed", 405;
    /// Larger than this endpoint accepts.
    TooLarge = "too_large", 413;
    /// Too many requests at once.
    Overloaded = "overloaded", 503;
    /// The disk does not take it.
    StorageFailed = "storage_failed", 507;
    /// A guest asked to keep a work.
    GuestKeepsNothing = "guest_keeps_nothing", 403;
    /// The person keeps as much as she may.
    WorkFull = "work_full", 507;
    /// The box keeps as many works as it may.
    BoxFull = "box_full", 507;
    /// The work was kept at another box of the school and is on its way.
    WorkArriving = "work_arriving", 409;
    /// Something broke on our side; it was logged under a number.
    Failed = "failed", 500;
    /// The claim code is wrong, used or expired.
    ClaimRefused = "claim_refused", 403;
    /// The claim waits for a person to confirm the three words.
    ClaimPending = "claim_pending", 202;
    /// The roster cannot be read.
    RosterUnreadable = "roster_unreadable", 422;
    /// The roster would empty the school, or looks partial.
    RosterSuspicious = "roster_suspicious", 409;
    /// The school changed since the roster's plan was shown.
    RosterOutdated = "roster_outdated", 409;
    /// The roster was not applied, or a newer one stands on it.
    RosterNotLast = "roster_not_last", 409;
    /// A training room: its people are invented, and nobody real may come in.
    TrainingRoom = "training_room", 409;
    /// Only a training room goes back to its beginning.
    TrainingOnly = "training_only", 409;
    /// The coordinator's administrator must sign in first.
    AdministratorRequired = "administrator_required", 401;
}

#[cfg(test)]
mod tests {
    use super::Refusal;
    use crate::messages::{Catalogue, Lang};

    #[test]
    fn every_refusal_has_its_sentence_and_its_next_step_in_both_languages() {
        let catalogue = Catalogue::load();
        for refusal in Refusal::ALL {
            for lang in [Lang::Fr, Lang::En] {
                let (sentence, next) = catalogue.refusal(lang, *refusal);
                assert!(!sentence.starts_with("refusal-"), "{lang:?} {}", refusal.code());
                assert!(!next.is_empty(), "{lang:?} {} has no next step", refusal.code());
            }
        }
    }
}
