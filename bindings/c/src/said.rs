//! What a configuration keeps for C to point at: words with their NUL, findings, lists of allowed IPs.
use crate::config::{UNDERPASS_SEVERITY_ERROR, UNDERPASS_SEVERITY_WARNING, underpass_config, underpass_diagnostic};
use crate::configure::{outline, underpass_allowed_ip, underpass_peer_change};
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::c_char;
use core::fmt::{self, Write as _};
use core::ptr;
use underpass_core::config::{self, Diagnostic, Parsed, QuickConfig, Section, Severity, Table};
use underpass_core::{AllowedIp, Endpoint, NewPeer, Status};
use zeroize::Zeroizing;

/// Text with its NUL, wiped when dropped: commands may hold secrets.
pub(crate) struct Word(Zeroizing<Vec<u8>>);

/// What is wrong or odd.
pub(crate) struct Finding {
    diagnostic: Diagnostic,
    key: Word,
    reason: Word,
}

/// What C is to see of a peer and has no place in the core's own form.
pub(crate) struct PeerShape {
    allowed_ips: Vec<underpass_allowed_ip>,
    host: Option<Word>,
}

impl underpass_config {
    /// Reads a text and makes all that C may ask for.
    pub(crate) fn read(text: &str, max_diagnostics: usize) -> Result<Self, Status> {
        let Parsed { config, diagnostics, more, out_of_memory } = config::parse_with(text, max_diagnostics);
        if out_of_memory {
            return Err(Status::Memory);
        }
        let nothing = QuickConfig::default();
        let said = config.as_ref().unwrap_or(&nothing);
        let words = |texts: &[String]| collect(texts, |text| Word::new(text));
        Ok(Self {
            findings: collect(&diagnostics, Finding::new)?,
            more,
            texts: [
                words(&said.search_domains)?,
                words(&said.pre_up)?,
                words(&said.post_up)?,
                words(&said.pre_down)?,
                words(&said.post_down)?,
                words(&said.included_applications)?,
                words(&said.excluded_applications)?,
            ],
            table_name: match &said.table {
                Table::Name(name) => Word::new(name)?,
                Table::Auto | Table::Off | Table::Number(_) => Word::new("")?,
            },
            peers: collect(&said.tunnel.peers, PeerShape::new)?,
            said: config,
        })
    }
}

/// What `make` makes of each of `items`.
fn collect<T, R>(items: &[T], make: impl Fn(&T) -> Result<R, Status>) -> Result<Vec<R>, Status> {
    let mut made = Vec::new();
    made.try_reserve_exact(items.len()).map_err(|_| Status::Memory)?;
    for item in items {
        made.push(make(item)?);
    }
    Ok(made)
}

impl Word {
    fn new(text: &str) -> Result<Self, Status> {
        // Reserved at once, so that no reallocation leaves a copy of a secret behind.
        let mut word = Self(Zeroizing::default());
        word.0.try_reserve_exact(text.len().saturating_add(1)).map_err(|_| Status::Memory)?;
        word.0.extend_from_slice(text.as_bytes());
        word.0.push(0);
        Ok(word)
    }

    /// What `said` says, which is no secret.
    fn of(said: impl fmt::Display) -> Result<Self, Status> {
        let mut word = Self(Zeroizing::default());
        write!(word, "{said}\0").map_err(|_| Status::Memory)?;
        Ok(word)
    }

    pub(crate) fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

/// Fails only where there is no memory.
impl fmt::Write for Word {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.try_reserve(text.len()).map_err(|_| fmt::Error)?;
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Finding {
    fn new(diagnostic: &Diagnostic) -> Result<Self, Status> {
        Ok(Self {
            key: Word::new(diagnostic.key.unwrap_or_default())?,
            reason: Word::of(diagnostic.reason)?,
            diagnostic: *diagnostic,
        })
    }

    pub(crate) fn shape(&self) -> underpass_diagnostic {
        let Diagnostic { severity, line, column, section, .. } = self.diagnostic;
        underpass_diagnostic {
            size: 0,
            severity: match severity {
                Severity::Warning => UNDERPASS_SEVERITY_WARNING,
                Severity::Error => UNDERPASS_SEVERITY_ERROR,
            },
            line,
            column,
            section: match section {
                Some(Section::Interface) => c"Interface",
                Some(Section::Peer) => c"Peer",
                None => c"",
            }
            .as_ptr(),
            key: self.key.as_ptr(),
            reason: self.reason.as_ptr(),
        }
    }
}

impl PeerShape {
    fn new(peer: &NewPeer) -> Result<Self, Status> {
        Ok(Self {
            allowed_ips: collect(&peer.allowed_ips, |ip| Ok(AllowedIp::from(*ip).into()))?,
            host: match &peer.endpoint {
                Some(Endpoint::Name { host, .. }) => Some(Word::new(host)?),
                Some(Endpoint::Address(_)) | None => None,
            },
        })
    }

    pub(crate) fn shape(&self, peer: &NewPeer) -> underpass_peer_change {
        underpass_peer_change {
            endpoint_host: self.host.as_ref().map_or(ptr::null(), Word::as_ptr),
            allowed_ips: self.allowed_ips.as_ptr(),
            allowed_ips_len: self.allowed_ips.len(),
            ..(&outline(peer)).into()
        }
    }
}
