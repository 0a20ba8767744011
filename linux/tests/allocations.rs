//! In steady state nothing is allocated, however many packets pass. Alone in its process, whose allocator it counts.
#[allow(dead_code, reason = "the scenes have more to offer than one test needs")]
mod scene;

use anyhow::{Context, Result};
use scene::pair_with;
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use underpass_linux::{EngineConfig, Workers};

/// The system's allocator, counted.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn packets_cost_no_allocation() -> Result<()> {
    for (offload, crypt_workers) in
        [(true, Workers::None), (false, Workers::None), (true, Workers::Count(NonZeroUsize::new(2).context("2")?))]
    {
        let pair = pair_with(&EngineConfig { offload, crypt_workers, ..EngineConfig::new("tun0") })?;
        let listener = pair.right.inside(|| TcpListener::bind("10.7.0.2:0"))?;
        let to = listener.local_addr()?;
        let mut sender = pair.left.inside(|| TcpStream::connect(to))?;
        let (mut receiver, _) = listener.accept()?;
        let mut buf = vec![0; 1 << 16];
        let megabyte = vec![1; 1 << 20];
        let mut counts = [0; 2];
        // The first round warms up: sessions, and buffers that grow to their size.
        for count in &mut counts {
            let packets = || pair.engines.1.with_tunnel(|tunnel, _| tunnel.stats().rx_packets);
            let (before, packets_before) = (ALLOCATIONS.load(Ordering::Relaxed), packets());
            std::thread::scope(|scope| {
                let writer = scope.spawn(|| (0..20).try_for_each(|_| sender.write_all(&megabyte)));
                let mut left = 20 << 20;
                while left > 0 {
                    left -= receiver.read(&mut buf)?;
                }
                writer.join().expect("no panic")
            })?;
            *count = ALLOCATIONS.load(Ordering::Relaxed) - before;
            assert!(packets() - packets_before > 10_000);
        }
        assert!(counts[1] < 100, "{counts:?} allocations for 20 MB, offload {offload}, {crypt_workers:?}");
    }
    Ok(())
}
