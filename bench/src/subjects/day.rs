//! How often a phone is woken in a day for the timers of its tunnel, in simulated time.
use super::wakeups::World;
use crate::figures::Table;
use std::time::Duration;
use underpass_core::Instant;

/// The part of the day in which the phone is used, and the part in which it is not.
pub(super) const AWAKE: Duration = Duration::from_secs(16 * 3600);
pub(super) const ASLEEP: Duration = Duration::from_secs(8 * 3600);
/// From one burst to the next, how long one lasts, and from packet to packet in it.
pub(super) const PAUSE: Duration = Duration::from_secs(300);
pub(super) const BURST: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(200);
/// Seconds between persistent keepalives.
const KEEPALIVE: u16 = 25;

/// Wake-ups of the day.
pub fn day() -> Table {
    let mut table = Table::new(
        "Wake-ups for timers in a phone's day, simulated",
        "One peer, which answers at once. 16 hours with a burst every 5 minutes: 20 seconds in which a packet goes each way \
         every 200 ms. Then 8 hours in which nothing is sent. Wake-ups for packets are not counted: they are the \
         application's. boringtun and gotatun: the fixed ticks of their daemons, as in an hour above. wireguard-go has no \
         clock that could be simulated: `COUNTED=1 make bench` counts its wake-ups in real time.",
        &["16 h with bursts", "8 h of sleep", "16 h, keepalive", "8 h, keepalive"],
    );
    let ours = [0, KEEPALIVE].map(play).concat();
    table.row("Underpass", ours.into_iter().map(|count| Some((count as f64).into())).collect());
    for (name, ticks) in [("boringtun", 5), ("gotatun", 4)] {
        let cells = [AWAKE, ASLEEP, AWAKE, ASLEEP].map(|time| Some(((time.as_secs() * ticks) as f64).into()));
        table.row(name, cells.into());
    }
    table
}

/// Wake-ups by day and by night.
fn play(keepalive: u16) -> Vec<usize> {
    let mut world = World::new(1, keepalive);
    world.settle(Instant::ZERO);
    let morning = world.exchange();
    let mut awake = 0;
    for burst in 0..(AWAKE.as_secs() / PAUSE.as_secs()) as u32 {
        let begins = morning + PAUSE * burst;
        for packet in 0..(BURST.as_millis() / STEP.as_millis()) as u32 {
            let now = begins + STEP * packet;
            awake += world.wakeups(now);
            world.talk(now);
        }
    }
    let evening = morning + AWAKE;
    awake += world.wakeups(evening);
    vec![awake, world.wakeups(evening + ASLEEP)]
}
