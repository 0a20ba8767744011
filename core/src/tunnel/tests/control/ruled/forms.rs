//! One by one, in batches and in three steps, each packet comes to the same.
use super::*;
use crate::tunnel::{OpenJob, SealJob};

/// Packets each way: allowed, denied, rejected, answers, and such as no flow is known of.
fn script() -> Vec<(bool, Packet)> {
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

/// A form of the data path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Batches,
    OneByOne,
    ThreeSteps,
}

fn begin_down(gateway: &mut Host, (buf, range): &mut Packet) -> Begin<SealJob, Outbound<Span>> {
    gateway.tunnel.begin_seal(NOW, PacketBuf { buf, packet: range.clone() })
}

fn begin_up(path: Path, gateway: &mut Host, datagram: &mut [u8]) -> Begin<OpenJob, Inbound<Span>> {
    gateway.tunnel.begin_open(NOW, path, Ecn::NotCapable, datagram)
}

/// Datagrams from the client. In three steps, all are begun before the first is finished.
fn all_up(form: Form, path: Path, gateway: &mut Host, mut datagrams: Vec<Vec<u8>>) -> Vec<Came> {
    match form {
        Form::Batches => {
            let slots = datagrams.iter_mut().map(|one| DatagramSlot::new(path, Ecn::NotCapable, one));
            let mut slots: Vec<_> = slots.collect();
            gateway.tunnel.handle_datagrams(NOW, &mut slots);
            slots.into_iter().map(|slot| Came::Up(slot.into_outcome().into())).collect()
        }
        Form::OneByOne => datagrams.iter_mut().map(|one| Came::Up(take(NOW, path, gateway, one))).collect(),
        Form::ThreeSteps => {
            let begun: Vec<_> = datagrams.iter_mut().map(|one| begin_up(path, gateway, one)).collect();
            let finish = |(begun, one): (Begin<OpenJob, Inbound<Span>>, Vec<u8>)| match begun {
                Begin::Crypt(job) => {
                    let (verdict, mut buf) = gateway.tunnel.finish_open(NOW, job.crypt(one));
                    Came::Up(verdict.of_mut(&mut buf).into())
                }
                Begin::Done(verdict) => Came::Up(verdict.of_mut(&mut []).into()),
            };
            begun.into_iter().zip(datagrams).map(finish).collect()
        }
    }
}

/// The same of packets to the client.
fn all_down(form: Form, gateway: &mut Host, mut packets: Vec<Packet>) -> Vec<Came> {
    let most = if form == Form::OneByOne { 1 } else { packets.len() };
    if form != Form::ThreeSteps {
        let batches = packets.chunks_mut(most).map(|batch| {
            let slots = batch.iter_mut().map(|(buf, range)| PacketSlot::new(PacketBuf { buf, packet: range.clone() }));
            let mut slots: Vec<_> = slots.collect();
            gateway.tunnel.handle_packets(NOW, &mut slots);
            slots.into_iter().map(|slot| came(slot.verdict)).collect::<Vec<_>>()
        });
        return batches.flatten().collect();
    }
    let begun: Vec<_> = packets.iter_mut().map(|packet| begin_down(gateway, packet)).collect();
    let finish = |(begun, (buf, _)): (Begin<SealJob, Outbound<Span>>, Packet)| match begun {
        Begin::Crypt(job) => came(gateway.tunnel.finish_seal(NOW, job.crypt(buf)).0),
        Begin::Done(verdict) => came(verdict),
    };
    begun.into_iter().zip(packets).map(finish).collect()
}

/// Stretches of one direction, in the order of the script: what became of each packet, what was counted, and the lengths of what
/// the gateway sent by itself.
fn run(form: Form) -> (Vec<Came>, TunnelStats, Vec<usize>) {
    let (mut client, mut gateway) = ruled(rules());
    let (mut all, mut answers) = (Vec::new(), Vec::new());
    let mut script = script().into_iter().peekable();
    while let Some(is_up) = script.peek().map(|(is_up, _)| *is_up) {
        let stretch = core::iter::from_fn(|| script.next_if(|(up, _)| *up == is_up)).map(|(_, packet)| packet);
        if is_up {
            let sealed = stretch.map(|packet| give(NOW, &mut client, packet).expect("sealed")).collect();
            all.extend(all_up(form, client.path, &mut gateway, sealed));
        } else {
            let packets = stretch.collect();
            all.extend(all_down(form, &mut gateway, packets));
        }
        answers.extend(polled(NOW, &mut gateway).iter().map(Vec::len));
    }
    (all, gateway.tunnel.stats().clone(), answers)
}

#[test]
fn the_three_forms_of_the_data_path_agree() {
    let (all, stats, answers) = run(Form::Batches);
    let passed = |came: &&Came| matches!(came, Came::Up(Got::Packet(_)) | Came::Down(Ok(_)));
    assert_eq!((all.len(), all.iter().filter(passed).count()), (32, 11), "{all:#?}");
    let drops = |reason| stats.drops.of(reason);
    assert_eq!(drops(DropReason::Denied), 4 + 3 + 2, "rejected, denied upwards and downwards: {all:#?}");
    assert_eq!((drops(DropReason::NoFlow), drops(DropReason::SourceNotAllowed)), (4, 4));
    assert_eq!(answers, [80; 4], "a reset for each rejected connection");
    assert_eq!(run(Form::OneByOne), (all.clone(), stats.clone(), answers.clone()), "one by one");
    assert_eq!(run(Form::ThreeSteps), (all, stats, answers), "in three steps");
}

/// A packet that was ruled and is with a worker when the lock comes goes nowhere.
#[test]
fn a_lock_between_two_steps() {
    let (mut client, mut gateway) = ruled(rules());
    assert_eq!(up(NOW, &mut client, &mut gateway, tcp((CLIENT, 1), (OFFICE, 443), SYN)), Got::Packet(40));
    let mut packet = tcp((OFFICE, 443), (CLIENT, 1), SYN_ACK);
    let Begin::Crypt(seal) = begin_down(&mut gateway, &mut packet) else { panic!("it is allowed") };
    let mut datagram = give(NOW, &mut client, tcp((CLIENT, 1), (OFFICE, 443), SYN)).expect("sealed");
    let Begin::Crypt(open) = begin_up(client.path, &mut gateway, &mut datagram) else { panic!("it is authentic") };
    lock(&mut gateway);
    let (verdict, _) = gateway.tunnel.finish_seal(NOW, seal.crypt(&mut packet.0));
    assert_eq!(verdict, Outbound::Dropped(DropReason::Locked));
    let (verdict, _) = gateway.tunnel.finish_open(NOW, open.crypt(&mut datagram));
    assert_eq!(verdict, Inbound::Dropped(DropReason::Locked));
    // Other rules that come between rule what is opened, for that is ruled last.
    rule(&mut gateway, rules());
    let mut datagram = give(NOW, &mut client, tcp((CLIENT, 1), (OFFICE, 443), SYN)).expect("sealed");
    let Begin::Crypt(open) = begin_up(client.path, &mut gateway, &mut datagram) else { panic!("it is authentic") };
    rule(&mut gateway, Vec::new());
    let (verdict, _) = gateway.tunnel.finish_open(NOW, open.crypt(&mut datagram));
    assert_eq!(verdict, Inbound::Dropped(DropReason::Denied));
}
