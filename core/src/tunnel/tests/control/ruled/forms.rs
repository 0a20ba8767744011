//! One by one, in batches and in three steps, each packet comes to the same.
use super::*;
use crate::tunnel::{OpenJob, SealJob};

/// Packets each way: allowed, denied, rejected, answers, and such as no flow is known of.
fn script() -> Vec<(bool, (Vec<u8>, core::ops::Range<usize>))> {
    let mut script = Vec::new();
    for round in 0..4_u16 {
        let port = 4000 + round / 2;
        script.push((true, tcp((CLIENT, port), (OFFICE, 443), SYN)));
        script.push((true, udp((CLIENT, port), (OFFICE, 53))));
        script.push((false, tcp((OFFICE, 443), (CLIENT, port), SYN_ACK)));
        script.push((true, tcp((CLIENT, port), (OFFICE, 22), SYN)));
        script.push((false, udp((OFFICE, 53), (CLIENT, port))));
        script.push((false, tcp((OFFICE, 443), (CLIENT, 99), SYN_ACK)));
        script.push((true, udp((9, port), (OFFICE, 53))));
        script.push((false, packet(OFFICE, CLIENT, 20)));
    }
    script
}

fn rules() -> Vec<Rule> {
    let reject = Rule { action: Action::Reject, protocol: Protocol::Tcp, ports: vec![22..=22], log: true, ..allow(2) };
    vec![web(), reject, Rule { protocol: Protocol::Udp, ports: vec![4000..=4000], way: Way::ToPeer, ..allow(3) }]
}

/// What became of each packet: of one down, how long the datagram or the answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Came {
    Up(Got),
    Down(Result<usize, Option<DropReason>>),
}

fn came(verdict: Outbound<Span>) -> Came {
    Came::Down(match verdict {
        Outbound::Datagram { datagram, .. } => Ok(datagram.len as usize),
        Outbound::Bounce { packet, .. } => Ok(packet.len as usize),
        Outbound::Dropped(reason) => Err(Some(reason)),
        Outbound::Staged => Err(None),
    })
}

/// Begins one packet, and crypts it elsewhere; or says at once what became of it.
fn begin_down(gateway: &mut Host, buf: &mut Vec<u8>, range: core::ops::Range<usize>) -> Begin<SealJob, Outbound<Span>> {
    gateway.tunnel.begin_seal(NOW, PacketBuf { buf, packet: range })
}

fn open_steps(gateway: &mut Host, begun: Vec<(Begin<OpenJob, Inbound<Span>>, Vec<u8>)>) -> Vec<Came> {
    begun
        .into_iter()
        .map(|(begun, one)| match begun {
            Begin::Crypt(job) => {
                let (verdict, mut buf) = gateway.tunnel.finish_open(NOW, job.crypt(one));
                Came::Up(verdict.of_mut(&mut buf).into())
            }
            Begin::Done(verdict) => Came::Up(verdict.of_mut(&mut []).into()),
        })
        .collect()
}

