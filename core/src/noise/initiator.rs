//! The side that speaks first: writes an initiation, waits, verifies the response.
use crate::crypto::dh::exchange;
use crate::crypto::{PresharedKey, PrivateKey, PublicKey, Rng, SharedSecret};
use crate::noise::symmetric::{Symmetric, hash_for};
use crate::noise::{HandshakeError, Identity, Tai64N, TransportKeys};
use crate::wire::{INITIATION_LEN, InitiationFields, Response};
use zeroize::Zeroizing;

/// The initiator between its initiation and the response.
#[derive(Debug)]
pub struct Initiator {
    symmetric: Symmetric,
    ephemeral: PrivateKey,
}

impl Initiator {
    /// Writes an initiation but for its two MACs (those are [`cookie`](crate::cookie)'s), which it leaves zero.
    /// `static_static` is the exchange of the two static keys, kept by the caller.
    ///
    /// # Errors
    /// [`HandshakeError::LowOrderKey`] when the ephemeral exchange yields zero, [`HandshakeError::NoRandomness`]; nothing was
    /// written.
    pub fn initiate(
        identity: &Identity,
        remote: &PublicKey,
        static_static: &SharedSecret,
        timestamp: Tai64N,
        sender: u32,
        rng: &mut dyn Rng,
        out: &mut [u8; INITIATION_LEN],
    ) -> Result<Self, HandshakeError> {
        let ephemeral = PrivateKey::generate(rng)?;
        let ephemeral_public = ephemeral.public_key();
        let ephemeral_static = exchange(&ephemeral, remote).ok_or(HandshakeError::LowOrderKey)?;

        let mut symmetric = Symmetric::new(hash_for(remote));
        symmetric.mix_ephemeral(&ephemeral_public);

        let key = symmetric.mix_secret_for_key(&ephemeral_static);
        let mut static_sealed = Zeroizing::new([0; 48]);
        put(&mut *static_sealed, identity.public().as_bytes());
        symmetric.seal(&key, &mut static_sealed);

        let key = symmetric.mix_secret_for_key(static_static);
        let mut timestamp_sealed = [0; 28];
        put(&mut timestamp_sealed, timestamp.as_bytes());
        symmetric.seal(&key, &mut timestamp_sealed);

        InitiationFields {
            sender,
            ephemeral: ephemeral_public.as_bytes(),
            static_sealed: &static_sealed,
            timestamp_sealed: &timestamp_sealed,
        }
        .write(out);
        Ok(Self { symmetric, ephemeral })
    }

    /// Verifies a response, which the caller found by its receiver index. The initiator is only spent by the caller
    /// when this succeeds: a forged response changes nothing.
    ///
    /// # Errors
    /// [`HandshakeError`] when the response is not the one we wait for.
    pub fn finish(
        &self,
        identity: &Identity,
        preshared: &PresharedKey,
        response: Response<'_>,
    ) -> Result<TransportKeys, HandshakeError> {
        let remote_ephemeral = PublicKey::from_bytes(*response.ephemeral());
        let mut symmetric = self.symmetric.clone();
        symmetric.mix_ephemeral(&remote_ephemeral);
        for private in [&self.ephemeral, identity.private()] {
            let secret = exchange(private, &remote_ephemeral).ok_or(HandshakeError::LowOrderKey)?;
            symmetric.mix_secret(&secret);
        }
        let key = symmetric.mix_preshared(preshared);
        symmetric.open(&key, response.empty_sealed()).map_err(|_| HandshakeError::BadTag)?;
        let (send, receive) = symmetric.split();
        Ok(TransportKeys { send, receive })
    }
}

/// Writes `text` at the beginning of `field`, whose tail is the tag's.
fn put(field: &mut [u8], text: &[u8]) {
    field.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
}
