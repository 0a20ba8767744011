//! What a certificate says of its holder.
use super::Refused;
use crate::Time;
use std::fmt::Write;
use x509_cert::Certificate;
use x509_cert::der::asn1::{ObjectIdentifier, Utf8StringRef};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectAltName};

/// The user principal name of Microsoft's directories, a kind of other name.
const UPN: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.20.2.3");
/// id-kp-clientAuth (RFC 5280 § 4.2.1.12).
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
/// Names that are looked at, and bytes of one, at most.
const MOST_NAMES: usize = 16;
const LONGEST: usize = 254;

/// A name beside the subject (RFC 5280 § 4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlternativeName {
    /// An address for e-mail.
    Email(String),
    /// A user principal name.
    Upn(String),
    /// A URI.
    Uri(String),
}

/// The holder of a certificate that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Names by which a user may be looked up, in the order of the certificate. Only visible ASCII characters are in them.
    pub names: Vec<AlternativeName>,
    /// The subject, as RFC 4514 writes it, for people to read.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// The serial number in hexadecimal.
    pub serial: String,
    /// The end of its validity.
    pub not_after: Time,
}

/// What the certificate says of its holder. That it is for clients has to be said: one for anything is not for this. (Of the
/// authorities above it, it need not be said.)
pub(super) fn identity(der: &[u8]) -> Result<Identity, Refused> {
    let certificate = parsed(der)?.tbs_certificate;
    let purposes = certificate.get::<ExtendedKeyUsage>().map_err(|_| Refused::Malformed)?;
    if !purposes.is_some_and(|(_, purposes)| purposes.0.contains(&CLIENT_AUTH)) {
        return Err(Refused::Purpose);
    }
    let ends = certificate.validity.not_after.to_unix_duration();
    let mut serial = String::new();
    for byte in certificate.serial_number.as_bytes() {
        let _ = write!(serial, "{byte:02x}");
    }
    let found = certificate.get::<SubjectAltName>().map_err(|_| Refused::Malformed)?;
    let names = found.map(|(_, names)| names.0).unwrap_or_default();
    Ok(Identity {
        names: names.iter().take(MOST_NAMES).filter_map(name).collect(),
        subject: certificate.subject.to_string(),
        issuer: certificate.issuer.to_string(),
        serial,
        not_after: Time::from_millis(i64::try_from(ends.as_millis()).unwrap_or(i64::MAX)),
    })
}

/// The key of a certificate with its algorithm, as it stands there.
pub(super) fn key_of(der: &[u8]) -> Result<Vec<u8>, Refused> {
    parsed(der)?.tbs_certificate.subject_public_key_info.to_der().map_err(|_| Refused::Malformed)
}

fn parsed(der: &[u8]) -> Result<Certificate, Refused> {
    Certificate::from_der(der).map_err(|_| Refused::Malformed)
}

/// A name that can be one of a user. Others are passed over: what cannot be shown must not be compared.
fn name(name: &GeneralName) -> Option<AlternativeName> {
    match name {
        GeneralName::Rfc822Name(email) => plain(email.as_str()).map(AlternativeName::Email),
        GeneralName::UniformResourceIdentifier(uri) => plain(uri.as_str()).map(AlternativeName::Uri),
        GeneralName::OtherName(other) if other.type_id == UPN => {
            let upn: Utf8StringRef<'_> = other.value.decode_as().ok()?;
            plain(upn.as_str()).map(AlternativeName::Upn)
        }
        _ => None,
    }
}

fn plain(text: &str) -> Option<String> {
    let good = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    good.then(|| text.to_owned())
}
