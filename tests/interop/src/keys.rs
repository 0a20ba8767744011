//! Keys as `wg` makes them: independent of the code under test.
use anyhow::Result;
use underpass_linux::demo::stage::Machine;

/// A private key and its public key, in base64.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// The private key.
    pub private: String,
    /// The public key.
    pub public: String,
}

impl KeyPair {
    /// A fresh pair.
    ///
    /// # Errors
    /// When `wg` fails.
    pub fn generate(machine: &Machine) -> Result<Self> {
        let private = machine.run("wg", &["genkey"])?.trim().to_owned();
        let public = machine.run_with_input("wg", &["pubkey"], &private)?.trim().to_owned();
        Ok(Self { private, public })
    }
}

/// A fresh preshared key, in base64.
///
/// # Errors
/// When `wg` fails.
pub fn preshared_key(machine: &Machine) -> Result<String> {
    Ok(machine.run("wg", &["genpsk"])?.trim().to_owned())
}
