//! The control channel between a client and a gateway, and peers that are locked.
mod access;
mod forged;
mod outbox;
#[cfg(feature = "filter")]
mod ruled;
mod time;

use super::*;
use crate::config::{Access, ControlRole};
use crate::control::address::{GATEWAY, of_client};
use crate::control::frame::{self, Ends, HEADERS};

const NOW: Instant = Instant::ZERO;
const CLIENT: u8 = 1;
const OFFICE: u8 = 2;

fn key(number: u8) -> PublicKey {
    private(number).public_key()
}

fn only(host: &Host) -> PeerId {
    host.tunnel.peers().next().expect("one peer").id()
}

fn change(host: &mut Host, change: Change) {
    host.tunnel.configure(NOW, &[change]).expect("a sound change");
}

/// A client and a gateway with a live session. The gateway has locked the client.
fn pair() -> (Host, Host) {
    let (mut client, mut gateway) = connected();
    change(&mut client, Change::Control(ControlRole::Client { gateway: key(OFFICE) }));
    change(&mut gateway, Change::Control(ControlRole::Gateway));
    (client, gateway)
}

fn open(gateway: &mut Host) {
    change(gateway, Change::Access { peer: key(CLIENT), access: Access::Open });
}

fn lock(gateway: &mut Host) {
    change(gateway, Change::Access { peer: key(CLIENT), access: Access::Locked });
}

/// What became of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Got {
    Packet(usize),
    Message(Vec<u8>),
    Dropped(DropReason),
    Other,
}

impl From<Inbound<&mut [u8]>> for Got {
    fn from(inbound: Inbound<&mut [u8]>) -> Self {
        match inbound {
            Inbound::Packet { packet, .. } => Self::Packet(packet.len()),
            Inbound::Control { message, .. } => Self::Message(message.to_vec()),
            Inbound::Dropped(reason) => Self::Dropped(reason),
            Inbound::Consumed | Inbound::Reply(_) => Self::Other,
        }
    }
}

/// Everything that `from` wants to send, as datagrams.
fn polled(now: Instant, from: &mut Host) -> Vec<Vec<u8>> {
    let mut buf = vec![0; 2048];
    let next = |host: &mut Host, buf: &mut [u8]| host.tunnel.poll_transmit(now, buf).expect("room");
    core::iter::from_fn(|| next(from, &mut buf).map(|transmit| buf[..transmit.len].to_vec())).collect()
}

fn take(now: Instant, path: Path, to: &mut Host, datagram: &mut [u8]) -> Got {
    to.tunnel.handle_datagram(now, path, Ecn::NotCapable, datagram).into()
}

/// Everything that `from` wants to send arrives at `to`.
fn carry(now: Instant, from: &mut Host, to: &mut Host) -> Vec<Got> {
    polled(now, from).iter_mut().map(|datagram| take(now, from.path, to, datagram)).collect()
}

/// The same both ways, until both are silent; the messages that came out on either side.
fn talk(now: Instant, a: &mut Host, b: &mut Host) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut round = carry(now, a, b);
        round.extend(carry(now, b, a));
        if round.is_empty() {
            let message = |got| if let Got::Message(message) = got { Some(message) } else { None };
            return all.into_iter().filter_map(message).collect();
        }
        all.extend(round);
    }
}

/// Hands a packet of 60 bytes to a host, as a datagram for the other; or why there is none.
fn data(now: Instant, host: &mut Host, from: u8, to: u8) -> Result<Vec<u8>, DropReason> {
    let (mut buf, range) = packet(from, to, 60);
    match host.tunnel.handle_packet(now, PacketBuf { buf: &mut buf, packet: range }) {
        Outbound::Datagram { datagram, .. } => Ok(datagram.to_vec()),
        Outbound::Dropped(reason) => Err(reason),
        other => panic!("{other:?}"),
    }
}

/// A control packet between these ends, in a buffer with room around it.
fn control_packet(from: core::net::Ipv6Addr, to: core::net::Ipv6Addr) -> (Vec<u8>, core::ops::Range<usize>) {
    let range = HEADROOM..HEADROOM + HEADERS + 4;
    let mut buf = vec![0; range.end + TAILROOM];
    frame::write(&mut buf[range.clone()], Ends { from: from.to_bits(), to: to.to_bits() }).expect("room");
    (buf, range)
}

fn say(now: Instant, host: &mut Host, message: &[u8]) {
    let peer = only(host);
    host.tunnel.send_control(now, peer, message).expect("there is a session");
}

fn ask(now: Instant, host: &mut Host, message: &[u8]) {
    let peer = only(host);
    host.tunnel.send_control_waking(now, peer, message).expect("there is room");
}

