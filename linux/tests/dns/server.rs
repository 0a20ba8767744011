//! A name server that knows one address, whatever it is asked for.
use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use underpass_linux::demo::stage::Machine;

/// A name server; it ends when this is dropped.
pub struct Server {
    asked: Arc<AtomicUsize>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts one at `address` on `machine` that answers `answer`.
    pub fn start(machine: &Machine, address: Ipv4Addr, answer: Ipv4Addr) -> Result<Self> {
        let socket = machine.inside(|| UdpSocket::bind(SocketAddr::from((address, 53))))?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let (asked, end) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, is_over) = (Arc::clone(&asked), Arc::clone(&end));
        let serve = move || {
            let mut query = [0; 1500];
            while !is_over.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut query) else { continue };
                if let Some(reply) = reply(&query[..length], answer) {
                    count.fetch_add(1, Ordering::Relaxed);
                    // Who does not get it asks again.
                    let _ = socket.send_to(&reply, from);
                }
            }
        };
        Ok(Self { asked, end, thread: Some(std::thread::spawn(serve)) })
    }

    /// How many questions came.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The answer to a question (RFC 1035 § 4.1): one address for type A, nothing for other types.
fn reply(query: &[u8], answer: Ipv4Addr) -> Option<Vec<u8>> {
    let mut end = 12;
    while *query.get(end)? != 0 {
        end += 1 + usize::from(query[end]);
    }
    let kind = query.get(end + 1..end + 5)?;
    let is_address = kind == [0, 1, 0, 1];
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    reply.extend(&query[12..end + 5]);
    if is_address {
        // The name of the question, type, class, a minute, four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(answer.octets());
    }
    Some(reply)
}
