//! Who is on which tablet, and word of every change as it happens.

pub(crate) mod calls;
pub(crate) mod live;
pub(crate) mod quiet;
pub(crate) mod view;
pub(crate) mod watch;
