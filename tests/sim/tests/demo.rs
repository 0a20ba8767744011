//! The demonstration tells its story to the end, and the same story every time.

#[test]
fn the_demo_tells_its_story() {
    let tell = || {
        let mut out = Vec::new();
        underpass_sim::demo::run(&mut out).expect("the story comes to its end");
        String::from_utf8(out).expect("text")
    };
    let story = tell();
    println!("{story}");
    for claim in ["Handshake done", "same TCP connection", "drops every one", "neither side woke up once"] {
        assert!(story.contains(claim), "{claim}");
    }
    assert!(story.lines().all(|line| line.chars().count() <= 100), "lines fit a terminal");
    assert_eq!(story, tell());
}

/// A story whose listener has gone says so.
#[test]
fn an_output_that_fails_is_an_error() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    assert!(underpass_sim::demo::run(&mut Gone).is_err());
}
