//! Two tunnels in memory whose every secret is known: tshark decrypts all they say, down to the packets inside.
use crate::dissect::dissect;
use anyhow::{Result, anyhow, ensure};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use underpass_core::NoRandomness;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Inbound, Outbound, PacketBuf, Path};
use underpass_core::{
    Endpoint, Instant, NewPeer, PresharedKey, PrivateKey, PublicKey, Rng, Tunnel, TunnelConfig, UnixTime, limits,
};
use underpass_interop::Frame;
use underpass_interop::pcap::write_pcap;
use underpass_interop::{Folder, play};

const NOW: Instant = Instant::from_nanos(1);
const PRESHARED: [u8; 32] = [7; 32];
/// An ICMP echo request from 10.9.0.1 to 10.9.0.2 with 4 bytes of payload, and the answer to it.
const REQUEST: [u8; 32] = [
    0x45, 0, 0, 32, 0, 1, 0x40, 0, 64, 1, 0x26, 0xc8, 10, 9, 0, 1, 10, 9, 0, 2, 8, 0, 0x25, 0x2b, 0, 7, 0, 1, 0x61,
    0x62, 0x71, 0x67,
];
const ANSWER: [u8; 32] = [
    0x45, 0, 0, 32, 0, 1, 0x40, 0, 64, 1, 0x26, 0xc8, 10, 9, 0, 2, 10, 9, 0, 1, 0, 0, 0x2d, 0x2b, 0, 7, 0, 1, 0x61,
    0x62, 0x71, 0x67,
];

/// Random numbers of which every 32 bytes, and so every ephemeral key, is told.
#[derive(Clone, Debug)]
struct Confessing {
    state: u64,
    told: Arc<Mutex<Vec<[u8; 32]>>>,
}

impl Rng for Confessing {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        for byte in dest.iter_mut() {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.state >> 56) as u8;
        }
        if let Ok(key) = <[u8; 32]>::try_from(&*dest) {
            self.told.lock().unwrap_or_else(PoisonError::into_inner).push(key);
        }
        Ok(())
    }
}

/// One end: a tunnel, its address, its secrets.
struct Speaker {
    tunnel: Tunnel,
    number: u8,
    told: Arc<Mutex<Vec<[u8; 32]>>>,
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 51820))
}

fn key(number: u8) -> PrivateKey {
    PrivateKey::from_bytes([number; 32])
}

impl Speaker {
    fn new(number: u8, other: u8) -> Result<Self> {
        let told = Arc::default();
        let rng = Confessing { state: u64::from(number), told: Arc::clone(&told) };
        let peer = NewPeer {
            preshared_key: Some(PresharedKey::from_bytes(PRESHARED)),
            endpoint: Some(Endpoint::Address(address(other))),
            allowed_ips: vec!["0.0.0.0/0".parse()?],
            ..NewPeer::new(key(other).public_key())
        };
        let config = TunnelConfig { private_key: Some(key(number)), peers: vec![peer], ..TunnelConfig::default() };
        let tunnel = Tunnel::new(config, Box::new(rng), NOW, UnixTime::from_secs(1_700_000_000))
            .map_err(|error| anyhow!("{error:?}"))?;
        Ok(Self { tunnel, number, told })
    }

    /// Says `packet`; returns the datagram, if one leaves at once.
    fn say(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let mut buf = vec![0; limits::HEADROOM + packet.len() + limits::TAILROOM];
        let range = limits::HEADROOM..limits::HEADROOM + packet.len();
        buf[range.clone()].copy_from_slice(packet);
        match self.tunnel.handle_packet(NOW, PacketBuf { buf: &mut buf, packet: range }) {
            Outbound::Datagram { datagram, .. } => Some(datagram.to_vec()),
            _ => None,
        }
    }

