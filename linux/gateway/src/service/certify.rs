//! Client certificates: which user the holder is.
use super::{Now, Service, StartError};
use crate::audit::{Event, Text};
use crate::certificate::{AlternativeName, Authority, Evidence, Identity, Refused, Statement};
use crate::name::Name;
use crate::settings::{Certificates, Settings};
use crate::store;
use std::fs;
use std::io;
use std::path::Path;
use underpass_core::PublicKey;
use underpass_core::policy::session::{Reply, User};

/// Bytes of a file of authorities or of revocations at most.
const LONGEST: u64 = 8 << 20;

/// The issuers that are trusted, and the gateway's key.
#[derive(Debug)]
pub(super) struct Trust {
    settings: Certificates,
    authority: Authority,
    /// The gateway's own key, which signatures are for.
    gateway: PublicKey,
}

impl Trust {
    /// Reads the files that the settings name; `None`: they name none.
    pub(super) fn of(settings: &Settings, gateway: PublicKey) -> Result<Option<Self>, StartError> {
        let Some(settings) = settings.certificates.clone() else { return Ok(None) };
        let authority = read(&settings)?;
        Ok(Some(Self { settings, authority, gateway }))
    }

    /// The user that a name in a certificate means. Of an address in one of our domains it is the part before `@`, else the
    /// whole text.
    fn user_of(&self, name: &AlternativeName) -> Option<Name> {
        let (AlternativeName::Email(text) | AlternativeName::Upn(text)) = name else { return None };
        let ours = text
            .rsplit_once('@')
            .filter(|(_, domain)| self.settings.domains.iter().any(|known| known.eq_ignore_ascii_case(domain)));
        ours.map_or(text.as_str(), |(local, _)| local).parse().ok()
    }
}

/// Reads the authority. What cannot be read is an error, never an empty list.
fn read(settings: &Certificates) -> Result<Authority, StartError> {
    let certificates = file(&settings.ca)?;
    let lists = settings.crl.as_deref().map(file).transpose()?;
    if lists.as_ref().is_some_and(|lists| lists.iter().all(u8::is_ascii_whitespace)) {
        let error = io::Error::other("there is no list of revoked certificates in it");
        return Err(StartError::File(settings.crl.clone().unwrap_or_default(), error));
    }
    Authority::read(&certificates, &lists.unwrap_or_default())
        .map_err(|error| StartError::File(settings.ca.clone(), io::Error::other(error)))
}

fn file(path: &Path) -> Result<Vec<u8>, StartError> {
    let failed = |error| StartError::File(path.to_owned(), error);
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > LONGEST {
        return Err(failed(io::Error::other("it is longer than 8 MiB")));
    }
    fs::read(path).map_err(failed)
}

impl Service {
    /// Looks at a certificate, and finds its user. `None`: the store failed.
    pub(super) fn certify(&mut self, now: Now, peer: PublicKey, evidence: &[u8]) -> Option<Reply> {
        let identity = match self.identify(now, peer, evidence) {
            Ok(identity) => identity,
            Err(refused) => {
                self.reject_certificate(now, peer, "", &refused.to_string());
                return Some(Reply::Identity(None));
            }
        };
        let found = self.holder(&identity);
        let found = self.stored(now, found)?;
        if found.is_none() {
            self.reject_certificate(now, peer, &identity.serial, "it names no user");
        }
        Some(Reply::Identity(found))
    }

    fn identify(&mut self, now: Now, peer: PublicKey, evidence: &[u8]) -> Result<Identity, Refused> {
        // A nonce of the gateway is used for one signature, whether that is right or wrong.
        let nonces = self.peers.get_mut(&peer).map(|state| (state.hello.take(), state.nonce));
        let trust = self.trust.as_ref().ok_or(Refused::UnknownIssuer)?;
        match Evidence::read(evidence)? {
            Evidence::Key { chain } => trust.authority.verify_key(&chain, &peer, now.time()),
            Evidence::Signed { scheme, signature, chain } => {
                let Some((Some(gateway_nonce), client_nonce)) = nonces else { return Err(Refused::Signature) };
                let statement = Statement { gateway: trust.gateway, peer, gateway_nonce, client_nonce };
                trust.authority.verify_signature(&chain, &statement, scheme, &signature, now.time())
            }
        }
    }

    /// The first user that a certificate names. The session ends with the certificate's validity at the latest.
    fn holder(&mut self, identity: &Identity) -> store::Result<Option<Box<User>>> {
        let names: Vec<Name> = match &self.trust {
            Some(trust) => identity.names.iter().filter_map(|name| trust.user_of(name)).collect(),
            None => Vec::new(),
        };
        for name in names {
            if let Some(mut user) = self.find(name.as_str())? {
                user.not_after = Some(identity.not_after.into());
                return Ok(Some(user));
            }
        }
        Ok(None)
    }

    fn reject_certificate(&mut self, now: Now, peer: PublicKey, serial: &str, reason: &str) {
        let (serial, reason) = (Text::new(serial), Text::new(reason));
        self.emit(now, Event::CertificateRejected { device: peer.into(), serial, reason });
    }

    /// Reads authorities and revocations again. While that fails, those that were read before stay in force; their lists
    /// expire by themselves.
    pub(super) fn read_certificates(&mut self) {
        if let Some(trust) = &mut self.trust
            && let Ok(authority) = read(&trust.settings)
        {
            trust.authority = authority;
        }
    }
}
