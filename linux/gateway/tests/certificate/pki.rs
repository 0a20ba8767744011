//! An authority of a company, by openssl.
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use underpass_core::PublicKey;
use underpass_gateway::certificate::Scheme;

/// An authority with its files in a directory of its own.
pub struct Pki(TempDir);

/// A certificate to be issued.
pub struct Leaf<'a> {
    pub name: &'a str,
    /// `x25519`, `ed25519`, `p256`, `p384` or `rsa`.
    pub key: &'a str,
    /// As openssl reads them, a line each.
    pub extensions: &'a str,
}

const CONFIG: &str = "
[ca]
default_ca = ours
[ours]
database = index.txt
certificate = ca.pem
private_key = ca.key
default_md = default
default_crl_days = 7
crlnumber = crlnumber
crl_extensions = list
[list]
authorityKeyIdentifier = keyid
";

impl Pki {
    /// With a root called `Test CA`.
    pub fn new() -> Self {
        let pki = Self(TempDir::new().expect("a directory"));
        fs::write(pki.path("ca.cnf"), CONFIG).expect("written");
        fs::write(pki.path("index.txt"), "").expect("written");
        fs::write(pki.path("crlnumber"), "01\n").expect("written");
        pki.openssl("genpkey -algorithm ed25519 -out ca.key");
        let root = "req -x509 -new -key ca.key -subj /CN=Test_CA -days 3650 -out ca.pem -addext basicConstraints=critical,CA:TRUE \
                    -addext keyUsage=critical,keyCertSign,cRLSign";
        pki.openssl(root);
        pki
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The chain of a certificate that the root issues: the certificate alone.
    pub fn issue(&self, leaf: &Leaf<'_>) -> Vec<Vec<u8>> {
        self.make(leaf, "ca", &format!("{}.", leaf.name))
    }

    /// The chain of a certificate that somebody else issues: with the issuer's, which the root issued. It is an authority only
    /// if it is called `department`.
    pub fn issue_by(&self, file: &str, issuer: &str, leaf: &Leaf<'_>) -> Vec<Vec<u8>> {
        let constraint = if issuer == "department" {
            "basicConstraints=critical,CA:TRUE\n"
        } else {
            "basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n"
        };
        let above =
            self.make(&Leaf { name: issuer, key: "ed25519", extensions: constraint }, "ca", &format!("{file}."));
        let below = self.make(leaf, file, &format!("{}.", leaf.name));
        [below, above].concat()
    }

    fn make(&self, leaf: &Leaf<'_>, issuer: &str, prefix: &str) -> Vec<Vec<u8>> {
        let algorithm = match leaf.key {
            "p256" => "EC -pkeyopt ec_paramgen_curve:P-256",
            "p384" => "EC -pkeyopt ec_paramgen_curve:P-384",
            "rsa" => "RSA -pkeyopt rsa_keygen_bits:2048",
            other => other,
        };
        self.openssl(&format!("genpkey -algorithm {algorithm} -out {prefix}key"));
        self.openssl(&format!("pkey -in {prefix}key -pubout -out {prefix}pub"));
        // A key that cannot sign gets its certificate by the request of another.
        self.openssl("genpkey -algorithm ed25519 -out request.key");
        self.openssl(&format!("req -new -key request.key -subj /CN={} -out request.csr", leaf.name));
        fs::write(self.path("extensions"), leaf.extensions).expect("written");
        self.openssl(&format!(
            "x509 -req -in request.csr -force_pubkey {prefix}pub -CA {issuer}.pem -CAkey {issuer}.key -days 30 \
             -extfile extensions -out {prefix}pem"
        ));
        self.openssl(&format!("x509 -in {prefix}pem -outform DER -out {prefix}der"));
        vec![fs::read(self.path(&format!("{prefix}der"))).expect("made")]
    }

    /// The last 32 bytes of a public key.
    pub fn wireguard_key(&self, name: &str) -> PublicKey {
        self.openssl(&format!("pkey -pubin -in {name}.pub -pubout -outform DER -out key.der"));
        let der = fs::read(self.path("key.der")).expect("made");
        let bytes: [u8; 32] = der[der.len() - 32..].try_into().expect("32 bytes");
        PublicKey::from_bytes(bytes)
    }

    /// The signature of `name` below `message`.
    pub fn sign(&self, name: &str, scheme: Scheme, message: &[u8]) -> Vec<u8> {
        fs::write(self.path("message"), message).expect("written");
        let hash = match scheme {
            Scheme::Ed25519 => {
                self.openssl(&format!("pkeyutl -sign -rawin -inkey {name}.key -in message -out signature"));
                return fs::read(self.path("signature")).expect("made");
            }
            Scheme::EcdsaSecp256r1Sha256 | Scheme::RsaPssRsaeSha256 => "sha256",
            Scheme::EcdsaSecp384r1Sha384 | Scheme::RsaPssRsaeSha384 => "sha384",
            Scheme::RsaPssRsaeSha512 => "sha512",
        };
        let is_rsa = matches!(scheme, Scheme::RsaPssRsaeSha256 | Scheme::RsaPssRsaeSha384 | Scheme::RsaPssRsaeSha512);
        let padding = if is_rsa { "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest" } else { "" };
        self.openssl(&format!("dgst -{hash} {padding} -sign {name}.key -out signature message"));
        fs::read(self.path("signature")).expect("made")
    }

    pub fn revoke(&self, name: &str) {
        self.openssl(&format!("ca -config ca.cnf -revoke {name}.pem"));
    }

    /// The root's list of what it revoked, in PEM.
    pub fn revocations(&self) -> Vec<u8> {
        self.openssl("ca -config ca.cnf -gencrl -out list.pem");
        fs::read(self.path("list.pem")).expect("made")
    }

    fn openssl(&self, arguments: &str) {
        let words = arguments.split_ascii_whitespace().map(|word| word.replace("Test_CA", "Test CA"));
        let output = Command::new("openssl")
            .args(words)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .expect("openssl is installed");
        if !output.status.success() {
            let _ = std::io::stderr().write_all(&output.stderr);
            panic!("openssl {arguments}");
        }
    }
}
