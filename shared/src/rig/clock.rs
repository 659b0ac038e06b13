//! The two real clocks. Nothing else reads them.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::time::{Clock, Elapsed, Stamp};

/// The machine's clocks; [`Elapsed`] counts from its making.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
    /// For how long the machine had been running at the start, where it was asked.
    before: Option<Duration>,
}

impl SystemClock {
    /// Starts counting.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn start() -> Self {
        Self { start: Instant::now(), before: None }
    }

    /// … and asks the system once for how long the machine has been running: a file as Linux's `/proc/uptime`.
    pub fn start_on_machine(uptime: &Path) -> Self {
        let before = fs::read(uptime).ok().and_then(|text| read_uptime(&text));
        Self { before, ..Self::start() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn stamp(&self) -> Stamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Stamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
    fn elapsed(&self) -> Elapsed {
        Elapsed(self.start.elapsed())
    }
    fn machine(&self) -> Option<Duration> {
        self.before.map(|before| before.saturating_add(self.start.elapsed()))
    }
}

/// `350735.47 234388.90`: seconds since the machine started, then something else.
fn read_uptime(text: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(text.get(..text.len().min(64))?).ok()?;
    Duration::try_from_secs_f64(text.split_whitespace().next()?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_machine_tells_for_how_long_it_has_been_running() {
        assert_eq!(read_uptime(b"350735.47 234388.90\n"), Some(Duration::from_millis(350_735_470)));
        for wrong in [&b""[..], b"x", b"-1 0", b"nan", b"inf", b"1e300", &[0xff; 100]] {
            assert_eq!(read_uptime(wrong), None, "{wrong:?}");
        }
        let dir = tempfile::tempdir().expect("dir");
        let file = dir.path().join("uptime");
        assert_eq!(SystemClock::start_on_machine(&file).machine(), None, "no such file");
        fs::write(&file, "61.5 3").expect("written");
        let machine = SystemClock::start_on_machine(&file).machine();
        assert!(machine.is_some_and(|machine| machine >= Duration::from_millis(61_500)), "{machine:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = read_uptime(&bytes);
        }
    }
}
