//! Tunnels and configurations that come and go leave nothing behind.
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use underpass_uniffi::{Configuration, PrivateKey, Tunnel, TunnelError, TunnelObserver, TunnelOptions, live_tunnels};

/// The system's allocator. It counts the bytes of each thread by itself: the test runner has a thread that allocates too.
struct Counting;

thread_local! {
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that is ending has no counter any more, and no test.
    let _ = BYTES.try_with(|all| all.set(all.get() + bytes));
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
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
    let before = BYTES.get();
    come_and_go(&text, 10_000);
    assert_eq!(BYTES.get() - before, 0, "bytes that nobody frees");
    assert_eq!(live_tunnels(), 0);
}
