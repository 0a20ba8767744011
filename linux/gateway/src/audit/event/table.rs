//! The table of events.
use super::{Key, Kind};
use crate::audit::{Hash, Level, Text};
use crate::name::Name;
use crate::time::Time;
use serde::Serialize;
use std::net::{IpAddr, SocketAddr};

events! {
    /// The gateway began to serve.
    GatewayStarted = "gateway.started", Minimal {
        /// Version of the program.
        version: Text,
    }
    /// The gateway stopped serving.
    GatewayStopped = "gateway.stopped", Minimal {
        /// Why.
        reason: Text,
    }
    /// A configuration came into force.
    ConfigLoaded = "config.loaded", Minimal {
        /// SHA-256 of the file.
        digest: Hash,
    }
    /// A configuration was refused; the one before it stays in force.
    ConfigRejected = "config.rejected", Minimal {
        /// What is wrong with it.
        reason: Text,
    }
    /// Other rules came into force.
    PolicyChanged = "policy.changed", Minimal {
        /// How many rules there are.
        rules: u64,
        /// SHA-256 of the rules.
        digest: Hash,
    }
    /// The gateway has another key.
    KeyRotated = "key.rotated", Minimal {
        /// The new public key.
        key: Key,
    }
    /// A file of the log begins. It is the first line of each file.
    LogOpened = "log.opened", Minimal {
        /// The hash of the last line of the file before; zeros in the very first.
        previous: Hash,
    }
    /// The program before this one was ended in the middle of a line, which was never acknowledged. It was cut away.
    LogMended = "log.mended", Minimal {
        /// Bytes that were cut away.
        bytes: u64,
    }
    /// A second place did not take lines or checkpoints. They are in this log.
    LogLost = "log.lost", Minimal {
        /// Which place.
        sink: Text,
        /// How many.
        count: u64,
    }
    /// A change is in the store, and the program that made it was ended before it could record who did.
    ChangeRecovered = "change.recovered", Minimal {
        /// Number of the change in the store.
        change: u64,
        /// When it was made.
        made: Time,
        /// What changed: `user`, `password`, `factor`, `enrolment`, `group`, `member` or `device`.
        what: Text,
        /// Which one: a name or a key.
        subject: Text,
    }
    /// An older copy took the place of the store. What it cannot know of was made void.
    StoreRestored = "store.restored", Minimal {
        /// Who did it.
        actor: Text,
        /// Sessions that were ended.
        sessions: u64,
        /// Enrolments that were ended.
        enrolments: u64,
        /// Recovery codes that were removed.
        recovery_codes: u64,
        /// One-time codes by counter that were removed.
        counters: u64,
    }
    /// A user was added.
    UserAdded = "user.added", Minimal {
        /// Who did it.
        actor: Text,
        /// The user.
        user: Name,
    }
    /// A user may log in again.
    UserEnabled = "user.enabled", Minimal {
        /// Who did it.
        actor: Text,
        /// The user.
        user: Name,
    }
    /// A user may not log in any more.
    UserDisabled = "user.disabled", Minimal {
        /// Who did it.
        actor: Text,
        /// The user.
        user: Name,
        /// How many sessions ended by it.
        sessions: u64,
    }
    /// A user was removed with all that belonged to the user.
    UserRemoved = "user.removed", Minimal {
        /// Who did it.
        actor: Text,
        /// The user.
        user: Name,
        /// How many sessions ended by it.
        sessions: u64,
        /// How many devices were removed.
        devices: u64,
    }
    /// A password was set.
    PasswordSet = "password.set", Minimal {
        /// Who did it.
        actor: Text,
        /// Whose password.
        user: Name,
    }
    /// A password was removed.
    PasswordRemoved = "password.removed", Minimal {
        /// Who did it.
        actor: Text,
        /// Whose password.
        user: Name,
    }
    /// A one-time code factor was added.
    FactorAdded = "factor.added", Minimal {
        /// Who did it.
        actor: Text,
        /// Whose factor.
        user: Name,
        /// Which: `totp` or `hotp`.
        factor: Text,
    }
    /// All one-time codes and recovery codes of a user were removed.
    FactorRemoved = "factor.removed", Minimal {
        /// Who did it.
        actor: Text,
        /// Whose factors.
        user: Name,
        /// How many one-time code factors there were.
        count: u64,
    }
    /// Recovery codes were made; older ones are void.
    RecoveryMade = "recovery.made", Minimal {
        /// Who did it.
        actor: Text,
        /// Whose codes.
        user: Name,
        /// How many.
        count: u64,
    }
    /// An enrolment of a device began; an older one is void.
    EnrolmentBegun = "enrolment.begun", Minimal {
        /// Who did it.
        actor: Text,
        /// For whom.
        user: Name,
        /// Until when it is good.
        until: Time,
    }
    /// A group was added.
    GroupAdded = "group.added", Minimal {
        /// Who did it.
        actor: Text,
        /// The group.
        group: Name,
    }
    /// A group was removed.
    GroupRemoved = "group.removed", Minimal {
        /// Who did it.
        actor: Text,
        /// The group.
        group: Name,
        /// How many memberships went with it.
        members: u64,
    }
    /// A user became a member of a group.
    GroupJoined = "group.joined", Minimal {
        /// Who did it.
        actor: Text,
        /// The user.
        user: Name,
        /// The group.
        group: Name,
    }
    /// A user is no member of a group any more.
    GroupLeft = "group.left", Minimal {
        /// Who did it.
        actor: Text,
        /// The user.
        user: Name,
        /// The group.
        group: Name,
    }
    /// A device was added.
    DeviceAdded = "device.added", Minimal {
        /// Who did it.
        actor: Text,
        /// Whose device; nothing for a shared one.
        user: Option<Name>,
        /// Its key.
        device: Key,
        /// Its name.
        name: Name,
    }
    /// A device was removed.
    DeviceRemoved = "device.removed", Minimal {
        /// Who did it.
        actor: Text,
        /// Whose device; nothing for a shared one.
        user: Option<Name>,
        /// Its key.
        device: Key,
        /// Whether its key may never come back.
        revoked: bool,
        /// How many devices the user still has.
        left: u64,
    }
    /// Handshakes that were none, since the last such line.
    HandshakesInvalid = "handshake.invalid", Minimal {
        /// How many.
        count: u64,
    }
    /// Logins that failed, since the last such line.
    LoginsFailed = "login.failures", Minimal {
        /// How many.
        count: u64,
    }
    /// Packets that rules denied, since the last such line.
    PacketsDenied = "access.denials", Minimal {
        /// How many.
        count: u64,
    }
    /// A pool has no address left.
    LeaseExhausted = "lease.exhausted", Minimal {
        /// The pool.
        pool: Name,
    }
    /// A device was refused at an enrolment.
    EnrolmentRefused = "enrolment.refused", Audit {
        /// For whom the enrolment was.
        user: Name,
        /// The key that the device wanted to enrol.
        device: Key,
        /// Why: `claimed` by another device, `known` as a key or a name, `revoked`, or too many wrong `codes`.
        reason: Text,
        /// From which outer address.
        src: SocketAddr,
    }
    /// A device enrolled itself.
    DeviceEnrolled = "device.enrolled", Audit {
        /// Whose device.
        user: Name,
        /// Its key.
        device: Key,
        /// Its name.
        name: Name,
        /// Whether the user's one-time code began with it.
        totp: bool,
        /// From which outer address.
        src: SocketAddr,
    }
    /// An administrator logged in.
    AdminLogin = "admin.login", Audit {
        /// Who.
        actor: Text,
        /// From where.
        src: IpAddr,
    }
    /// A factor was right.
    FactorPassed = "login.factor_passed", Audit {
        /// Who.
        user: Name,
        /// With which device.
        device: Key,
        /// Which factor.
        method: Text,
        /// From which outer address.
        src: SocketAddr,
    }
    /// A factor was wrong.
    FactorFailed = "login.factor_failed", Audit {
        /// Who it was said to be; perhaps nobody.
        claimed: Text,
        /// With which device.
        device: Key,
        /// Which factor.
        method: Text,
        /// Why, for administrators; the user is told nothing of it.
        reason: Text,
        /// From which outer address.
        src: SocketAddr,
    }
    /// A login was refused because there were too many failures.
    LoginLimited = "login.limited", Audit {
        /// Who it was said to be; perhaps nobody.
        claimed: Text,
        /// With which device.
        device: Key,
        /// When the next attempt is heard.
        until: Time,
    }
    /// A recovery code was used.
    RecoveryUsed = "recovery.used", Audit {
        /// Who.
        user: Name,
        /// With which device.
        device: Key,
        /// How many codes are left.
        left: u64,
    }
    /// A certificate was refused.
    CertificateRejected = "certificate.rejected", Audit {
        /// With which device.
        device: Key,
        /// Its serial number, in hexadecimal digits.
        serial: Text,
        /// Why.
        reason: Text,
    }
    /// A session began.
    SessionOpened = "session.opened", Audit {
        /// Who.
        user: Name,
        /// With which device.
        device: Key,
        /// Its number, see `epoch` of the session.
        session: u64,
        /// By which factors.
        methods: Text,
        /// From which outer address.
        src: SocketAddr,
        /// Until when.
        until: Time,
    }
    /// A session lasts longer.
    SessionExtended = "session.extended", Audit {
        /// Who.
        user: Name,
        /// With which device.
        device: Key,
        /// Its number.
        session: u64,
        /// Until when.
        until: Time,
    }
    /// A session ended.
    SessionEnded = "session.ended", Audit {
        /// Who.
        user: Name,
        /// With which device.
        device: Key,
        /// Its number.
        session: u64,
        /// Why: `logout`, `expired`, `idle`, `replaced`, `disabled`, `removed`, `revoked`, `elsewhere`, `offline` or `quota`.
        reason: Text,
        /// Bytes from the device.
        received: u64,
        /// Bytes to the device.
        sent: u64,
    }
    /// An administrator ended a session.
    SessionRevoked = "session.revoked", Audit {
        /// Who did it.
        actor: Text,
        /// Whose session.
        user: Name,
        /// With which device.
        device: Key,
        /// Its number.
        session: u64,
    }
    /// A device was given an address.
    LeaseGranted = "lease.granted", Audit {
        /// Which device.
        device: Key,
        /// The address.
        address: IpAddr,
        /// From which pool.
        pool: Name,
        /// Until when.
        until: Time,
    }
    /// An address was given back.
    LeaseReleased = "lease.released", Audit {
        /// Which device.
        device: Key,
        /// The address.
        address: IpAddr,
    }
    /// A device is heard from another outer address.
    EndpointRoamed = "endpoint.roamed", Audit {
        /// Which device.
        device: Key,
        /// The new outer address.
        src: SocketAddr,
    }
    /// Packets of one device to one place were denied, since the last such line.
    AccessDenied = "access.denied", Audit {
        /// Who.
        user: Option<Name>,
        /// With which device.
        device: Key,
        /// Where to.
        destination: IpAddr,
        /// The number of the protocol, as in packets.
        protocol: u8,
        /// The port there; 0 where the protocol has none.
        port: u16,
        /// The rule that decided; nothing where none matched.
        rule: Option<Text>,
        /// How many packets.
        count: u64,
    }
    /// A device sends faster than it may, since the last such line.
    RateLimited = "rate.limited", Audit {
        /// Which device.
        device: Key,
        /// How many packets were dropped.
        count: u64,
    }
    /// A user has used up a part or all of a quota.
    QuotaReached = "quota.reached", Audit {
        /// Who.
        user: Name,
        /// How much, in hundredths.
        percent: u64,
    }
    /// A flow began.
    FlowBegun = "flow.begun", Full {
        /// Who.
        user: Option<Name>,
        /// With which device.
        device: Key,
        /// The inner source.
        source: SocketAddr,
        /// Where to.
        destination: SocketAddr,
        /// The number of the protocol, as in packets.
        protocol: u8,
        /// The rule that let it through.
        rule: Text,
    }
    /// A flow ended.
    FlowEnded = "flow.ended", Full {
        /// With which device.
        device: Key,
        /// The inner source.
        source: SocketAddr,
        /// Where to.
        destination: SocketAddr,
        /// The number of the protocol, as in packets.
        protocol: u8,
        /// Packets both ways.
        packets: u64,
        /// Bytes both ways.
        bytes: u64,
    }
}
