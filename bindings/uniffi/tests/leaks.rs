//! Tunnels and configurations that come and go leave nothing behind. Alone in its program, since it counts bytes.
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use underpass_uniffi::{Configuration, PrivateKey, Tunnel, TunnelError, TunnelObserver, TunnelOptions, live_tunnels};

struct Counting;
static BYTES: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Deaf;
impl TunnelObserver for Deaf {
    fn wake(&self) -> Result<(), TunnelError> {
        Ok(())
    }
}

fn come_and_go(text: &str, times: usize) {
    for number in 0..times {
        let configuration = Configuration::parse(text.to_owned()).expect("the text is good");
        let options = TunnelOptions { configuration: Some(configuration), ..Default::default() };
        let tunnel = Tunnel::new(options, Some(Arc::new(Deaf))).expect("a tunnel");
        let peer = tunnel.peers().expect("it is open").first().expect("it has a peer").peer;
        tunnel.connect(peer).expect("it is there");
        assert_eq!(live_tunnels(), 1);
        // Half of them are closed, the others only let go of.
        if number % 2 == 0 {
            tunnel.close();
            assert_eq!(live_tunnels(), 0);
        }
    }
}

#[test]
fn ten_thousand_tunnels_leave_nothing_behind() {
    let key = PrivateKey::generate().expect("there is chance");
    let text = format!(
        "[Interface]\nPrivateKey = {}\n[Peer]\nPublicKey = {}\nAllowedIPs = 10.0.0.0/8\nEndpoint = 192.0.2.1:51820\n",
        key.to_base64(),
        PrivateKey::generate().expect("there is chance").public_key().to_base64(),
    );
    come_and_go(&text, 10);
    let before = BYTES.load(Ordering::Relaxed);
    come_and_go(&text, 10_000);
    assert_eq!(BYTES.load(Ordering::Relaxed) - before, 0, "bytes that nobody frees");
    assert_eq!(live_tunnels(), 0);
}
