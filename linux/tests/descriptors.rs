//! Starting with too few file descriptors. Alone in its process, whose limit it changes.
#[allow(dead_code, reason = "the scenes have more to offer than one test needs")]
mod scene;

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::path::Path;
use underpass_carry::Fault;
use underpass_linux::{Engine, EngineConfig, HostError};

/// Descriptors that are open, by count.
fn open() -> Result<u64> {
    Ok(std::fs::read_dir("/proc/self/fd")?.count() as u64 - 1)
}

/// The limit under which `spare` descriptors are free. It is one of numbers, and whoever started us may have left some open
/// with gaps between them.
fn limit(spare: usize) -> Result<u64> {
    let is_free = |number: &u64| !Path::new(&format!("/proc/self/fd/{number}")).is_symlink();
    (0..).filter(is_free).nth(spare).context("a number")
}

#[test]
fn each_shortage_is_named_and_leaves_nothing_open() -> Result<()> {
    let machine = scene::stage().machine("host")?;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let before = open()?;
    let mut refused = 0;
    for spare in 0..40 {
        setrlimit(Resource::RLIMIT_NOFILE, limit(spare)?, hard)?;
        let started = machine.inside(|| Engine::start(EngineConfig::new("tun0")));
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
        match started {
            Ok(engine) => {
                engine.stop();
                drop(engine);
                assert!(refused >= 6, "refused {refused} times only: it needs more descriptors than that");
                assert_eq!(open()?, before);
                return Ok(());
            }
            Err(HostError::Carry(Fault::OutOfDescriptors { .. })) => refused += 1,
            Err(other) => panic!("{spare} to spare: {other}"),
        }
        assert_eq!(open()?, before, "{spare} to spare");
        assert!(!machine.run("ip", &["link"])?.contains("tun0"), "{spare} to spare");
    }
    panic!("40 descriptors are enough for one tunnel");
}
