//! Handshakes, and what keeps floods of them cheap.
use crate::figures::{Cell, Table};
use crate::harness::{Effort, cell, contest};
use crate::parties::Greeter;
use crate::parties::ours::OursGreeting;

/// Handshakes of one turn.
const HANDSHAKES: usize = 8;
/// Rejections and cookie replies of one turn.
const CHEAP: usize = 128;

/// How many of each in a second.
pub fn handshakes(effort: Effort) -> Table {
    let mut greeters: Vec<Box<dyn Greeter>> = vec![Box::new(OursGreeting::new())];
    #[cfg(feature = "peers")]
    {
        use crate::parties::{BoringtunGreeting, GotatunGreeting, SanstunGreeting};
        greeters.insert(0, Box::new(BoringtunGreeting::new()));
        greeters.push(Box::new(GotatunGreeting::new()));
        greeters.push(Box::new(SanstunGreeting::new()));
    }
    greeters.shrink_to_fit();
    let samples = contest(greeters.len(), effort.pick(30, 300), |contestant| {
        let greeter = &mut greeters[contestant];
        let mut both = 0.0;
        let mut responder = 0.0;
        for _ in 0..HANDSHAKES {
            let (initiating, responding) = greeter.handshake();
            both += (initiating + responding).as_secs_f64();
            responder += responding.as_secs_f64();
        }
        let [rejected, answered] =
            [greeter.reject(CHEAP), greeter.cookies(CHEAP)].map(|took| took.as_secs_f64() / CHEAP as f64);
        [both / HANDSHAKES as f64, responder / HANDSHAKES as f64, rejected, answered]
    });
    let mut table = Table::new(
        "Handshakes, in a second",
        "One thread. `both ends`: initiation, response and the keepalive that confirms; `responder`: its part of that. \
         `forged`: initiations refused for their first MAC; `cookies`: initiations answered with a cookie reply under \
         load. In brackets: in terms of boringtun (of Underpass itself where boringtun was left out).",
        &["both ends", "responder", "forged", "cookies"],
    );
    for (contestant, greeter) in greeters.iter().enumerate() {
        let cells = samples.iter().map(|by_greeter| {
            let seconds = cell(&by_greeter[contestant], Some(&by_greeter[0]));
            Some(Cell { value: 1.0 / seconds.value, ..seconds })
        });
        table.row(greeter.name(), cells.collect());
    }
    table
}
