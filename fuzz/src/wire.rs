//! The four messages.
use underpass_core::internals::wire::{Macs, Message, TRANSPORT_HEADER_LEN, TRANSPORT_MIN_LEN};

/// Reads `data` as a datagram: what is read is what stands there, and lengths are exact.
pub fn wire(data: &[u8]) {
    let macs = Macs::of(data).inspect(|macs| {
        assert_eq!(macs.before_mac2.len() + 16, data.len());
        assert_eq!(macs.before_mac1.len() + 32, data.len());
    });
    assert_eq!(macs.is_some(), data.len() >= 32);
    let kind = data.first_chunk::<4>().map(|word| u32::from_le_bytes(*word));
    match Message::parse(data) {
        Some(Message::Initiation(message)) => {
            assert_eq!((message.as_bytes().as_slice(), kind), (data, Some(1)));
            assert_eq!(message.sender().to_le_bytes(), data[4..8]);
            assert_eq!(message.ephemeral(), &data[8..40]);
            assert_eq!((message.static_sealed().len(), message.timestamp_sealed().len()), (48, 28));
        }
        Some(Message::Response(message)) => {
            assert_eq!((message.as_bytes().as_slice(), kind), (data, Some(2)));
            assert_eq!(message.sender().to_le_bytes(), data[4..8]);
            assert_eq!(message.receiver().to_le_bytes(), data[8..12]);
            assert_eq!(
                (message.ephemeral(), message.empty_sealed().as_slice()),
                (&data[12..44].try_into().expect("32"), &data[44..60])
            );
        }
        Some(Message::CookieReply(message)) => {
            assert_eq!((message.as_bytes().as_slice(), kind), (data, Some(3)));
            assert_eq!(message.receiver().to_le_bytes(), data[4..8]);
            assert_eq!((message.nonce().as_slice(), message.sealed_cookie().as_slice()), (&data[8..32], &data[32..64]));
        }
        Some(Message::Transport(header)) => {
            assert!(kind == Some(4) && data.len() >= TRANSPORT_MIN_LEN);
            let mut written = [0; TRANSPORT_HEADER_LEN];
            header.write(&mut written);
            assert_eq!(written, data[..TRANSPORT_HEADER_LEN]);
        }
        None => {
            let lengths = [(1, 148..149), (2, 92..93), (3, 64..65), (4, 32..usize::MAX)];
            let fits = lengths.iter().any(|(word, len)| kind == Some(*word) && len.contains(&data.len()));
            assert!(!fits, "a message was not recognised");
        }
    }
}
