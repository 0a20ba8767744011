//! A network that has only IPv6, and what leads from it to IPv4: a translator (RFC 6146) and its name server.
use crate::{Folder, Machine, PATIENCE, Running, Stage, eventually};
use anyhow::{Context as _, Result, bail};
use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The name that has IPv4 addresses only, and thereby gives the prefix away (RFC 7050), as it stands in a question.
const WELL_KNOWN_NAME: &[u8] = b"\x08ipv4only\x04arpa\x00";
/// What it has.
const WELL_KNOWN: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];
const A: [u8; 4] = [0, 1, 0, 1];
const AAAA: [u8; 4] = [0, 28, 0, 1];

/// phone 2001:db8::1 — 2001:db8::64 translator 198.51.100.1 — 198.51.100.2 server
#[derive(Debug)]
pub struct Nat64 {
    /// `eth0` has 2001:db8::1/64 and nothing else; the default route and the name server are the translator.
    pub phone: Machine,
    /// `eth0` has 198.51.100.2/24 and no IPv6.
    pub server: Machine,
    /// tayga, which translates addresses, before the translation of IPv4 that hides its pool.
    pub tayga: Running,
    dns: Dns,
    _translator: Machine,
    _folder: Folder,
}

impl Nat64 {
    /// Builds it. Below `prefix` lies IPv4, and `well_known` are the addresses of 192.0.0.170 and 192.0.0.171 there.
    ///
    /// # Errors
    /// When the kernel refuses, or tayga does not start.
    pub fn new(stage: &Stage, prefix: &str, well_known: [Ipv6Addr; 2]) -> Result<Self> {
        let (phone, translator, server) =
            (stage.machine("phone")?, stage.machine("translator")?, stage.machine("server")?);
        phone.wire("eth0", &translator, "inside")?;
        translator.wire("outside", &server, "eth0")?;
        server.sysctl("net.ipv6.conf.eth0.disable_ipv6=1")?;
        server.ip("addr add 198.51.100.2/24 dev eth0")?;
        translator.ip("addr add 198.51.100.1/24 dev outside")?;
        translator.ip("addr add 2001:db8::64/64 dev inside nodad")?;
        phone.ip("addr add 2001:db8::1/64 dev eth0 nodad")?;
        phone.ip("route add default via 2001:db8::64")?;

        let folder = Folder::new(&format!("nat64-{}", prefix.replace([':', '/'], "-")))?;
        let configuration = folder.path("tayga.conf");
        std::fs::write(
            &configuration,
            format!("tun-device nat64\nipv4-addr 10.64.0.1\nprefix {prefix}\ndynamic-pool 10.64.0.0/24\n"),
        )?;
        let mut tayga = translator.spawn("tayga", &["-d", "-c", &configuration, "-p", &folder.path("tayga.pid")])?;
        eventually("the translator's interface is there", PATIENCE, || {
            if let Some(status) = tayga.ended()? {
                bail!("tayga ended with {status}\n{}", tayga.stderr());
            }
            Ok(translator.try_run("ip", &["link", "show", "nat64"])?.status.success())
        })?;
        translator.ip("link set nat64 up")?;
        translator.ip("route add 10.64.0.0/24 dev nat64")?;
        translator.ip(&format!("route add {prefix} dev nat64"))?;
        translator.sysctl("net.ipv4.ip_forward=1")?;
        translator.sysctl("net.ipv6.conf.all.forwarding=1")?;
        translator.nft(
            "table ip pool {
                chain postrouting {
                    type nat hook postrouting priority srcnat; policy accept;
                    oifname outside masquerade
                }
            }",
        )?;

        let dns = Dns::start(&translator, well_known)?;
        let resolver = folder.path("resolv.conf");
        std::fs::write(&resolver, "nameserver 2001:db8::64\n")?;
        // Where the file is a link into /run, that is an empty one of the machine's own.
        let mount = r#"real=$(readlink -m /etc/resolv.conf)
            case $real in /run/*) mkdir -p "$(dirname "$real")" && : >"$real" ;; esac
            mount --bind "$1" "$real""#;
        phone.run("sh", &["-ec", mount, "sh", &resolver])?;
        Ok(Self { phone, server, tayga, dns, _translator: translator, _folder: folder })
    }

    /// How often the name server was asked for the prefix.
    #[must_use]
    pub fn asked(&self) -> u32 {
        self.dns.asked.load(Ordering::Relaxed)
    }
}

/// A name server that knows one name; gone when dropped.
#[derive(Debug)]
struct Dns {
    asked: Arc<AtomicU32>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Dns {
    fn start(machine: &Machine, well_known: [Ipv6Addr; 2]) -> Result<Self> {
        let socket = machine.inside(|| UdpSocket::bind("[2001:db8::64]:53")).context("a socket for the name server")?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let (asked, ends) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (Arc::clone(&asked), Arc::clone(&ends));
        let serve = move || {
            let mut buffer = [0; 512];
            while !end.load(Ordering::Relaxed) {
                let Ok((len, from)) = socket.recv_from(&mut buffer) else { continue };
                let Some(answer) = answer(&buffer[..len], well_known) else { continue };
                if buffer[..len].windows(4).any(|part| part == AAAA) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                // Who asked may have gone.
                let _ = socket.send_to(&answer, from);
            }
        };
        Ok(Self { asked, ends, thread: Some(std::thread::spawn(serve)) })
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The answer to a question: header, question, and an address record for each address.
fn answer(query: &[u8], well_known: [Ipv6Addr; 2]) -> Option<Vec<u8>> {
    let question = query.get(12..)?;
    let name = question.iter().position(|&byte| byte == 0)? + 1;
    let kind: [u8; 4] = question.get(name..name + 4)?.try_into().ok()?;
    let known = question[..name].eq_ignore_ascii_case(WELL_KNOWN_NAME);
    let addresses: Vec<Vec<u8>> = match kind {
        A if known => WELL_KNOWN.iter().map(|address| address.octets().to_vec()).collect(),
        AAAA if known => well_known.iter().map(|address| address.octets().to_vec()).collect(),
        _ => Vec::new(),
    };
    let count = u8::try_from(addresses.len()).ok()?;
    // A response, recursion available; 3: there is no such name.
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, if known { 0x80 } else { 0x83 }, 0, 1, 0, count, 0, 0, 0, 0]);
    answer.extend(&question[..name + 4]);
    for address in addresses {
        // The name is that of the question.
        answer.extend([0xc0, 12]);
        answer.extend(kind);
        answer.extend([0, 0, 0, 60, 0, u8::try_from(address.len()).ok()?]);
        answer.extend(address);
    }
    Some(answer)
}
