//! tshark reads what we send: the dissector is nobody's here, and knows the protocol by heart.
use anyhow::{Context as _, Result, ensure};
use underpass_interop::Capture;
use underpass_interop::Folder;
use underpass_interop::Implementation::{self, GoNewest, Underpass};
use underpass_interop::pcap::write_pcap;
use underpass_interop::scenery::Pair;
use underpass_interop::{Device, Machine, PATIENCE, Stage, eventually, play};

/// Type of transport data (paper § 5.4.6).
const DATA: u8 = 4;

/// Records a first contact, and has tshark print `fields` of each WireGuard message, holding the private keys of both.
fn first_contact(stage: &Stage, pair: [Implementation; 2], name: &str, fields: &[&str]) -> Result<Vec<Vec<String>>> {
    let pair = Pair::new(stage, pair[0], pair[1])?;
    // Among the ports that the kernel may choose are some at which tshark suspects a traceroute.
    pair.left.set("listen-port 51821")?;
    let capture = Capture::start(&pair.wire.left, 2000)?;
    pair.ping()?;
    // The last datagram of the ping is the answer: with it all that came before is recorded.
    eventually("the answer is recorded", PATIENCE, || Ok(!capture.messages("192.0.2.2".parse()?, DATA).is_empty()))?;
    let folder = Folder::new(name)?;
    let (file, keys) = (folder.path("capture.pcap"), folder.path("keys"));
    write_pcap(file.as_ref(), &capture.frames())?;
    std::fs::write(&keys, key_log(&[&pair.left, &pair.right]))?;
    dissect(&pair.wire.left, &file, &keys, fields)
}

/// The key log format of Wireshark's WireGuard dissector.
fn key_log(devices: &[&Device]) -> String {
    devices.iter().map(|device| format!("LOCAL_STATIC_PRIVATE_KEY = {}\n", device.keys.private)).collect()
}

/// What tshark says about the WireGuard messages of a capture file.
pub(crate) fn dissect(machine: &Machine, file: &str, keys: &str, fields: &[&str]) -> Result<Vec<Vec<String>>> {
    let keys = format!("wg.keylog_file:{keys}");
    let mut arguments = vec!["-r", file, "-o", &keys, "-Y", "wg", "-T", "fields", "-E", "separator=|"];
    for field in fields {
        arguments.extend(["-e", field]);
    }
    let text = machine.run("tshark", &arguments)?;
    Ok(text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect())
}

fn column<'a>(rows: &'a [Vec<String>], message_type: &str, number: usize) -> Result<&'a str> {
    let row = rows.iter().find(|row| row[0] == message_type).context("no such message")?;
    Ok(&row[number])
}

fn handshake_is_understood(stage: &Stage, initiator: Implementation, responder: Implementation) -> Result<()> {
    let fields = [
        "wg.type",
        "wg.reserved",
        "wg.receiver_pubkey",
        "wg.static",
        "wg.timestamp.value",
        "_ws.malformed",
        "_ws.expert.message",
        "wg.mac2",
    ];
    let name = format!("dissect-{initiator:?}-{responder:?}");
    let rows = first_contact(stage, [initiator, responder], &name, &fields)?;
    println!("{rows:#?}");
    let mut types: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    // What is answered late is said twice.
    types.dedup();
    ensure!(types.starts_with(&["1", "2", "4"]), "messages of types {types:?}");
    for row in &rows {
        ensure!(row[1] == "00:00:00" || row[1] == "000000", "reserved bytes are {:?}", row[1]);
        ensure!(row[5].is_empty() && row[6].is_empty(), "the dissector complains: {row:?}");
    }
    // Whose mac1 it is, tshark knows only when mac1 is right.
    ensure!(!column(&rows, "1", 2)?.is_empty(), "mac1 of the initiation is wrong");
    ensure!(!column(&rows, "2", 2)?.is_empty(), "mac1 of the response is wrong");
    ensure!(!column(&rows, "1", 3)?.is_empty(), "no static key");
    ensure!(!column(&rows, "1", 4)?.is_empty(), "the timestamp was not decrypted");
    Ok(())
}

#[test]
fn the_handshake_of_underpass_is_decrypted() {
    play(|stage| handshake_is_understood(stage, Underpass, Underpass));
}

#[test]
fn the_handshake_of_wireguard_go_is_decrypted() {
    play(|stage| handshake_is_understood(stage, GoNewest, GoNewest));
}
