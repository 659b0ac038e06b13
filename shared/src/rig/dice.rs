//! The operating system's random bytes, through the TLS provider.

use aws_lc_rs::rand;

use crate::dice::Dice;

/// Real dice.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDice;

impl Dice for SystemDice {
    #[expect(clippy::panic, reason = "without random bytes there is no key, token or badge that anybody may trust")]
    fn fill(&self, bytes: &mut [u8]) {
        if rand::fill(bytes).is_err() {
            panic!("the operating system gives no random bytes");
        }
    }
}
