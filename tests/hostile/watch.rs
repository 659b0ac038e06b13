//! What a case cost: processor time, memory, and whether it came back at all.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// A case that has not come back after so long hangs, however busy the machine is.
const NEVER: Duration = Duration::from_secs(120);
/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// Watches one case after the other from a thread beside, until it is dropped.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Watched>);

#[derive(Default)]
struct Watched {
    case: Mutex<String>,
    count: AtomicU64,
}

impl Watch {
    pub(crate) fn start() -> Self {
        let watch = Self::default();
        let seen = Arc::downgrade(&watch.0);
        std::thread::spawn(move || {
            let (mut last, mut waited) = (0, Duration::ZERO);
            loop {
                std::thread::sleep(LOOK);
                // Whoever was watched has ended.
                let Some(seen) = seen.upgrade() else { return };
                let count = seen.count.load(Ordering::Relaxed);
                waited = if count == last { waited.saturating_add(LOOK) } else { Duration::ZERO };
                last = count;
                if waited > NEVER {
                    let case = seen.case.lock().expect("case");
                    eprintln!("{case} does not come back");
                    std::process::abort();
                }
            }
        });
        watch
    }

    pub(crate) fn now(&self, case: String) {
        *self.0.case.lock().expect("case") = case;
        self.0.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Processor time of this program, in hundredths of a second (proc(5), `utime` and `stime`).
pub(crate) fn processor() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("proc");
    let rest = stat.rsplit(')').next().expect("after the name");
    rest.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("ticks")).sum()
}

/// The most memory this program ever had, in KB (proc(5), `VmHWM`).
pub(crate) fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("peak");
    line.trim().trim_end_matches(" kB").parse().expect("number")
}
