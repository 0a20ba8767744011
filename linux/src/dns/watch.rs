//! Notices when somebody else writes /etc/resolv.conf while it is to name the servers of a tunnel, and puts those back.
//!
//! A DHCP client does so with each lease. What it wrote is kept in the place of what was there before, so that `down` brings back the
//! newest, and the servers in it are those of the uplink. With somebody who does not give in, nobody fights for long: the file
//! is left as he writes it for a while, and that is told.
use super::find::Resolver;
use super::places::Places;
use super::resolv_conf::ResolvConf;
use super::store::{Record, Store};
use crate::watched::{self, Died};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

/// What it is called in its folder.
const NAME: &str = "resolv.conf";
/// How long to let somebody write before it is looked at.
const REST: Duration = Duration::from_millis(50);
/// How often it is put back at most within [`WHILE`].
const OFTEN: usize = 10;
/// The time that counts for that, and for which the file is left alone afterwards.
const WHILE: Duration = Duration::from_secs(60);

/// Looks after the file for the tunnel `interface` as long as this process lives; `over` is told how the thread for that ended.
///
/// # Errors
/// There is no descriptor or thread left, or no folder to watch.
pub fn start(interface: &str, over: impl FnOnce(Result<(), Died>) + Send + 'static) -> io::Result<()> {
    let (interface, places) = (interface.to_owned(), Places::default());
    let changes = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    let flags = AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_MOVED_TO;
    changes.add_watch(&places.etc, flags)?;
    watched::start("resolv.conf", move || look_after(&interface, &places, &changes), over).map(drop)
}

fn look_after(interface: &str, places: &Places, changes: &Inotify) {
    let (mut times, mut pause) = (Times::default(), None);
    loop {
        // A file that is mounted is none of the folder's; and what a link leads to is none either.
        let _ = changes.add_watch(&places.resolv_conf(), AddWatchFlags::IN_CLOSE_WRITE);
        let has_changed = match wait(changes, pause) {
            Ok(has_changed) => has_changed,
            Err(error) => return tracing::error!("nobody looks after /etc/resolv.conf: {error}"),
        };
        pause = times.pause(Instant::now());
        if pause.is_some() || !has_changed {
            continue;
        }
        thread::sleep(REST);
        match put_back(interface, places) {
            Ok(false) => {}
            Ok(true) => {
                tracing::warn!("somebody else wrote /etc/resolv.conf; it names the tunnel's servers again");
                pause = times.add(Instant::now());
                if pause.is_some() {
                    tracing::error!(
                        "somebody else writes /etc/resolv.conf again and again; it stays as he writes it for a while, and names \
                         are asked for where that says"
                    );
                }
            }
            Err(fault) => {
                tracing::error!("somebody else wrote /etc/resolv.conf: {fault}");
                pause = times.add(Instant::now());
            }
        }
    }
}

/// Waits for a change in the folder, no longer than `pause`. Whether the file is to be looked at: it has changed, or the pause is over.
fn wait(changes: &Inotify, pause: Option<Duration>) -> nix::Result<bool> {
    let timeout = pause.map_or(PollTimeout::NONE, |pause| PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX));
    match poll(&mut [PollFd::new(changes.as_fd(), PollFlags::POLLIN)], timeout) {
        Ok(0) => return Ok(true),
        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
        Err(errno) => return Err(errno),
    }
    let mut has_changed = false;
    while let Ok(events) = changes.read_events() {
        // What has no name is about the file itself, or tells of what was missed. Files of others, and our own beside it, are none.
        has_changed |= events.iter().any(|event| event.name.as_ref().is_none_or(|name| name == NAME));
    }
    Ok(has_changed)
}

/// Puts the servers of the tunnel `interface` back into the file, if they are to be there and are not.
///
/// # Errors
/// It cannot be written, or what was told cannot be read.
pub(super) fn put_back(interface: &str, places: &Places) -> anyhow::Result<bool> {
    if !places.own()[1].exists() {
        return Ok(false);
    }
    // Whoever is telling, or taking back, has it until he is done.
    let store = Store::open(places)?;
    let has_file =
        |record: &Record| record.resolvers.iter().any(|told| matches!(told, Resolver::File | Resolver::Stub));
    let Some(record) = store.read(interface).filter(has_file) else { return Ok(false) };
    let is_later = |other: &Record| has_file(other) && other.order > record.order;
    let file = ResolvConf::new(places);
    if store.others(interface).iter().any(is_later) || file.now() == record.text {
        return Ok(false);
    }
    file.put(&record.text)?;
    Ok(true)
}

/// When it was put back.
#[derive(Debug, Default)]
struct Times(VecDeque<Instant>);

impl Times {
    /// It was put back at `now`. Returns for how long it is to be left alone, if that was too often.
    fn add(&mut self, now: Instant) -> Option<Duration> {
        self.0.push_back(now);
        self.pause(now)
    }

    fn pause(&mut self, now: Instant) -> Option<Duration> {
        while self.0.len() > OFTEN {
            self.0.pop_front();
        }
        let since = now.saturating_duration_since(*self.0.front().filter(|_| self.0.len() == OFTEN)?);
        WHILE.checked_sub(since).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_file_is_heard_of() {
        let root = tempfile::tempdir().expect("temporary directory");
        let changes = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).expect("a descriptor");
        changes.add_watch(root.path(), AddWatchFlags::IN_CREATE).expect("a folder");
        for (name, expected) in [(".resolv.conf.underpass", false), ("hosts", false), (NAME, true)] {
            std::fs::write(root.path().join(name), "").expect("writes");
            assert_eq!(wait(&changes, None).expect("waits"), expected, "{name}");
        }
        assert!(wait(&changes, Some(Duration::from_millis(1))).expect("waits"), "the pause is over");
    }

    #[test]
    fn nobody_fights_for_long() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut times = Times::default();
        for second in 0..OFTEN as u64 - 1 {
            assert_eq!(times.add(at(second)), None);
        }
        assert_eq!(times.add(at(9)), Some(Duration::from_secs(51)));
        assert_eq!(times.pause(at(59)), Some(Duration::from_secs(1)));
        assert_eq!(times.pause(at(60)), None);
        // Each minute one more than ten seconds later: that is a lease, and no fight.
        assert_eq!(times.add(at(70)), None);
        for minute in 2..20 {
            assert_eq!(times.add(at(60 * minute)), None, "{minute}");
        }
    }
}
