//! The side that answers: unveils who speaks, authenticates the claim, writes the response.
//!
//! Three steps, so that the caller pays for the dear ones only when the cheap ones succeed: [`Unveiled::unveil`]
//! costs one exchange; the caller then looks the static key up; [`Unveiled::authenticate`] costs none, for the
//! exchange of the static keys is kept with the peer; the caller then tests the timestamp; [`Responder::respond`]
//! costs two, and a key pair.
use crate::crypto::dh::exchange;
use crate::crypto::{PresharedKey, PrivateKey, PublicKey, Rng, SharedSecret};
use crate::noise::symmetric::Symmetric;
use crate::noise::{HandshakeError, Identity, Tai64N, TransportKeys};
use crate::wire::{Field, Initiation, RESPONSE_LEN, ResponseFields};

/// An initiation of which only the sender's name has been read: the cheap half of consuming it.
#[derive(Debug)]
pub struct Unveiled {
    symmetric: Symmetric,
    remote: PublicKey,
    remote_ephemeral: PublicKey,
    remote_index: u32,
    timestamp_sealed: [u8; 28],
}

impl Unveiled {
    /// Decrypts the static key (one exchange).
    ///
    /// # Errors
    /// [`HandshakeError`] when it does not authenticate.
    pub fn unveil(identity: &Identity, initiation: Initiation<'_>) -> Result<Self, HandshakeError> {
        const STATIC_KEY: Field<0, 32> = Field;
        let remote_ephemeral = PublicKey::from_bytes(*initiation.ephemeral());
        let mut symmetric = Symmetric::new(identity.initial_hash);
        symmetric.mix_ephemeral(&remote_ephemeral);
        let secret = exchange(identity.private(), &remote_ephemeral).ok_or(HandshakeError::LowOrderKey)?;
        let key = symmetric.mix_secret_for_key(&secret);
        let opened = symmetric.open(&key, initiation.static_sealed()).map_err(|_| HandshakeError::BadTag)?;
        Ok(Self {
            symmetric,
            remote: PublicKey::from_bytes(*STATIC_KEY.of(&opened)),
            remote_ephemeral,
            remote_index: initiation.sender(),
            timestamp_sealed: *initiation.timestamp_sealed(),
        })
    }

    /// Who claims to be speaking.
    #[must_use]
    pub fn remote(&self) -> &PublicKey {
        &self.remote
    }

    /// Authenticates the claim and reads the timestamp; the caller tests it before committing.
    ///
    /// # Errors
    /// [`HandshakeError::BadTag`] when it does not authenticate.
    pub fn authenticate(mut self, static_static: &SharedSecret) -> Result<Responder, HandshakeError> {
        const TIMESTAMP: Field<0, 12> = Field;
        let key = self.symmetric.mix_secret_for_key(static_static);
        let opened = self.symmetric.open(&key, &self.timestamp_sealed).map_err(|_| HandshakeError::BadTag)?;
        Ok(Responder {
            symmetric: self.symmetric,
            remote: self.remote,
            remote_ephemeral: self.remote_ephemeral,
            remote_index: self.remote_index,
            timestamp: Tai64N::from_bytes(*TIMESTAMP.of(&opened)),
        })
    }
}

/// The responder between an accepted initiation and its response.
#[derive(Debug)]
pub struct Responder {
    symmetric: Symmetric,
    remote: PublicKey,
    remote_ephemeral: PublicKey,
    remote_index: u32,
    timestamp: Tai64N,
}

impl Responder {
    /// The timestamp of the initiation.
    #[must_use]
    pub fn timestamp(&self) -> Tai64N {
        self.timestamp
    }

    /// The initiator's session index.
    #[must_use]
    pub fn remote_index(&self) -> u32 {
        self.remote_index
    }

    /// Writes the response but for its MACs, which it leaves zero, and derives the keys.
    ///
    /// # Errors
    /// [`HandshakeError::LowOrderKey`] when an exchange yields zero, [`HandshakeError::NoRandomness`]; nothing was written.
    pub fn respond(
        self,
        preshared: &PresharedKey,
        sender: u32,
        rng: &mut dyn Rng,
        out: &mut [u8; RESPONSE_LEN],
    ) -> Result<TransportKeys, HandshakeError> {
        let mut symmetric = self.symmetric;
        let ephemeral = PrivateKey::generate(rng)?;
        let ephemeral_public = ephemeral.public_key();
        symmetric.mix_ephemeral(&ephemeral_public);
        for public in [&self.remote_ephemeral, &self.remote] {
            let secret = exchange(&ephemeral, public).ok_or(HandshakeError::LowOrderKey)?;
            symmetric.mix_secret(&secret);
        }
        let key = symmetric.mix_preshared(preshared);
        let mut empty_sealed = [0; 16];
        symmetric.seal(&key, &mut empty_sealed);
        ResponseFields {
            sender,
            receiver: self.remote_index,
            ephemeral: ephemeral_public.as_bytes(),
            empty_sealed: &empty_sealed,
        }
        .write(out);
        let (receive, send) = symmetric.split();
        Ok(TransportKeys { send, receive })
    }
}

/// The keys that no message can put there, for the tests of what happens if one did.
#[cfg(test)]
impl Responder {
    pub(super) fn set_remote(&mut self, remote: PublicKey) {
        self.remote = remote;
    }
    pub(super) fn set_remote_ephemeral(&mut self, ephemeral: PublicKey) {
        self.remote_ephemeral = ephemeral;
    }
}
