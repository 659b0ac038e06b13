#![no_main]

#[path = "../../readers.rs"]
#[expect(dead_code, reason = "each target is one reader")]
mod readers;

// A panic of Automerge that is caught is none; one that is not ends the run all the same.
libfuzzer_sys::fuzz_target!(init: drop(std::panic::take_hook()), |bytes: &[u8]| readers::locker(bytes));
