//! Which names may be looked up, by whom. Pure: a verdict is a function of the rules of whoever asks, of the name and of
//! the categories in which a block list has it.

pub mod safe_search;
pub mod scope;
pub mod verdict;

pub use scope::{Asker, Book, Lists, Rules};
pub use verdict::{Reason, Verdict, judge};
