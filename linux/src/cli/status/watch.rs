//! What passes through tunnels, second by second.
//!
//! On a terminal the picture is drawn anew in its place. Elsewhere each second adds its lines.
use super::{Tunnel, look};
use crate::cli::Outcome;
use crate::cli::show::human::bytes;
use crate::cli::terminal::{Paint, Style};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};

/// Time between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Seconds that a graph shows.
const SECONDS: usize = 40;
/// Columns of a graph from empty to full.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Shows the tunnel `name`, or all, until this process is interrupted, or nobody reads.
///
/// # Errors
/// The tunnel is not there or does not answer.
pub(super) fn run(name: Option<&str>) -> Outcome {
    let stdout = io::stdout();
    let (paint, is_terminal) = (Paint::on(&stdout), stdout.is_terminal());
    let mut histories: BTreeMap<String, History> = BTreeMap::new();
    let mut drawn = 0;
    loop {
        let (tunnels, _) = look(name)?;
        let now = Instant::now();
        histories.retain(|name, _| tunnels.iter().any(|tunnel| tunnel.status.name == *name));
        let mut picture = String::new();
        for tunnel in &tunnels {
            let history = histories.entry(tunnel.status.name.clone()).or_default();
            history.add(tunnel.transfer(), now);
            history.draw(&mut picture, tunnel, paint);
        }
        if tunnels.is_empty() {
            picture.push_str("no tunnel is up\n");
        }
        let mut output = stdout.lock();
        if is_terminal && drawn > 0 {
            // To the first line of the last picture, and away with it (ECMA-48 § 8.3.22, § 8.3.39).
            write!(output, "\x1b[{drawn}A\x1b[J")?;
        }
        output.write_all(picture.as_bytes())?;
        output.flush()?;
        drawn = picture.lines().count();
        drop(output);
        thread::sleep(PAUSE);
    }
}

/// What passed through one tunnel.
#[derive(Debug, Default)]
struct History {
    last: Option<((u64, u64), Instant)>,
    /// Bytes a second received and sent, the latest last.
    rates: VecDeque<(u64, u64)>,
}

impl History {
    /// Takes what has passed until `now`.
    fn add(&mut self, transfer: (u64, u64), now: Instant) {
        if let Some((before, at)) = self.last.replace((transfer, now)) {
            let millis = u64::try_from((now - at).as_millis()).unwrap_or(u64::MAX).max(1);
            // A peer that was removed takes its bytes along.
            let rate = |before: u64, after: u64| after.saturating_sub(before).saturating_mul(1000) / millis;
            self.rates.push_back((rate(before.0, transfer.0), rate(before.1, transfer.1)));
            while self.rates.len() > SECONDS {
                self.rates.pop_front();
            }
        }
    }

    /// The tunnel and a line for each direction.
    fn draw(&self, picture: &mut String, tunnel: &Tunnel, paint: Paint) {
        let name = paint.paint(Style::Interface, &tunnel.status.name);
        let total = tunnel.transfer();
        let _ = writeln!(picture, "{name}: {} of {} peers connected", tunnel.live, tunnel.status.peers.len());
        let (received, sent): (Vec<u64>, Vec<u64>) = self.rates.iter().copied().unzip();
        for (word, rates, total) in [("received", received, total.0), ("sent", sent, total.1)] {
            let rate = format!("{}/s", bytes(rates.last().copied().unwrap_or(0), Paint::PLAIN));
            let total = bytes(total, Paint::PLAIN);
            let _ = writeln!(picture, "  {word:<8} {} {rate:>14}  {total} in all", graph(&rates));
        }
    }
}

/// A bar for each second, as high as its share of the highest; the latest at the right end.
fn graph(rates: &[u64]) -> String {
    let most = rates.iter().copied().max().unwrap_or(0).max(1);
    let bar = |rate: &u64| {
        let height = u128::from(*rate) * (BARS.len() as u128 - 1) / u128::from(most);
        if *rate == 0 { ' ' } else { BARS[usize::try_from(height).unwrap_or(0)] }
    };
    let bars: String = rates.iter().map(bar).collect();
    format!("{bars:>SECONDS$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_shares_of_the_highest() {
        let drawn = graph(&[0, 1, 50, 100]);
        assert_eq!(drawn.chars().count(), SECONDS);
        assert_eq!(drawn.trim_start(), "▁▄█");
        assert_eq!(graph(&[]).trim(), "");
        assert_eq!(graph(&[u64::MAX]).trim(), "█");
    }

    #[test]
    fn rates_are_bytes_of_a_second() {
        let (mut history, start) = (History::default(), Instant::now());
        history.add((1000, 50), start);
        history.add((3000, 50), start + Duration::from_secs(2));
        history.add((0, 0), start + Duration::from_secs(3));
        assert_eq!(history.rates, [(1000, 0), (0, 0)]);
        for second in 4..100 {
            history.add((0, 0), start + Duration::from_secs(second));
        }
        assert_eq!(history.rates.len(), SECONDS);
    }
}
