//! Cookie replies under load, from each side.
use crate::cookies::crowd;
use anyhow::{Result, ensure};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use underpass_interop::flood::{Flood, Pace};
use underpass_interop::kernel::{First, KernelPair, Outer, PATIENCE, play_with_kernel, play_with_kernel_alone};
use underpass_interop::{Capture, eventually};

/// Types of messages (paper § 5.4).
const INITIATION: u8 = 1;
const RESPONSE: u8 = 2;
const COOKIE_REPLY: u8 = 3;
/// The kernel is under load while more than 512 initiations wait, and loses some when 4096 do (its `receive.c`). How soon
/// an emulated one is through with them is not known, so what is under way is limited.
const PACE: Pace = Pace { rate: 5_000, crowd: 0, window: 1_000 };

/// Watches an initiator that comes to a responder under load.
struct Attempts {
    capture: Capture,
    initiator: IpAddr,
    responder: IpAddr,
}

impl Attempts {
    /// Makes the initiator begin anew until it has met a cookie reply and got in. A responder has room for a few without
    /// a cookie even then, and the initiator may be one of the lucky.
    fn until_asked(&self, mut begin: impl FnMut() -> Result<()>, got_in: impl Fn() -> Result<bool>) -> Result<()> {
        for attempt in 1.. {
            begin()?;
            eventually("a handshake in spite of the flood", PATIENCE, &got_in)?;
            if !self.capture.messages(self.responder, COOKIE_REPLY).is_empty() {
                break;
            }
            ensure!(attempt < 50, "the initiator got in {attempt} times without a cookie");
        }
        Ok(())
    }

    /// A reply has its length, the first initiation came without a cookie, and one that was answered came with one.
    fn ensure_cookies_were_used(&self) -> Result<()> {
        let replies = self.capture.messages(self.responder, COOKIE_REPLY);
        ensure!(replies.iter().all(|reply| reply.payload.len() == 64), "a cookie reply has 64 bytes: {replies:?}");
        let initiations = self.capture.messages(self.initiator, INITIATION);
        let has_cookie = |payload: &[u8]| payload[132..148].iter().any(|byte| *byte != 0);
        ensure!(!has_cookie(&initiations[0].payload), "the first initiation cannot have a cookie");
        let responses = self.capture.messages(self.responder, RESPONSE);
        // Bytes 4..8 are the sender's index; a response repeats it in bytes 8..12.
        let is_answered = |index: &[u8]| responses.iter().any(|response| &response.payload[8..12] == index);
        let is_proof = |payload: &[u8]| has_cookie(payload) && is_answered(&payload[4..8]);
        ensure!(initiations.iter().any(|message| is_proof(&message.payload)), "no initiation got in by a cookie");
        Ok(())
    }
}

/// The kernel drowns in initiations. That puts all of it under load, so nobody else may sit in this guest.
#[test]
fn underpass_uses_the_cookie_of_a_kernel_under_load() {
    play_with_kernel_alone(|stage, seat| {
        let pair = KernelPair::strangers(stage, seat)?;
        let (ours, kernel) = (&pair.ours, &pair.kernel);
        pair.bring_up_kernel(First::Underpass, Outer::V4, None)?;
        pair.bring_up_ours(First::Kernel, Outer::V4, None)?;
        ours.machine.ip("route add local 198.18.0.0/24 dev lo")?;
        kernel.seat.ip("route add 198.18.0.0/24 via 192.0.2.1")?;
        let source = Ipv4Addr::new(198, 18, 0, 1).into();
        let target = SocketAddr::new(Outer::V4.kernel(), 51820);
        let flood = Flood::start_at(&ours.machine, &[source], target, &kernel.keys.public, PACE)?;
        eventually("the kernel is under load", PATIENCE, || Ok(flood.cookie_replies() > 0))?;

        let capture = Capture::start(&ours.machine, 300)?;
        let attempts = Attempts { capture, initiator: Outer::V4.ours(), responder: Outer::V4.kernel() };
        let peer = kernel.as_peer("10.9.0.2/32") + "Endpoint = 192.0.2.2:51820\nPersistentKeepalive = 1\n";
        let begin = || {
            ours.set_configuration("", "")?;
            ours.set_configuration("", &peer)
        };
        attempts.until_asked(begin, || Ok(ours.status()?.only_peer()?.latest_handshake > 0))?;
        attempts.ensure_cookies_were_used()?;
        drop(flood);
        pair.ping_kernel("10.9.0.2")
    });
}

/// Underpass drowns in initiations of a crowd.
#[test]
fn the_kernel_uses_the_cookie_of_underpass_under_load() {
    play_with_kernel(|stage, seat| {
        let pair = KernelPair::strangers(stage, seat)?;
        let (ours, kernel) = (&pair.ours, &pair.kernel);
        pair.bring_up_ours(First::Kernel, Outer::V4, None)?;
        let (crowd, sources) = crowd(stage, &ours.machine)?;
        let flood = Flood::start(&crowd, &sources, "203.0.113.1:51820".parse()?, &ours.keys.public, 5_000)?;
        eventually("Underpass is under load", PATIENCE, || Ok(flood.cookie_replies() > 0))?;

        let capture = Capture::start(&ours.machine, 300)?;
        let attempts = Attempts { capture, initiator: Outer::V4.kernel(), responder: Outer::V4.ours() };
        let peer = ours.as_peer("10.9.0.1/32") + "Endpoint = 192.0.2.1:51820\nPersistentKeepalive = 1\n";
        kernel.bring_up(&["10.9.0.2/24"], "ListenPort = 51820", "")?;
        let begin = || {
            kernel.set_configuration("ListenPort = 51820", "")?;
            kernel.set_configuration("ListenPort = 51820", &peer)
        };
        attempts.until_asked(begin, || Ok(kernel.status()?.only_peer()?.latest_handshake > 0))?;
        attempts.ensure_cookies_were_used()?;
        pair.ping_ours("10.9.0.1")?;
        drop(flood);
        pair.ping_ours("10.9.0.1")
    });
}
