//! What reading a configuration text takes from the heap, whatever is in it.
//! `cargo test -p underpass-core --test junk -- --nocapture` prints the figures.
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use underpass_core::config::{MAX_DIAGNOSTICS, parse};

/// Counts live bytes, and the most of them at a time; of each thread by itself: the test runner has a thread that allocates too.
struct Counting;

std::thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that is ending has no counters any more, and no test.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        PEAK.try_with(|peak| peak.set(peak.get().max(live.get())))
    });
}

// SAFETY: every call is handed on to the system's allocator unchanged; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise about `place` and `layout` is handed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

const KEY: &str = "fWoX8qwc/e/mawb2xv6F6UoI/EeIcOz6jjJeiMtkvA0=";

/// Reads `line` repeated up to `len` bytes behind `head`; returns the most bytes that this took from the heap beside the text,
/// and the findings.
fn read(head: &str, line: &str, len: usize) -> (usize, usize) {
    let text = [head, &line.repeat(len / line.len())].concat();
    let before = LIVE.get();
    PEAK.set(before);
    let parsed = parse(&text);
    let taken = usize::try_from(PEAK.get() - before).expect("a peak");
    assert!(parsed.diagnostics.len() <= MAX_DIAGNOSTICS && !parsed.out_of_memory);
    println!("{:>9} bytes of {line:?}: {taken} bytes, {} more", text.len(), parsed.more);
    (taken, parsed.diagnostics.len() + parsed.more)
}

#[test]
fn junk_takes_no_more_memory_than_its_diagnostics() {
    let whole = format!("[Peer]\nPublicKey = {KEY}\n");
    for (head, line) in [
        ("", "a=\n"),
        ("", "[\n"),
        ("", "[a]\n"),
        ("", "[Peer]\n"),
        ("", "[Interface]\n"),
        ("[Interface]\n", "PublicKey=\n"),
        ("[Interface]\n", "Jc=1\n"),
        ("[Interface]\n", "Adress=1\n"),
        ("[Interface]\nAddress=", "a "),
        ("[Interface]\nDNS=", "-,"),
        ("[Peer]\nAllowedIPs=", "a,"),
        ("[Peer]\n", "Endpoint=\n"),
        ("[Peer]\n", "PublicKey=a\n"),
    ] {
        let (taken, findings) = read(head, line, 512 << 10);
        assert!(findings > 0);
        assert!(taken < 64 << 10, "{taken} bytes for {line:?}");
    }
    let (taken, findings) = read("", "a\n", 10 << 20);
    assert_eq!(findings, (10 << 20) / 2 + 1, "all are counted");
    assert!(taken < 64 << 10, "{taken} bytes for ten megabytes of lines");
    // What is no junk takes what it becomes.
    let (taken, _) = read("", &whole, 512 << 10);
    assert!(taken < 8 << 20, "{taken} bytes for peers");
    let (taken, _) = read("[Interface]\nBad = 1\nAddress=", "::,", 512 << 10);
    assert!(taken < 8 << 20, "{taken} bytes for addresses");
}