    /// What it wants to send.
    fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        let mut buf = [0; 2048];
        while let Some(transmit) = self.tunnel.poll_transmit(NOW, &mut buf).expect("room") {
            datagrams.push(buf[..transmit.len].to_vec());
        }
        datagrams
    }

    /// Hears `datagram`; returns the packet in it.
    fn hear(&mut self, from: u8, datagram: &[u8]) -> Option<Vec<u8>> {
        let path = Path::new(address(from));
        match self.tunnel.handle_datagram(NOW, path, Ecn::NotCapable, &mut datagram.to_vec()) {
            Inbound::Packet { packet, .. } => Some(packet.to_vec()),
            _ => None,
        }
    }

    fn key_log(&self) -> String {
        let base64 = |bytes: &[u8; 32]| PublicKey::from_bytes(*bytes).to_base64();
        let own = base64(key(self.number).as_bytes());
        let other = key(3 - self.number).public_key().to_base64();
        let mut log = format!("LOCAL_STATIC_PRIVATE_KEY = {own}\nREMOTE_STATIC_PUBLIC_KEY = {other}\n");
        for ephemeral in self.told.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            log += &format!(
                "LOCAL_EPHEMERAL_PRIVATE_KEY = {}\nPRESHARED_KEY = {}\n",
                base64(ephemeral),
                base64(&PRESHARED)
            );
        }
        log
    }
}

/// A frame as the wire would show it; UDP needs no checksum over IPv4 (RFC 768), and tshark asks for none of IP.
fn frame(from: u8, to: u8, datagram: &[u8]) -> Result<Frame> {
    let udp = u16::try_from(datagram.len() + 8)?.to_be_bytes();
    let ip = u16::try_from(datagram.len() + 28)?.to_be_bytes();
    let mut bytes = vec![2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 8, 0];
    bytes.extend([0x45, 0, ip[0], ip[1], 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, from, 192, 0, 2, to]);
    bytes.extend([0xca, 0x6c, 0xca, 0x6c, udp[0], udp[1], 0, 0]);
    bytes.extend(datagram);
    Ok(Frame { at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000), bytes })
}

/// A says the request, B the answer; every datagram until both are silent.
fn conversation(a: &mut Speaker, b: &mut Speaker) -> Result<Vec<Frame>> {
    let mut frames = Vec::new();
    ensure!(a.say(&REQUEST).is_none(), "data left before a handshake");
    let mut heard = Vec::new();
    for round in 0..8 {
        let (speaker, listener) = if round % 2 == 0 { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
        let mut datagrams = speaker.drain();
        if heard.last().is_some_and(|packet| packet == &REQUEST) && speaker.number == 2 {
            datagrams.extend(speaker.say(&ANSWER));
        }
        for datagram in datagrams {
            frames.push(frame(speaker.number, listener.number, &datagram)?);
            heard.extend(listener.hear(speaker.number, &datagram));
        }
    }
    ensure!(heard == [REQUEST.to_vec(), ANSWER.to_vec()], "request and answer were not what was heard: {heard:?}");
    Ok(frames)
}

#[test]
fn every_word_is_decrypted() {
    play(|stage| {
        let (mut a, mut b) = (Speaker::new(1, 2)?, Speaker::new(2, 1)?);
        let frames = conversation(&mut a, &mut b)?;
        let folder = Folder::new("spoken")?;
        let (file, keys) = (folder.path("capture.pcap"), folder.path("keys"));
        write_pcap(file.as_ref(), &frames)?;
        let fields = [
            "wg.type",
            "wg.handshake_ok",
            "icmp.type",
            "wg.counter",
            "_ws.malformed",
            "wg.decryption_error",
            "data.data",
        ];
        let machine = stage.machine("reader")?;
        // The secrets of either side are enough.
        for speaker in [&a, &b] {
            std::fs::write(&keys, speaker.key_log())?;
            let rows = dissect(&machine, &file, &keys, &fields)?;
            println!("{rows:?}");
            let types: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
            ensure!(types == ["1", "2", "4", "4"], "messages of types {types:?}");
            ensure!(rows[1][1] == "1" || rows[1][1] == "True", "the response was not decrypted: {rows:?}");
            ensure!(rows[2][2] == "8" && rows[3][2] == "0", "no echo request and reply inside: {rows:?}");
            ensure!(rows[2][6] == "61627167" && rows[3][6] == "61627167", "another payload: {rows:?}");
            ensure!(rows.iter().all(|row| row[4].is_empty() && row[5].is_empty()), "the dissector complains: {rows:?}");
        }
        Ok(())
    });
}
