//! Two machines, and a tunnel from one to the other.
use anyhow::{Context as _, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tempfile::TempDir;
use underpass_linux::demo::stage::{Finished, Machine, Stage};

/// The command.
pub const UNDERPASS: &str = env!("CARGO_BIN_EXE_underpass");
/// How long anything may take that happens by itself: no verdict hangs on it.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// RFC 7748 § 6.1: Alice's private and public key.
pub const ALICE: [&str; 2] =
    ["dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="];
/// His.
pub const BOB: [&str; 2] =
    ["XasIfmJKikt54X+Lg4AO5m87sSkmGLb9HC+LJ/+I4Os=", "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="];
/// A preshared key.
pub const PSK: &str = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";

/// Two machines on a wire, 192.0.2.1 and .2, and a place for files.
pub struct Scene {
    /// Alice's.
    pub left: Machine,
    /// Bob's.
    pub right: Machine,
    /// For files.
    pub directory: TempDir,
}

impl Scene {
    /// Machines without tunnels.
    pub fn new() -> Result<Self> {
        let stage = Stage::new().context("these tests run as root: they make network namespaces")?;
        let (left, right) = (stage.machine("left")?, stage.machine("right")?);
        left.wire("wire0", &right, "wire0")?;
        left.ip("address add 192.0.2.1/24 dev wire0")?;
        right.ip("address add 192.0.2.2/24 dev wire0")?;
        Ok(Self { left, right, directory: tempfile::tempdir()? })
    }

    /// Writes a file for its owner only.
    pub fn file(&self, name: &str, text: &str) -> Result<String> {
        let path = self.directory.path().join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// Alice's file, on the left, with `more` in her section and this endpoint for Bob.
    pub fn alice(&self, endpoint: &str, more: &str) -> Result<String> {
        let text = format!(
            "[Interface]\nPrivateKey = {}\nAddress = 10.9.0.1/24\nMTU = 1380\n{more}\n[Peer]\nPublicKey = {}\n\
             AllowedIPs = 10.9.0.0/24\nEndpoint = {endpoint}\n",
            ALICE[0], BOB[1]
        );
        self.file("wgt0.conf", &text)
    }

    /// Bob's tunnel, on the right.
    pub fn bob(&self) -> Result<String> {
        let text = format!(
            "[Interface]\nPrivateKey = {}\nAddress = 10.9.0.2/24\nMTU = 1380\nListenPort = 7000\n[Peer]\n\
             PublicKey = {}\nAllowedIPs = 10.9.0.1/32\n",
            BOB[0], ALICE[1]
        );
        let path = self.file("wgt1.conf", &text)?;
        self.right.run(UNDERPASS, &["up", &path])?;
        Ok(path)
    }

    /// Runs the command on the left.
    pub fn underpass(&self, arguments: &[&str]) -> Result<Finished> {
        self.left.try_run(UNDERPASS, arguments)
    }
}
