//! What the library says of itself. Alone in its process, whose log it sets.
use std::sync::{Arc, Mutex};
use underpass_uniffi::logging::say;
use underpass_uniffi::{Configuration, LogLevel, LogSink, PrivateKey, Tunnel, TunnelError, TunnelOptions, set_logging};

#[derive(Default)]
struct Paper(Mutex<Vec<(LogLevel, String)>>);

impl LogSink for Paper {
    fn log(&self, level: LogLevel, line: String) -> Result<(), TunnelError> {
        // Said by a sink: it goes nowhere, and not round and round.
        say(LogLevel::Error, format_args!("the sink speaks"));
        self.0.lock().expect("no panic").push((level, line));
        Err(TunnelError::Closed)
    }
}

impl Paper {
    fn take(&self) -> Vec<(LogLevel, String)> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

#[test]
fn lines_go_to_the_sink_by_their_level_and_have_no_secrets() {
    let paper = Arc::new(Paper::default());
    set_logging(LogLevel::Debug, Some(paper.clone()));
    let secret = PrivateKey::generate().expect("randomness");
    let peer = PrivateKey::generate().expect("randomness").public_key();
    let text = format!(
        "[Interface]\nPrivateKey = {}\n[Peer]\nPublicKey = {}\nEndpoint = 192.0.2.1:51820\nAllowedIPs = 10.0.0.0/8\n",
        secret.to_base64(),
        peer.to_base64()
    );
    let configuration = Configuration::parse(text).expect("it is sound");
    let options = TunnelOptions { configuration: Some(configuration), ..TunnelOptions::default() };
    let tunnel = Tunnel::new(options, None).expect("a tunnel");
    assert!(tunnel.with_core(|_| panic!("a bug")).is_err());
    tunnel.close();
    let lines = paper.take();
    let levels: Vec<_> = lines.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, [LogLevel::Info, LogLevel::Error, LogLevel::Info], "{lines:?}");
    for (_, line) in &lines {
        for unsaid in [&secret.to_base64(), &peer.to_base64(), "192.0.2.1"] {
            assert!(!line.contains(unsaid), "{line}");
        }
    }

    for (level, said) in
        [(LogLevel::Off, 0), (LogLevel::Error, 1), (LogLevel::Warn, 2), (LogLevel::Info, 3), (LogLevel::Debug, 4)]
    {
        set_logging(level, Some(paper.clone()));
        for line in [LogLevel::Off, LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug] {
            say(line, format_args!("a line"));
        }
        assert_eq!(paper.take().len(), said, "{level:?}");
    }
    set_logging(LogLevel::Debug, None);
    say(LogLevel::Error, format_args!("nobody hears it"));
    assert!(paper.take().is_empty());
}
