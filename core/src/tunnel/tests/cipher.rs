//! A cipher of the host's own in the middle of the three steps.
use super::*;
use core::cell::RefCell;

/// Works on each batch from its end, remembers how large batches were, and leaves what it is told to undone.
struct Backwards {
    batches: RefCell<Vec<usize>>,
    skips: Option<u64>,
}

impl Backwards {
    fn each(&self, batch: &mut [Message<'_>], crypt: impl Fn(&mut [Message<'_>])) {
        self.batches.borrow_mut().push(batch.len());
        for at in (0..batch.len()).rev() {
            if self.skips != Some(batch[at].counter()) {
                crypt(&mut batch[at..=at]);
            }
        }
    }
}

impl Cipher for Backwards {
    fn seal(&self, batch: &mut [Message<'_>]) {
        self.each(batch, |one| BuiltIn.seal(one));
    }

    fn open(&self, batch: &mut [Message<'_>]) {
        self.each(batch, |one| BuiltIn.open(one));
    }
}

/// Begins to seal 40 packets of different lengths.
fn begun(a: &mut Host) -> Vec<(SealJob, Vec<u8>)> {
    let begin = |len| {
        let (mut buf, range) = packet(1, 2, len);
        match a.tunnel.begin_seal(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range }) {
            Begin::Crypt(job) => (job, buf),
            Begin::Done(verdict) => panic!("{verdict:?}"),
        }
    };
    (40..80).map(begin).collect()
}

fn finish(a: &mut Host, sealed: Vec<Sealed<Vec<u8>>>) -> Vec<Option<Vec<u8>>> {
    let finish = |sealed: Sealed<Vec<u8>>| match a.tunnel.finish_seal(Instant::ZERO, sealed) {
        (Outbound::Datagram { datagram, .. }, buf) => Some(datagram.of(&buf).expect("within").to_vec()),
        _ => None,
    };
    sealed.into_iter().map(finish).collect()
}

#[test]
fn a_cipher_of_the_hosts_comes_to_the_same_bytes() {
    let (mut a, _) = connected();
    let one_by_one: Vec<_> = begun(&mut a).into_iter().map(|(job, buf)| job.crypt(buf)).collect();
    let want = finish(&mut a, one_by_one);
    let (mut a, mut b) = connected();
    let cipher = Backwards { batches: RefCell::default(), skips: None };
    let (mut jobs, mut sealed) = (begun(&mut a), Vec::new());
    SealJob::crypt_all(&cipher, &mut jobs, &mut sealed);
    assert!(jobs.is_empty());
    assert_eq!(*cipher.batches.borrow(), [16, 16, 8]);
    let datagrams = finish(&mut a, sealed);
    assert_eq!(datagrams, want);

    let begin = |datagram: Option<Vec<u8>>| {
        let mut bytes = datagram.expect("sealed");
        match b.tunnel.begin_open(Instant::ZERO, a.path, Ecn::NotCapable, &mut bytes) {
            Begin::Crypt(job) => (job, bytes),
            Begin::Done(verdict) => panic!("{verdict:?}"),
        }
    };
    let (mut jobs, mut opened): (Vec<_>, _) = (datagrams.into_iter().map(begin).collect(), Vec::new());
    // One is damaged, and one its cipher calls false.
    let first = b.tunnel.stats().rx_packets;
    jobs[3].1[20] ^= 1;
    OpenJob::crypt_all(&Backwards { batches: RefCell::default(), skips: Some(12) }, &mut jobs, &mut opened);
    for opened in opened {
        let _ = b.tunnel.finish_open(Instant::ZERO, opened);
    }
    assert_eq!(b.tunnel.stats().rx_packets - first, 38);
    assert_eq!(b.tunnel.stats().drops.of(DropReason::BadTag), 2);
}

#[test]
fn what_a_cipher_leaves_undone_is_dropped() {
    let (mut a, _) = connected();
    let (mut jobs, mut sealed) = (begun(&mut a), Vec::new());
    jobs[5].1.truncate(20);
    SealJob::crypt_all(&Backwards { batches: RefCell::default(), skips: Some(8) }, &mut jobs, &mut sealed);
    assert_eq!(finish(&mut a, sealed).iter().filter(|datagram| datagram.is_none()).count(), 2);
    assert_eq!(a.tunnel.stats().drops.of(DropReason::NoRoom), 2);
}