#[test]
fn messages_come_as_they_were_sent_with_the_name_of_the_peer() {
    let (mut client, mut gateway) = pair();
    let user = PeerChange { user: Some(7), action: PeerAction::Update, ..PeerChange::new(key(CLIENT)) };
    change(&mut gateway, Change::Peer(user));
    ask(NOW, &mut client, b"a question");
    let mut datagrams = polled(NOW, &mut client);
    assert_eq!(datagrams.len(), 1);
    let id = only(&gateway);
    let path = client.path;
    let came = gateway.tunnel.handle_datagram(NOW, path, Ecn::NotCapable, &mut datagrams[0]);
    let Inbound::Control { peer, user, message } = came else { panic!("{came:?}") };
    assert_eq!((peer, user, &*message), (id, 7, &b"a question"[..]));
    say(NOW, &mut gateway, b"an answer");
    say(NOW, &mut gateway, b"");
    let got = carry(NOW, &mut gateway, &mut client);
    assert_eq!(got, [Got::Message(b"an answer".to_vec()), Got::Message(Vec::new())]);
    // Neither is a packet that somebody delivered.
    assert_eq!((gateway.tunnel.stats().rx_packets, client.tunnel.stats().rx_packets), (0, 0));
    assert_eq!((gateway.tunnel.stats().tx_packets, client.tunnel.stats().tx_packets), (0, 0));
    let held = gateway.tunnel.footprint();
    assert_eq!((held.intents, held.control_messages, held.control_bytes), (0, 0, 0));
}

#[test]
fn every_length_passes_under_every_padding() {
    for padding in [Padding::Sixteen, Padding::Buckets(256), Padding::Mtu] {
        let (mut client, mut gateway) = pair();
        change(&mut client, Change::Padding(padding));
        for len in [0, 1, 15, 16, 17, 200, 512, 1231, 1371, 1372] {
            let message = vec![len as u8; len];
            ask(NOW, &mut client, &message);
            let datagrams = polled(NOW, &mut client);
            assert_eq!(datagrams[0].len(), client.tunnel.layout().datagram_len(len + HEADERS), "{len} bytes");
            assert_eq!(take(NOW, client.path, &mut gateway, &mut datagrams[0].clone()), Got::Message(message));
        }
        let peer = only(&client);
        let too_long = client.tunnel.send_control(NOW, peer, &[0; 1373]);
        assert_eq!(too_long, Err(Backpressure::TooLong { most: 1372 }));
    }
}

/// The long way, the run and the three steps take each kind of datagram alike, whoever sent it.
#[test]
fn a_batch_of_everything_comes_to_the_same_one_by_one_and_in_three_steps() {
    for locked in [true, false] {
        let run = |how: u8| {
            let (mut client, mut gateway) = pair();
            if !locked {
                open(&mut gateway);
            }
            let path = client.path;
            let mut datagrams = Vec::new();
            for round in 0..6_u8 {
                datagrams.push(data(NOW, &mut client, CLIENT, OFFICE).expect("the client locks nobody"));
                ask(NOW, &mut client, &[round; 9]);
                datagrams.extend(polled(NOW, &mut client));
                datagrams.push(data(NOW, &mut client, 9, OFFICE).expect("sealed"));
            }
            datagrams.push(datagrams[1].clone());
            datagrams.push(datagrams[0].clone());
            datagrams.push(vec![4, 0, 0, 0]);
            let got: Vec<Got> = match how {
                0 => {
                    let slots = datagrams.iter_mut().map(|one| DatagramSlot::new(path, Ecn::NotCapable, one));
                    let mut slots: Vec<_> = slots.collect();
                    gateway.tunnel.handle_datagrams(NOW, &mut slots);
                    slots.into_iter().map(|slot| slot.into_outcome().into()).collect()
                }
                1 => datagrams.iter_mut().map(|one| take(NOW, path, &mut gateway, one)).collect(),
                _ => {
                    let mut begun: Vec<_> = datagrams
                        .into_iter()
                        .map(|mut one| (gateway.tunnel.begin_open(NOW, path, Ecn::NotCapable, &mut one), one))
                        .collect();
                    begun
                        .drain(..)
                        .map(|(begun, one)| match begun {
                            Begin::Crypt(job) => {
                                let (verdict, mut buf) = gateway.tunnel.finish_open(NOW, job.crypt(one));
                                verdict.of_mut(&mut buf).into()
                            }
                            Begin::Done(verdict) => verdict.of_mut(&mut []).into(),
                        })
                        .collect()
                }
            };
            (got, gateway.tunnel.stats().clone())
        };
        let (got, stats) = run(0);
        let (packet, foreign) = match locked {
            true => (Got::Dropped(DropReason::Locked), Got::Dropped(DropReason::Locked)),
            false => (Got::Packet(60), Got::Dropped(DropReason::SourceNotAllowed)),
        };
        for round in 0..6 {
            let want = [packet.clone(), Got::Message(vec![round as u8; 9]), foreign.clone()];
            assert_eq!(got[3 * round..][..3], want, "round {round}, locked: {locked}");
        }
        let ends = [DropReason::Replay, DropReason::Replay, DropReason::Malformed].map(Got::Dropped);
        assert_eq!(got[18..], ends, "locked: {locked}");
        assert_eq!(run(1), (got.clone(), stats.clone()), "one by one, locked: {locked}");
        assert_eq!(run(2), (got, stats), "in three steps, locked: {locked}");
    }
}

/// Nothing of the channel outlives its peer.
#[test]
fn a_peer_that_goes_takes_its_messages_along() {
    let (mut client, mut gateway) = pair();
    ask(NOW, &mut client, b"a question");
    say(NOW, &mut gateway, b"news");
    assert_eq!(client.tunnel.footprint().control_bytes, 10);
    for host in [&mut client, &mut gateway] {
        change(host, Change::RemoveAllPeers);
        while host.tunnel.poll_event().is_some() {}
        assert_eq!(host.tunnel.footprint(), Footprint::default());
        assert!(polled(NOW, host).is_empty());
        assert_eq!(host.tunnel.stats().drops.of(DropReason::StagedOverflow), 1);
    }
}
