//! boringtun through its C interface: `wireguard_write` and `wireguard_read`, which take a lock for each packet.
use super::{FLIGHT, Party, packets, timed};
use boringtun::ffi::{
    new_tunnel, result_type, wireguard_force_handshake, wireguard_read, wireguard_result, wireguard_write,
};
use std::ffi::CString;
use std::hint::black_box;
use std::time::Duration;
use underpass_budget::key;

// SAFETY: of whoever calls one: the tunnel is live, and both buffers are as long as is said.
type Call<T> = unsafe extern "C" fn(*const T, *const u8, u32, *mut u8, u32) -> wireguard_result;

/// Sealing and opening, each from one buffer into another. The tunnels live as long as the program.
struct BoringtunC<T> {
    a: *mut T,
    b: *mut T,
    write: Call<T>,
    read: Call<T>,
    len: usize,
    packets: Vec<Vec<u8>>,
    datagrams: Vec<Vec<u8>>,
}

/// For packets of `len` bytes. Its handle is a lock around a tunnel, a type that it does not name.
pub fn boringtun_c(len: usize) -> Box<dyn Party> {
    let text = |key: &str| CString::new(key).expect("base64");
    let secrets = [0, 1].map(|number| text(key(number).to_base64().as_str()));
    let publics = [0, 1].map(|number| text(&key(number).public_key().to_base64()));
    // It makes every later panic a segmentation fault.
    let hook = std::panic::take_hook();
    let [a, b] = [(0, 1), (1, 0)].map(|(me, other): (usize, usize)| {
        // SAFETY: both keys are strings with a NUL that outlive the call; no preshared key is none.
        unsafe { new_tunnel(secrets[me].as_ptr(), publics[other].as_ptr(), std::ptr::null(), 0, me as u32) }
    });
    std::panic::set_hook(hook);
    let (mut one, mut two) = ([0; 256], [0; 256]);
    // SAFETY: the tunnel is live, and the buffer as long as is said.
    let mut len_of = unsafe { wireguard_force_handshake(a, one.as_mut_ptr(), 256) }.size;
    for tunnel in [b, a, b] {
        // SAFETY: the tunnel is live, and both buffers are as long as is said.
        len_of = unsafe { wireguard_read(tunnel, one.as_ptr(), len_of as u32, two.as_mut_ptr(), 256) }.size;
        std::mem::swap(&mut one, &mut two);
    }
    let mut packets = packets(len);
    packets.iter_mut().for_each(|packet| packet.resize(len + 32, 0));
    let datagrams = vec![vec![0; (len + 32).max(148)]; FLIGHT];
    let (write, read) = black_box((wireguard_write as Call<_>, wireguard_read as Call<_>));
    Box::new(BoringtunC { a, b, write, read, len, packets, datagrams })
}

impl<T> Party for BoringtunC<T> {
    fn name(&self) -> String {
        "boringtun in C".into()
    }

    fn flight(&mut self) -> (Duration, Duration) {
        let Self { a, b, write, read, len, packets, datagrams } = self;
        let (seal, len) = timed(|| measured(*write, *a, packets, *len, datagrams));
        let (open, opened) = timed(|| measured(*read, *b, datagrams, len, packets));
        assert_eq!(opened, self.len);
        (seal, open)
    }
}

/// One call for each; returns the length of what came of the last.
#[inline(never)]
fn measured<T>(call: Call<T>, tunnel: *const T, from: &[Vec<u8>], len: usize, into: &mut [Vec<u8>]) -> usize {
    let mut written = 0;
    for (from, into) in from.iter().zip(into) {
        let from = &from[..len];
        // SAFETY: the tunnel is live and this thread's alone, and both buffers are as long as is said.
        let result = unsafe { call(tunnel, from.as_ptr(), len as u32, into.as_mut_ptr(), into.len() as u32) };
        assert!(matches!(result.op, result_type::WRITE_TO_NETWORK | result_type::WRITE_TO_TUNNEL_IPV4));
        written = result.size;
    }
    written
}