/// Runs of one direction, in the order of the script.
fn run(how: u8) -> (Vec<Came>, TunnelStats, Vec<usize>) {
    let (mut client, mut gateway) = ruled(rules());
    let mut script = script().into_iter().peekable();
    let (mut all, mut answers) = (Vec::new(), Vec::new());
    while let Some(is_up) = script.peek().map(|(is_up, _)| *is_up) {
        let mut stretch: Vec<_> =
            core::iter::from_fn(|| script.next_if(|(up, _)| *up == is_up)).map(|(_, packet)| packet).collect();
        if is_up {
            let sealed = stretch.into_iter().map(|packet| give(NOW, &mut client, packet).expect("sealed"));
            let mut sealed: Vec<_> = sealed.collect();
            let path = client.path;
            match how {
                0 => {
                    let slots = sealed.iter_mut().map(|one| DatagramSlot::new(path, Ecn::NotCapable, one));
                    let mut slots: Vec<_> = slots.collect();
                    gateway.tunnel.handle_datagrams(NOW, &mut slots);
                    all.extend(slots.into_iter().map(|slot| Came::Up(slot.into_outcome().into())));
                }
                1 => all.extend(sealed.iter_mut().map(|one| Came::Up(take(NOW, path, &mut gateway, one)))),
                _ => {
                    let begun = sealed
                        .into_iter()
                        .map(|mut one| (gateway.tunnel.begin_open(NOW, path, Ecn::NotCapable, &mut one), one));
                    let begun = begun.collect();
                    all.extend(open_steps(&mut gateway, begun));
                }
            }
        } else if how == 0 {
            let slots =
                stretch.iter_mut().map(|(buf, range)| PacketSlot::new(PacketBuf { buf, packet: range.clone() }));
            let mut slots: Vec<_> = slots.collect();
            gateway.tunnel.handle_packets(NOW, &mut slots);
            all.extend(slots.into_iter().map(|slot| came(slot.verdict)));
        } else if how == 1 {
            for (mut buf, range) in stretch {
                let mut slot = [PacketSlot::new(PacketBuf { buf: &mut buf, packet: range })];
                gateway.tunnel.handle_packets(NOW, &mut slot);
                all.push(came(slot[0].verdict));
            }
        } else {
            let begun: Vec<_> =
                stretch.into_iter().map(|(mut buf, range)| (begin_down(&mut gateway, &mut buf, range), buf)).collect();
            for (begun, buf) in begun {
                let verdict = match begun {
                    Begin::Crypt(job) => gateway.tunnel.finish_seal(NOW, job.crypt(buf)).0,
                    Begin::Done(verdict) => verdict,
                };
                all.push(came(verdict));
            }
        }
        answers.extend(polled(NOW, &mut gateway).iter().map(Vec::len));
    }
    (all, gateway.tunnel.stats().clone(), answers)
}

#[test]
fn the_three_forms_of_the_data_path_agree() {
    let (all, stats, answers) = run(0);
    let passed = |came: &&Came| matches!(came, Came::Up(Got::Packet(_)) | Came::Down(Ok(_)));
    assert_eq!((all.len(), all.iter().filter(passed).count()), (32, 11), "{all:#?}");
    let drops = |reason| stats.drops.of(reason);
    assert_eq!(drops(DropReason::Denied), 4 + 3 + 2, "rejected, denied upwards and downwards: {all:#?}");
    assert_eq!((drops(DropReason::NoFlow), drops(DropReason::SourceNotAllowed)), (4, 4));
    assert_eq!(answers, [80; 4], "a reset for each rejected connection");
    assert_eq!(run(1), (all.clone(), stats.clone(), answers.clone()), "one by one");
    assert_eq!(run(2), (all, stats, answers), "in three steps");
}

/// A packet that was ruled and is with a worker when the lock comes goes nowhere.
#[test]
fn a_lock_between_two_steps() {
    let (mut client, mut gateway) = ruled(rules());
    assert_eq!(up(NOW, &mut client, &mut gateway, tcp((CLIENT, 1), (OFFICE, 443), SYN)), Got::Packet(40));
    let (mut buf, range) = tcp((OFFICE, 443), (CLIENT, 1), SYN_ACK);
    let Begin::Crypt(seal) = begin_down(&mut gateway, &mut buf, range) else { panic!("it is allowed") };
    let mut datagram = give(NOW, &mut client, tcp((CLIENT, 1), (OFFICE, 443), SYN)).expect("sealed");
    let begun = gateway.tunnel.begin_open(NOW, client.path, Ecn::NotCapable, &mut datagram);
    let Begin::Crypt(open) = begun else { panic!("it is authentic") };
    lock(&mut gateway);
    let (verdict, _) = gateway.tunnel.finish_seal(NOW, seal.crypt(&mut buf));
    assert_eq!(verdict, Outbound::Dropped(DropReason::Locked));
    let (verdict, _) = gateway.tunnel.finish_open(NOW, open.crypt(&mut datagram));
    assert_eq!(verdict, Inbound::Dropped(DropReason::Locked));
    // Other rules that come between rule what is opened, for that is ruled last.
    rule(&mut gateway, rules());
    let mut datagram = give(NOW, &mut client, tcp((CLIENT, 1), (OFFICE, 443), SYN)).expect("sealed");
    let begun = gateway.tunnel.begin_open(NOW, client.path, Ecn::NotCapable, &mut datagram);
    let Begin::Crypt(open) = begun else { panic!("it is authentic") };
    rule(&mut gateway, Vec::new());
    let (verdict, _) = gateway.tunnel.finish_open(NOW, open.crypt(&mut datagram));
    assert_eq!(verdict, Inbound::Dropped(DropReason::Denied));
}
