//! Contests: every contestant once a round, in an order that rotates, and medians of all rounds.
//!
//! Clock speed, caches and neighbours on the machine drift over seconds; within a round they hardly do. So figures are
//! compared within their round, and only ratios are worth carrying elsewhere.
use crate::figures::Cell;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// How much of everything to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Under two minutes for all subjects: enough to see a blunder.
    Quick,
    /// What goes into the documentation.
    Full,
}

impl Effort {
    /// One figure or the other.
    pub fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// The samples of one contestant, one for each round.
pub type Samples = Vec<f64>;

/// Runs `contestants` contestants for `rounds` rounds; `run` plays one contestant once and returns `FIGURES` figures.
/// Returns the samples by figure, then contestant. Everyone warms up once before.
pub fn contest<const FIGURES: usize>(
    contestants: usize,
    rounds: usize,
    mut run: impl FnMut(usize) -> [f64; FIGURES],
) -> [Vec<Samples>; FIGURES] {
    // Caches, branch predictors and the clock come up to speed.
    for contestant in 0..contestants {
        run(contestant);
    }
    play(contestants, rounds, run)
}

/// The same without warming up.
pub fn play<const FIGURES: usize>(
    contestants: usize,
    rounds: usize,
    mut run: impl FnMut(usize) -> [f64; FIGURES],
) -> [Vec<Samples>; FIGURES] {
    let mut samples = [(); FIGURES].map(|()| vec![Samples::with_capacity(rounds); contestants]);
    for round in 0..rounds {
        for turn in 0..contestants {
            let contestant = (round + turn) % contestants;
            let figures = run(contestant);
            for (figure, value) in figures.into_iter().enumerate() {
                samples[figure][contestant].push(value);
            }
        }
    }
    samples
}

/// The value in the middle.
pub fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// The value below which `share` of the samples are.
pub fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len().saturating_sub(1)) as f64 * share;
    sorted.get(place.round() as usize).copied().unwrap_or(f64::NAN)
}

/// The median of samples, how far the middle half of them spreads, and the median ratio of `reference` to them, round
/// by round: for times, how fast it is in terms of the reference.
pub fn cell(samples: &[f64], reference: Option<&[f64]>) -> Cell {
    let value = median(samples);
    let spread = (quantile(samples, 0.75) - quantile(samples, 0.25)) / value;
    let ratio = reference.map(|reference| {
        let ratios: Vec<f64> = reference.iter().zip(samples).map(|(reference, sample)| reference / sample).collect();
        median(&ratios)
    });
    Cell { value, spread: Some(spread), ratio }
}

/// Calls `act` with this thread pinned to the machine's last CPU, where interrupts are fewest.
pub fn pinned<T>(act: impl FnOnce() -> T) -> anyhow::Result<T> {
    let this = Pid::from_raw(0);
    let before = sched_getaffinity(this)?;
    let last = (0..CpuSet::count()).rev().find(|cpu| before.is_set(*cpu).unwrap_or(false)).unwrap_or(0);
    let mut only = CpuSet::new();
    only.set(last)?;
    sched_setaffinity(this, &only)?;
    let outcome = act();
    sched_setaffinity(this, &before)?;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_plays_once_a_round_and_the_first_changes() {
        let mut order = Vec::new();
        let [samples] = contest(3, 2, |contestant| {
            order.push(contestant);
            [contestant as f64]
        });
        assert_eq!(order, [0, 1, 2, 0, 1, 2, 1, 2, 0]);
        assert_eq!(samples, [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]);
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let cell = cell(&[2.0, 4.0, 8.0], Some(&[1.0, 2.0, 4.0]));
        assert_eq!((cell.value, cell.ratio), (4.0, Some(0.5)));
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    }
}
