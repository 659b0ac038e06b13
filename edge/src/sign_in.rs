//! People come and go: badge, account, guest, let in by an adult; second factor, lock-out, session, sign-out.
//!
//! What decides is [`decide`], a function of facts and `now`. [`scan::open`] is the spine of a badge scan.

pub(crate) mod badges;
pub(crate) mod charter;
pub(crate) mod code;
pub(crate) mod decide;
pub(crate) mod factor;
pub(crate) mod frames;
pub(crate) mod guests;
pub(crate) mod leave;
pub(crate) mod let_in;
pub(crate) mod lockout;
pub(crate) mod newcomers;
pub(crate) mod printing;
pub(crate) mod safe;
pub(crate) mod scan;
pub(crate) mod secrets;
pub(crate) mod staff;
pub(crate) mod suit;
pub(crate) mod unplugged;
pub(crate) mod unrecorded;
pub(crate) mod welcome;
pub(crate) mod which_class;
