//! How many lines of a log were lost, until somebody can be told.
use std::sync::atomic::{AtomicU64, Ordering};

/// The count.
#[derive(Debug, Default)]
pub(super) struct Lost(AtomicU64);

impl Lost {
    /// One more.
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Has `tell` say how many there are, if there are any. When it could, they count no more.
    pub(super) fn tell(&self, tell: impl FnOnce(u64) -> bool) {
        let count = self.0.load(Ordering::Relaxed);
        if count > 0 && tell(count) {
            self.0.fetch_sub(count, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_counts_no_more() {
        let lost = Lost::default();
        lost.tell(|count| panic!("{count} lines"));
        lost.add();
        lost.add();
        for can_be_told in [false, true] {
            let mut told = 0;
            lost.tell(|count| {
                told = count;
                // Another one, meanwhile.
                if can_be_told {
                    lost.add();
                }
                can_be_told
            });
            assert_eq!(told, 2, "{can_be_told}");
        }
        lost.tell(|count| {
            assert_eq!(count, 1);
            true
        });
    }
}
